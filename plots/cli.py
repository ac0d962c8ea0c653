"""`python -m plots`: draws the figures and writes the tables that a store's studies declare."""

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
Draws figures, and writes tables, from the results of the studies in a store, beside the published
numbers. Without a NAME it makes all that the studies declare, and says what is missing and which
command fills it. Writes a figure as PNG, SVG and PDF, with a JSON of every number, to
<store>/studies/<study>/<scale>/figures, a table to tables beside it, and prints their paths."""
EPILOG = """\
exit status: 0 made; 1 something could not be made from the results; 2 a mistake in the call,
or a store without results"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _make(options)
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
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a figure or a table, such as xlmr_figure_2"
    )
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
        "--layout",
        choices=("page", "single"),
        default="page",
        help="page: 7 inches wide; single: 3.3 inches, one panel under the other (default: page)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="write here (for one study and scale)"
    )
    return parser


def _make(options: argparse.Namespace) -> int:
    # Matplotlib and polars take a second to import: `--help` does without them.
    from plots.registry import FIGURES, TABLES, check_name
    from plots.studies import find_studies

    for name in options.names:
        check_name(name)
    studies = find_studies(options.store, options.study, options.scale)
    if not any(study.results_file.is_file() for study in studies):
        raise FigureError(
            "no results yet; fill them with: " + " or ".join(study.command() for study in studies)
        )
    jobs = _jobs(studies, options.names)
    if options.output is not None and len({study.folder for study, _ in jobs}) > 1:
        raise FigureError(
            "--output is for one study and scale, and here are "
            + ", ".join(sorted({f"{study.name} ({study.scale})" for study, _ in jobs}))
            + ": choose with --study and --scale"
        )
    made, failed = 0, 0
    for study, name in jobs:
        try:
            for path in _one(study, name, options):
                print(path)
            made += 1
        except FigureError as error:
            print(f"{study.name} ({study.scale}), {name}: not made: {error}", file=sys.stderr)
            failed += 1
    if not options.names and options.study is None:
        declared = {name for study in studies for name in (*study.figures, *study.tables)}
        _tell_absent([name for name in (*FIGURES, *TABLES) if name not in declared], studies)
    return 0 if made and not (failed and options.names) else 1


def _jobs(studies: list["StudyOutput"], wanted: list[str]) -> list[tuple["StudyOutput", str]]:
    """Which figures and tables to make of which study: those declared, of them those asked for."""
    from plots.registry import FIGURES, TABLES

    jobs = []
    for study in studies:
        for name in (*study.figures, *study.tables):
            if name not in FIGURES and name not in TABLES:
                print(
                    f"{study.name} ({study.scale}) declares {name}, which is unknown here; there "
                    f"are {', '.join(sorted({**FIGURES, **TABLES}))}",
                    file=sys.stderr,
                )
            elif not wanted or name in wanted:
                jobs.append((study, name))
    undeclared = [name for name in wanted if name not in {name for _, name in jobs}]
    _tell_absent([name for name in undeclared if name in TABLES], studies)
    # A figure that no study declares is tried on all: their results may hold its blocks.
    figures = [name for name in undeclared if name in FIGURES]
    return jobs + [(study, name) for name in figures for study in studies]


def _one(study: "StudyOutput", name: str, options: argparse.Namespace) -> list[Path]:
    from plots.output import write
    from plots.registry import TABLES, find, write_tables
    from plots.render import LAYOUTS

    if name in TABLES:
        folder = options.output or study.folder / "tables"
        return write_tables(study, [name], folder, lambda line: print(line, file=sys.stderr))
    chart = find(name).draw_from(study, name)
    layout = LAYOUTS[options.layout]
    paths = write(chart, study, options.output or study.folder / "figures", layout)
    _tell_missing(chart, study)
    return paths


def _tell_missing(chart: "Chart", study: "StudyOutput") -> None:
    """What the figure marks as missing, and the command that would fill it."""
    if chart.missing:
        listed = "; ".join(f"{x}: {', '.join(notes)}" for x, notes in chart.missing.items())
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


def _tell_absent(names: list[str], studies: list["StudyOutput"]) -> None:
    """Figures and tables that no study of the store declares, and the shipped study of each."""
    from plots.registry import FIGURES, TABLES
    from plots.studies import command

    for name in names:
        study = FIGURES[name].study if name in FIGURES else TABLES[name].study
        fill = command(f"studies/{study}.yaml", studies[0].scale, studies[0].store)
        print(f"{name}: not in this store yet. Fill with: {fill}", file=sys.stderr)
