"""Writes a figure: PNG, SVG and PDF, and a JSON of what it is made from and what it shows."""

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars

from grid.environment import revision
from plots import style
from plots.chart import Chart
from plots.errors import FigureError
from plots.render import PAGE, Layout, render
from plots.studies import StudyOutput

PACKAGES = ("matplotlib", "numpy", "polars")
SHOWN = ("pretraining", "evaluation", "finetuning", "retrieval", "command", "checkpoint")
"""Stages whose keys stand in a sidecar: the scores that are shown, and the models behind them."""


def write(chart: Chart, study: StudyOutput, folder: Path, layout: Layout = PAGE) -> list[Path]:
    """Draws `chart` into `folder`/<figure>.{png,svg,pdf,json}; the same input, the same bytes.

    In another layout than the page the name has the layout's after it: `xlmr_figure_2_single`.
    """
    stem = chart.figure if layout == PAGE else f"{chart.figure}_{layout.name}"
    try:
        study.prepare(folder)
        paths = style.save(render(chart, layout), folder / stem)
        beside = folder / f"{stem}.json"
        text = json.dumps(sidecar(chart, study), indent=1, sort_keys=True, ensure_ascii=False)
        beside.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise FigureError(
            f"{folder}: the figure cannot be written ({error.strerror or error}): name another "
            "folder with --output"
        ) from None
    return [*paths, beside]


def sidecar(chart: Chart, study: StudyOutput) -> dict[str, Any]:
    """The figure's origin and every number in it."""
    rows = [[asdict(panel) for panel in row] for row in chart.rows]
    return {
        "figure": chart.figure,
        "title": chart.title,
        "synthetic": chart.badge,
        **chart.facts,
        "keys": _keys(study.provenance(), chart.facts["cells"]),
        "revision": revision(),
        "study_file": study.path,
        "results": study.results_file.relative_to(study.store).as_posix(),
        "results_sha256": study.results_sha256(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "claims": [asdict(claim) for claim in chart.claims],
        "missing": chart.missing,
        "absent_blocks": list(chart.absent_blocks),
        "footer": list(chart.footer),
        "rows": rows,
    }


def _keys(provenance: polars.DataFrame, cells: list[str]) -> dict[str, dict[str, str]]:
    """The key of each cell's models and scores, by role."""
    rows = provenance.filter(
        polars.col("cell").is_in(cells) & polars.col("stage").is_in(SHOWN)
    ).sort("cell", "role")
    keys: dict[str, dict[str, str]] = {}
    for cell, role, key in rows.select("cell", "role", "key").iter_rows():
        keys.setdefault(cell, {})[role] = key
    return keys
