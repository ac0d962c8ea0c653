"""Training curves as SVG that fits any width: lines stretch with it, words keep their size."""

import math
from itertools import pairwise

from plots.report.facts import Facts
from plots.report.markup import Html, number, plural, tag
from plots.report.scores import label

WIDTH, HEIGHT = 1000, 400
_POINTS = 40_000
"""Points of all curves together; beyond them each curve keeps every second point, or fewer."""
_NAMED = 12
"""Points of a block that are named one by one beside their lines."""
_MANY = 40
"""Lines beyond which each is drawn thin."""


def curves_section(facts: Facts) -> Html | None:
    """A chart for each block: loss over updates, one line a cell; None without curves."""
    if not facts.curves:
        return None
    coordinates = {row["cell"]: row for row in facts.plan.iter_rows(named=True)}
    drawn = sum(
        len(facts.curves.get(cell.id, []))
        for cells in facts.study.expansion.members.values()
        for cell in cells
    )
    every = max(1, math.ceil(drawn / _POINTS))
    charts = []
    for block, cells in facts.study.expansion.members.items():
        groups: dict[str, list[str]] = {}
        for cell in (cell for cell in cells if cell.id in facts.curves):
            name = label(facts, block, coordinates[cell.id])
            groups.setdefault(name, []).append(cell.id)
        if groups:
            charts.append(_chart(facts, block, groups, every))
    return tag("div", charts, class_="curves")


def _chart(facts: Facts, block: str, groups: dict[str, list[str]], every: int) -> Html:
    """One block: a colour for each point of the grid, in the order of the study."""
    points = [point for cells in groups.values() for cell in cells for point in facts.curves[cell]]
    last = max(step for step, _ in points)
    low, high = _range([loss for _, loss in points])
    paths = [
        tag(
            "path",
            d=_path(facts.curves[cell], every, last, low, high),
            data_cell=cell,
            data_point=name,
            data_group=index,
            style=f"--at:{_place(index, len(groups)):.3f}",
        )
        for index, (name, cells) in enumerate(groups.items())
        for cell in cells
    ]
    count = sum(map(len, groups.values()))
    told = (
        f"Training loss of {plural(count, 'cell')} in the block {block} over {last:,} updates, "
        f"between {number(low, 2)} and {number(high, 2)} nats a masked token"
    )
    grid = [
        tag("path", d=f"M0 {_y(value, low, high)}H{WIDTH}", class_="grid")
        for value in _ticks(low, high)
    ]
    return tag(
        "figure",
        tag("figcaption", tag("h3", block), tag("span", "loss, nats a masked token")),
        tag(
            "div",
            tag("div", _axis_labels(low, high), class_="y", aria_hidden="true"),
            tag(
                "svg",
                grid,
                paths,
                viewBox=f"0 0 {WIDTH} {HEIGHT}",
                preserveAspectRatio="none",
                role="img",
                aria_label=told,
                data_last=last,
                data_low=low,
                data_high=high,
            ),
            tag(
                "div",
                tag("span", "0"),
                tag("span", "updates"),
                tag("span", f"{last:,}"),
                class_="x",
                aria_hidden="true",
            ),
            tag("output", class_="tip", hidden=True),
            class_="plot many" if count > _MANY else "plot",
        ),
        _legend(list(groups)),
        class_="curve",
    )


def _legend(names: list[str]) -> Html:
    """The points with their colours; each is a button that shows its lines alone."""
    if len(names) > _NAMED:
        ends = [tag("span", names[place], style=f"--at:{place and 1}") for place in (0, -1)]
        return tag("p", ends[0], " to ", ends[1], f", {len(names)} points", class_="keys")
    buttons = [
        tag(
            "button",
            name,
            type="button",
            aria_pressed="false",
            data_group=index,
            style=f"--at:{_place(index, len(names)):.3f}",
        )
        for index, name in enumerate(names)
    ]
    return tag("p", buttons, class_="keys", role="group", aria_label="Show only")


def _place(index: int, count: int) -> float:
    """Where a point stands on the colour scale, 0 to 1."""
    return index / (count - 1) if count > 1 else 0.0


def _path(curve: list[tuple[int, float]], every: int, last: int, low: float, high: float) -> str:
    """A line through every `every`th point and the last, in whole units of the drawing."""
    kept = curve[::-1][::every][::-1]
    steps = [f"{round(step / last * WIDTH)} {_y(loss, low, high)}" for step, loss in kept]
    return "M" + "L".join(steps)


def _y(value: float, low: float, high: float) -> int:
    return round((high - value) / (high - low) * HEIGHT)


def _range(losses: list[float]) -> tuple[float, float]:
    """Limits on whole ticks that hold all losses."""
    low, high = min(losses), max(losses)
    step = _step(high - low)
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    return bottom, top if top > bottom else bottom + step


def _ticks(low: float, high: float) -> list[float]:
    step = _step(high - low)
    return [low + index * step for index in range(round((high - low) / step) + 1)]


def _step(span: float) -> float:
    """A round step that divides a span into two to five parts."""
    if span <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span))
    candidates = [factor * scale for scale in (power / 10, power) for factor in (1, 2, 5)]
    return min((each for each in candidates if span / each <= 5.0), default=power)


def _axis_labels(low: float, high: float) -> list[Html]:
    ticks = _ticks(low, high)
    digits = 0 if all(float(tick).is_integer() for tick in ticks) else 1
    if any(round(a, digits) == round(b, digits) for a, b in pairwise(ticks)):
        digits = 2
    return [
        tag("span", f"{tick:.{digits}f}", style=f"top:{(high - tick) / (high - low):.2%}")
        for tick in ticks
    ]
