"""`python -m grid`: reads the call, runs one command, and turns mistakes into messages.

Standard output is the result, standard error the progress. Exit status: 0 done, 1 something failed,
2 a mistake in the call or the study. Imports nothing heavy, so that `--help` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from grid.tables import FORMATS
from model.errors import InputError

DONE, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "run": "run what is missing, then print the results and draw the figures",
    "plan": "print each cell's state, size, memory and time; runs nothing",
    "results": "print the results that are there",
    "show": "print the resolved configuration of a cell, and where each value was written",
    "status": "print which stages are done, to run or failed",
    "logs": "print the log of the latest attempt of each stage of a cell",
    "export": "write a finished cell as a folder that transformers loads",
    "import": "check a published model's folder, and print what a study needs to start from it",
}

_EXAMPLES = """\
examples:
  python -m grid run studies/curse_of_multilinguality.yaml
  python -m grid run studies/curse_of_multilinguality.yaml --scale smoke --store /tmp/trial
  python -m grid plan studies/curse_of_multilinguality.yaml blocks=all replicates.seed=[1,2,3]
  python -m grid results studies/curse_of_multilinguality.yaml --format csv > results.csv
  python -m grid show studies/curse_of_multilinguality.yaml 3

`python -m grid COMMAND --help` lists the options of a command; they mean the same everywhere."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="python -m grid",
        description="Runs studies of multilingual models: a YAML file says what varies, what is "
        "held and what is shown.",
        epilog="commands:\n"
        + "\n".join(f"  {name:<9} {text}" for name, text in COMMANDS.items())
        + f"\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="see below")
    parser.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="STUDY [key=value ...] [options]", help="below"
    )
    if not arguments:
        parser.print_help(sys.stderr)
        return MISTAKE
    command = parser.parse_args(arguments[:1] if arguments[0] in COMMANDS else arguments).command
    options = _parser(command).parse_intermixed_args(arguments[1:])
    return _guarded(lambda: _command(command)(options))


def _parser(command: str) -> argparse.ArgumentParser:
    """The options of one command. Positional arguments and options may come in any order."""
    parser = argparse.ArgumentParser(
        prog=f"python -m grid {command}", description=f"{COMMANDS[command].capitalize()}."
    )
    if command == "import":
        parser.add_argument("folder", metavar="DIR", type=Path, help="config.json, weights, ...")
        return parser
    parser.add_argument("study", metavar="STUDY", type=Path, help="a study's YAML file")
    if command in ("show", "logs", "export"):
        parser.add_argument(
            "cell", metavar="CELL", help="a cell's id, its beginning, or its number in the plan"
        )
    if command == "export":
        parser.add_argument("folder", metavar="DIR", type=Path, help="a new or empty folder")
        parser.add_argument("--force", action="store_true", help="replace the model in DIR")
        parser.add_argument(
            "--dtype", choices=("fp32", "bf16"), default="fp32", help="of weights (%(default)s)"
        )
        parser.add_argument(
            "--milestone", metavar="N", type=_positive, help="weights after update N, not the last"
        )
    parser.add_argument(
        "overrides",
        metavar="key=value",
        nargs="*",
        default=[],
        help="a path in the study file and a value in YAML: cell.pretraining.updates=10, "
        "replicates.seed=[1], blocks=all, locations.cc100=DIR, language_sets=FILE; run, plan, "
        "results and status also take more studies here, which then share their stages",
    )
    parser.add_argument(
        "--scale", help="the scale of the study to take: smoke, laptop, paper, ... (laptop)"
    )
    parser.add_argument(
        "--store", metavar="DIR", type=Path, help="folder of all output ($GRID_STORE, or runs)"
    )
    parser.add_argument(
        "--site",
        metavar="FILE",
        type=Path,
        help="locations, execution and store of this machine (grid.yaml in this folder)",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=_positive,
        help="stages that run side by side (one for each core)",
    )
    if command == "plan":
        parser.add_argument(
            "--device-profile",
            metavar="NAME",
            help="the device to price for: cpu, v100, a100, h100 or h200 (execution.profile)",
        )
    parser.add_argument(
        "--format", choices=FORMATS, default="table", help="of what is printed (%(default)s)"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, found {text!r}")
    return int(text)


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    from grid import commands, model_commands

    return {
        "run": commands.run,
        "plan": commands.plan,
        "results": commands.results,
        "show": commands.show,
        "status": commands.status,
        "logs": commands.logs,
        "export": model_commands.export,
        "import": model_commands.import_,
    }[name]


def _guarded(command: Callable[[], int]) -> int:
    """Turns what may end a command early into a message and an exit status."""
    try:
        status = command()
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return MISTAKE
    except PermissionError as error:
        print(
            f"error: {error.filename}: permission denied. Make it readable for this user",
            file=sys.stderr,
        )
        return MISTAKE
    except KeyboardInterrupt:
        print(
            "interrupted: finished work is kept; run the same command again to go on",
            file=sys.stderr,
        )
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does: nothing is left to be said. Python
        # would complain when it flushes standard output at exit, so that goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
