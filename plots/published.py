"""The published numbers in `plots/reference`, read as they are kept there."""

from collections.abc import Callable
from pathlib import Path

import polars

from plots.chart import Point, X
from plots.errors import FigureError

FOLDER = Path(__file__).with_name("reference")


def load_published(name: str) -> polars.DataFrame:
    """`plots/reference/<name>.csv`, every column as text: a few values are no numbers (`>3`)."""
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.csv")))
        raise FigureError(f"plots/reference has no {name}.csv; it has {known}")
    return polars.read_csv(path, infer_schema=False)


def published(
    reference: polars.DataFrame,
    series: str,
    x: Callable[[str], X] = int,
    *,
    drawn: bool = True,
) -> dict[X, float]:
    """The values of one published series by x, in the file's order.

    drawn: those read off a figure; otherwise those that the text or a table states. A value that
    is no number (`~0.1 or less`) has no place on an axis and is left out.
    """
    from_figure = polars.col("figure").str.starts_with("Fig")
    rows = reference.filter(
        (polars.col("series") == series) & (from_figure if drawn else ~from_figure)
    )
    numbers = rows.filter(polars.col("value").cast(polars.Float64, strict=False).is_not_null())
    return {x(row["x"]): float(row["value"]) for row in numbers.iter_rows(named=True)}


def points(values: dict[X, float], base: dict[X, float] | None = None) -> tuple[Point, ...]:
    """Published values as points, or their differences from `base` where that has the x."""
    if base is None:
        return tuple(Point(x=x, mean=value) for x, value in values.items())
    return tuple(
        Point(x=x, mean=round(value - base[x], 6)) for x, value in values.items() if x in base
    )
