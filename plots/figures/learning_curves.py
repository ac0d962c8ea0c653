"""The learning curves of a study: masked loss over the updates of pretraining, one panel a block.

A run that sits on a plateau and then drops is compared with another at its speed of learning and
not at what it can learn: these show which it is (Conneau et al. 2020 print none).
"""

from typing import Any

import polars

from grid.statistics import mean_interval
from plots.chart import CURVE, Chart, Panel, Point, Series, X
from plots.common import chart
from plots.errors import FigureError
from plots.material import Material

IDENTITY = {"number", "cell", "blocks", "block", "seed"}
FEW = 6
"""Lines whose labels have room for the names of their numbers."""
SHADES = 6
"""Roles `shade 1` to this one: the order of a block's points, from light to dark."""


def learning_curves(material: Material) -> Chart:
    """One panel for each block. Raises FigureError where nothing was pretrained by the grid."""
    results = material.results()
    curves = material.curves
    if curves.is_empty():
        raise FigureError(
            "no learning curve in the store: nothing of the study was pretrained here, or before "
            "curves were found by cell; run the study again (what has finished is not run again)"
        )
    panels: list[Panel] = []
    shown: set[tuple[tuple[X, float], ...]] = set()
    for block in dict.fromkeys(results.plan["block"].to_list()):
        plan = results.where(block=block).plan
        series = _series(plan, curves, block)
        lines = {tuple((point.x, point.mean) for point in each.points) for each in series}
        # A block whose cells differ from those above in what is measured of them has no new curve.
        if lines - shown:
            shown |= lines
            panels.append(
                Panel(
                    title=block[0].upper() + block[1:],
                    subtitle=f"nats a masked token, mean of all languages{_told_lines(plan)}",
                    x_label="updates of pretraining",
                    series=series,
                )
            )
    rows = [tuple(panels[start : start + 2]) for start in range(0, len(panels), 2)]
    return chart(
        results,
        polars.DataFrame(),
        figure="learning_curves",
        after="Learning curves",
        title=f"Learning curves: {material.frame['study'][0].replace('_', ' ')}",
        blocks=tuple(dict.fromkeys(series.block for panel in panels for series in panel.series)),
        rows=rows,
        notes=[
            "Each value is the mean loss over about a hundredth of the run. A thick line is the "
            "mean of the seeds, thin ones the seeds. Losses of different tokenizers are not "
            "comparable: the masked pieces are not the same."
        ],
    )


def _series(plan: polars.DataFrame, curves: polars.DataFrame, block: str) -> tuple[Series, ...]:
    """One line for each point of a block: the mean over its seeds."""
    axes = _telling(plan)
    points: dict[tuple[Any, ...], dict[str, int]] = {}
    for row in plan.iter_rows(named=True):
        points.setdefault(tuple(row[name] for name in axes), {})[row["cell"]] = row["seed"]
    made = []
    for values, cells in points.items():
        own = curves.filter(polars.col("cell").is_in(list(cells)))
        if not own.is_empty():
            made.append((values, _points(own, cells, expected=len(cells))))
    step = max(1, len(made) - 1)
    return tuple(
        Series(
            label=_label(axes, values, few=len(made) <= FEW),
            role=f"shade {1 + round((SHADES - 1) * index / step)}",
            kind=CURVE,
            points=of,
            block=block,
        )
        for index, (values, of) in enumerate(made)
    )


def _telling(plan: polars.DataFrame) -> list[str]:
    """As few of a block's axes, in their order, as tell its points apart."""
    axes = [
        name
        for name in plan.columns
        if name not in IDENTITY and plan[name].drop_nulls().n_unique() > 1
    ]
    points = plan.select(axes).n_unique() if axes else 1
    for count in range(len(axes)):
        if count and plan.select(axes[:count]).n_unique() == points:
            return axes[:count]
    return axes


def _points(curves: polars.DataFrame, seeds: dict[str, int], expected: int) -> tuple[Point, ...]:
    """The mean over seeds at each update that all curves of the point have."""
    by_update: dict[int, dict[str, float]] = {}
    for cell, update, loss in curves.select("cell", "update", "loss").iter_rows():
        by_update.setdefault(update, {})[cell] = loss
    count = curves["cell"].n_unique()
    return tuple(
        Point(
            x=update,
            mean=mean_interval(losses.values()).mean,
            seeds={seeds[cell]: loss for cell, loss in losses.items()},
            expected_seeds=expected,
            cells=tuple(losses),
        )
        for update, losses in sorted(by_update.items())
        if len(losses) == count
    )


def _told_lines(plan: polars.DataFrame) -> str:
    """What tells the lines apart, where that is more than one thing."""
    axes = _telling(plan)
    return f"\nlines: {', '.join(map(_name, axes))}" if len(axes) > 1 else ""


def _label(axes: list[str], values: tuple[Any, ...], *, few: bool) -> str:
    """`xlm-7`; of a number also what it is, unless many lines leave no room: `batch size 48`."""
    told = []
    for axis, value in zip(axes, values, strict=True):
        text = f"{value:,}" if isinstance(value, int) else str(value)
        named = few and isinstance(value, int | float)
        told.append(f"{_name(axis)} {text}" if named else text)
    return ", ".join(told) if not few or len(", ".join(told)) <= 15 else "\n".join(told)


def _name(axis: str) -> str:
    return axis.split(".")[-1].replace("_", " ")
