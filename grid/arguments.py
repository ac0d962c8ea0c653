"""What the commands of `python -m grid` take: positional arguments and options, by name."""

import argparse
from pathlib import Path
from typing import Any

from grid.tables import FORMATS


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, found {text!r}")
    return int(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number of days, found {text!r}")
    return days


def _hours(text: str) -> float:
    """`90m`, `2h` or `1.5`: hours."""
    unit = 60.0 if text.endswith("m") else 1.0
    try:
        hours = float(text.removesuffix("m").removesuffix("h")) / unit
    except ValueError:
        hours = -1.0
    if not 0 <= hours < 1e9:
        told = "expected device hours, such as 2h or 90m"
        raise argparse.ArgumentTypeError(f"{told}, found {text!r}")
    return hours


ARGUMENTS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "study": (("study",), {"metavar": "STUDY", "type": Path, "help": "a study's YAML file"}),
    "cell": (
        ("cell",),
        {
            "metavar": "CELL",
            "help": "a cell's id, its beginning, or its number in the plan",
        },
    ),
    "overrides": (
        ("overrides",),
        {
            "metavar": "key=value",
            "nargs": "*",
            "default": [],
            "help": "a path in the study file and a value in YAML: cell.pretraining.updates=10, "
            "replicates.seed=[1], blocks=all, locations.cc100=DIR, language_sets=FILE",
        },
    ),
    "device_profile": (
        ("--device-profile",),
        {
            "metavar": "NAME",
            "help": "the device to price for: cpu, v100, a100, h100 or h200 (execution.profile)",
        },
    ),
    "folder": (("folder",), {"metavar": "DIR", "type": Path, "help": "a model's folder"}),
    "force": (("--force",), {"action": "store_true", "help": "replace the model in DIR"}),
    "dtype": (
        ("--dtype",),
        {"choices": ("fp32", "bf16"), "default": "fp32", "help": "of weights (%(default)s)"},
    ),
    "milestone": (
        ("--milestone",),
        {"metavar": "N", "type": _positive, "help": "weights after update N, not the last"},
    ),
    "folders": (
        ("folders",),
        {
            "metavar": "DIR",
            "nargs": "+",
            "type": Path,
            "help": "the folder of an artifact, or a whole store; key=value: for --study",
        },
    ),
    "studies": (
        ("studies",),
        {
            "metavar": "STUDY",
            "nargs": "*",
            "type": Path,
            "help": "studies whose artifacts stay, besides those that have run in this store",
        },
    ),
    "shell": (("shell",), {"choices": ("bash", "zsh"), "help": "the shell"}),
    "typed": (("typed",), {"nargs": "*", "help": "the words so far"}),
    "scale": (
        ("--scale",),
        {"help": "the scale of the study to take: smoke, laptop, paper, ... (laptop)"},
    ),
    "store": (
        ("--store",),
        {"metavar": "DIR", "type": Path, "help": "folder of all output ($GRID_STORE, or runs)"},
    ),
    "site": (
        ("--site",),
        {
            "metavar": "FILE",
            "type": Path,
            "help": "locations, execution, commands and store of this machine (grid.yaml in this "
            "folder)",
        },
    ),
    "workers": (
        ("--workers",),
        {
            "metavar": "N",
            "type": _positive,
            "help": "stages that run side by side (one for each core)",
        },
    ),
    "launcher": (
        ("--launcher",),
        {
            "choices": ("local", "slurm"),
            "default": "local",
            "help": "what runs the stages: this machine, or job arrays on Slurm, which wants a "
            "--scale (%(default)s)",
        },
    ),
    "dry_run": (
        ("--dry-run",),
        {"action": "store_true", "help": "with slurm: print the job scripts and submit nothing"},
    ),
    "format": (
        ("--format",),
        {"choices": FORMATS, "default": "table", "help": "of what is printed (%(default)s)"},
    ),
    "tasks": (
        ("--tasks",),
        {"action": "store_true", "help": "each task by language, with intervals over seeds"},
    ),
    "settle": (
        ("--settle",),
        {
            "action": "store_true",
            "help": "add seeds for claims that are undecided, the cheapest first",
        },
    ),
    "budget": (
        ("--budget",),
        {"metavar": "HOURS", "type": _hours, "help": "device hours for --settle: 2h, 90m"},
    ),
    "most_seeds": (
        ("--most-seeds",),
        {"metavar": "N", "type": _positive, "help": "seeds that --settle takes a claim to (12)"},
    ),
    "follow": (
        ("--follow",),
        {"action": "store_true", "help": "go on printing until the running attempts end"},
    ),
    "watch": (
        ("--watch",),
        {"action": "store_true", "help": "go on until nothing runs or waits, then print the end"},
    ),
    "resubmit": (
        ("--resubmit",),
        {
            "action": "store_true",
            "help": "submit to Slurm again what was lost, or ran out of memory or time",
        },
    ),
    "where": (
        ("--where",),
        {
            "metavar": "CONDITION",
            "help": "only of cells that fulfil it, as in a block's where: 'seed == 2', "
            "'count(languages) > 30'",
        },
    ),
    "delete": (("--delete",), {"action": "store_true", "help": "remove it; else only print it"}),
    "quick": (
        ("--quick",),
        {
            "action": "store_true",
            "help": "names and sizes of artifacts' files only",
        },
    ),
    "keep_days": (
        ("--keep-days",),
        {
            "metavar": "DAYS",
            "type": _days,
            "default": 7.0,
            "help": "keep whatever is younger (%(default)s)",
        },
    ),
    "study_option": (
        ("--study",),
        {"metavar": "STUDY", "type": Path, "help": "take only what this study needs"},
    ),
}
"""The flags of each argument, and how it is read; one that several commands take means the same."""
