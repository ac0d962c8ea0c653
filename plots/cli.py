"""`python -m plots`: draws the figures that the studies of a store declare."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import InputError
from plots.errors import FigureError

if TYPE_CHECKING:
    from plots.chart import Chart
    from plots.studies import StudyOutput

DESCRIPTION = """\
Draws figures from the results of the studies in a store, beside the published points.
Without a FIGURE it draws all that the studies declare. Writes PNG, SVG, PDF and a JSON with every
number to <store>/studies/<study>/<scale>/figures, and prints their paths."""
EPILOG = """\
exit status: 0 drawn; 1 a figure could not be drawn from the results; 2 a mistake in the call,
or a store without results"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _draw(options)
    except InputError as error:
        print(f"plots: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m plots",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help="such as xlmr_figure_2")
    parser.add_argument(
        "--store",
        type=Path,
        default=Path(os.environ.get("GRID_STORE", "runs")),
        metavar="DIR",
        help="where the studies ran (GRID_STORE; default: runs)",
    )
    parser.add_argument("--study", metavar="NAME", help="only this study")
    parser.add_argument("--scale", metavar="SCALE", help="only this scale")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="write here (for one study and scale)"
    )
    return parser


def _draw(options: argparse.Namespace) -> int:
    # Matplotlib and polars take a second to import: `--help` does without them.
    from plots.registry import FIGURES, find
    from plots.studies import find_studies

    for name in options.figures:
        find(name)
    studies = find_studies(options.store, options.study, options.scale)
    if not any(study.results_file.is_file() for study in studies):
        raise FigureError(
            "no results yet; fill them with: " + " or ".join(study.command() for study in studies)
        )
    jobs = _jobs(studies, options.figures, set(FIGURES))
    if options.output is not None and len({study.folder for study, _ in jobs}) > 1:
        raise FigureError(
            "--output is for one study and scale, and here are "
            + ", ".join(sorted({f"{study.name} ({study.scale})" for study, _ in jobs}))
            + ": choose with --study and --scale"
        )
    drawn, failed = 0, 0
    for study, name in jobs:
        try:
            for path in _one(study, name, options.output):
                print(path)
            drawn += 1
        except FigureError as error:
            print(f"{study.name} ({study.scale}), {name}: not drawn: {error}", file=sys.stderr)
            failed += 1
    return 0 if drawn and not (failed and options.figures) else 1


def _jobs(
    studies: list["StudyOutput"], wanted: list[str], known: set[str]
) -> list[tuple["StudyOutput", str]]:
    """Which figures to draw of which study: those declared, and of them those asked for."""
    jobs = []
    for study in studies:
        for name in study.figures:
            if name not in known:
                print(
                    f"{study.name} ({study.scale}) declares {name}, which cannot be drawn yet; "
                    f"there are {', '.join(sorted(known))}",
                    file=sys.stderr,
                )
            elif not wanted or name in wanted:
                jobs.append((study, name))
    undeclared = [name for name in wanted if name not in {name for _, name in jobs}]
    # A figure that no study declares is tried on all: their results may hold its blocks.
    return jobs + [(study, name) for name in undeclared for study in studies]


def _one(study: "StudyOutput", name: str, output: Path | None) -> list[Path]:

    from plots.output import write
    from plots.published import load_published
    from plots.registry import find

    entry = find(name)
    chart = entry.chart(study.results(), load_published(entry.reference), study.plan())
    paths = write(chart, study, output or study.folder / "figures")
    _tell_missing(chart, study)
    return paths


def _tell_missing(chart: "Chart", study: "StudyOutput") -> None:
    """What the figure marks as missing, and the command that would fill it."""
    if chart.missing:
        listed = "; ".join(f"{x} languages: {', '.join(n)}" for x, n in chart.missing.items())
        print(f"{chart.figure}: {listed}. Fill with: {study.command()}", file=sys.stderr)
    plan = study.plan()
    blocks = set() if plan is None else {name for row in plan["blocks"] for name in row.split(", ")}
    for names, overrides in (
        ([name for name in chart.absent_blocks if name in blocks], ()),
        ([name for name in chart.absent_blocks if name not in blocks], ("blocks=all",)),
    ):
        if names:
            print(
                f"{chart.figure}: without {', '.join(names)}. Add with: "
                f"{study.command(*overrides)}",
                file=sys.stderr,
            )
