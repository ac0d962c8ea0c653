"""Writes a figure: PNG, SVG and PDF, and a JSON of what it is made from and what it shows."""

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plots import style
from plots.chart import Chart
from plots.errors import FigureError
from plots.render import render
from plots.studies import StudyOutput

PACKAGES = ("matplotlib", "numpy", "polars")


def write(chart: Chart, study: StudyOutput, folder: Path) -> list[Path]:
    """Draws `chart` into `folder`/<figure>.{png,svg,pdf,json}; the same input, the same bytes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = style.save(render(chart), folder / chart.figure)
        beside = folder / f"{chart.figure}.json"
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
    return {
        "figure": chart.figure,
        "title": chart.title,
        "synthetic": chart.badge,
        **chart.facts,
        "study_file": study.path,
        "results": study.results_file.relative_to(study.store).as_posix(),
        "results_sha256": study.results_sha256(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "missing": {str(x): notes for x, notes in chart.missing.items()},
        "absent_blocks": list(chart.absent_blocks),
        "footer": list(chart.footer),
        "rows": [[asdict(panel) for panel in row] for row in chart.rows],
    }
