"""The published numbers in `plots/reference`, read as they are kept there."""

from pathlib import Path

import polars

from plots.chart import Point
from plots.errors import FigureError

FOLDER = Path(__file__).with_name("reference")


def load_published(name: str) -> polars.DataFrame:
    """`plots/reference/<name>.csv`, every column as text: a few values are no numbers (`>3`)."""
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.csv")))
        raise FigureError(f"plots/reference has no {name}.csv; it has {known}")
    return polars.read_csv(path, infer_schema=False)


def published_points(
    reference: polars.DataFrame, series: str, change_from: int | None = None
) -> tuple[Point, ...]:
    """The values of one published series over its x, or their changes from `change_from`.

    Empty where the series is not there, or was not published at `change_from`.
    """
    rows = reference.filter(polars.col("series") == series)
    values = {int(row["x"]): float(row["value"]) for row in rows.iter_rows(named=True)}
    if change_from is not None:
        if change_from not in values:
            return ()
        values = {x: value - values[change_from] for x, value in values.items()}
    return tuple(Point(x=x, mean=round(values[x], 6)) for x in sorted(values))
