"""TEST DATA: a store's study folder as `python -m grid run` leaves it, around made-up results."""

import json
from pathlib import Path

import polars

FIGURES = ("xlmr_figure_2", "xlmr_figure_4")


def fill(
    store: Path,
    frame: polars.DataFrame | None,
    *,
    name: str = "curse_of_multilinguality",
    scale: str = "laptop",
    figures: tuple[str, ...] = FIGURES,
    plan: polars.DataFrame | None = None,
) -> Path:
    """Writes study.json, results and plan; returns the study's folder."""
    folder = store / "studies" / name / scale
    folder.mkdir(parents=True)
    description = {
        "name": name,
        "title": "The curse of multilinguality",
        "source": "Conneau et al. 2020",
        "scale": scale,
        "figures": list(figures),
        "path": f"studies/{name}.yaml",
    }
    (folder / "study.json").write_text(json.dumps(description), encoding="utf-8")
    if frame is not None:
        frame.write_parquet(folder / "results.parquet")
    if plan is not None:
        plan.write_parquet(folder / "plan.parquet")
    return folder
