"""`python -m grid`: reads the call, runs one command, and turns mistakes into messages.

Standard output is the result, standard error the progress. Exit status: 0 done, 1 something failed,
2 a mistake in the call or the study, 130 interrupted. Imports nothing heavy, so that `--help` and
completion answer at once.
"""

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from grid.arguments import ARGUMENTS
from grid.printing import SafeTerminal, safe
from model.errors import InputError

DONE, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command: what it does, where its function of that name is, and what it takes."""

    does: str
    module: str
    """Module of grid.commands; with a dot, of a package that grid knows by name only."""
    takes: tuple[str, ...]
    """Positional arguments and options, by their names in `grid.arguments`."""
    words: str = ""
    """Words that may stand among the overrides, for the help: `[CELL|STAGE]`."""
    most: int = 0
    """How many such words there may be."""
    least: int = 0
    several: bool = False
    """Whether more studies may stand among the overrides."""
    hidden: bool = False


_PLACE = ("scale", "store", "site")
_STUDY = ("study", "overrides", *_PLACE, "format")
_CELL = ("study", "cell", "overrides", *_PLACE, "format")

COMMANDS = {
    "run": Command(
        does="run what is missing, then print the results and draw the figures",
        module="studies",
        takes=(*_STUDY, "workers", "launcher", "dry_run"),
        several=True,
    ),
    "plan": Command(
        does="print each cell's state, size, memory and time; runs nothing",
        module="studies",
        takes=(*_STUDY, "device_profile"),
        several=True,
    ),
    "results": Command(
        does="print the results that are there",
        module="studies",
        takes=(*_STUDY, "tasks"),
        several=True,
    ),
    "claims": Command(
        does="judge the study's claims on its results; with --settle add seeds until decided",
        module="claims",
        takes=(*_STUDY, "settle", "budget", "most_seeds", "workers", "launcher", "dry_run"),
        several=True,
    ),
    "show": Command(
        does="print the resolved configuration of a cell, and where each value was written",
        module="studies",
        takes=_CELL,
    ),
    "report": Command(
        does="write one HTML page with all that there is of a study, and print its path",
        module="plots.report.command",
        takes=("study", "overrides", *_PLACE),
    ),
    "status": Command(
        does="print what is done, runs with which progress, waits, and failed for which cause",
        module="progress",
        takes=(*_STUDY, "watch"),
        several=True,
    ),
    "wait": Command(
        does="wait until all is done, or nothing more happens by itself",
        module="jobs",
        takes=("study", "overrides", *_PLACE, "resubmit"),
        several=True,
    ),
    "cancel": Command(
        does="cancel the study's jobs on Slurm, all of them or those of some cells",
        module="jobs",
        takes=("study", "overrides", *_PLACE, "where"),
    ),
    "logs": Command(
        does="print the latest log of a cell's stages, or of a stage",
        module="progress",
        takes=("study", "overrides", *_PLACE, "follow"),
        words="CELL|STAGE",
        least=1,
        most=1,
    ),
    "retry": Command(
        does="run again what failed, and what waits for it",
        module="progress",
        takes=(*_STUDY, "workers", "launcher", "dry_run"),
        words="[CELL|STAGE]",
        most=1,
    ),
    "why": Command(
        does="print the fields in which two cells or artifacts differ, or why a study no longer "
        "uses what it had",
        module="identity",
        takes=("overrides", *_PLACE, "format"),
        words="STUDY [CELL CELL] | ARTIFACT ARTIFACT",
        least=1,
        most=3,
    ),
    "adopt": Command(
        does="take artifacts that were made elsewhere, checked against their manifests",
        module="housekeeping",
        takes=("folders", "study_option", *_PLACE),
    ),
    "verify": Command(
        does="check every artifact of the store byte by byte, and name what depends on damage",
        module="housekeeping",
        takes=("quick", "store", "site", "format"),
    ),
    "prune": Command(
        does="print what no study needs any more, and with --delete remove it",
        module="housekeeping",
        takes=("studies", "delete", "keep_days", *_PLACE, "format"),
    ),
    "doctor": Command(
        does="check the environment, this machine, the store and the site file",
        module="housekeeping",
        takes=("store", "site", "format"),
    ),
    "export": Command(
        does="write a finished cell as a folder that transformers loads",
        module="models",
        takes=("study", "cell", "folder", "force", "dtype", "milestone", "overrides", *_PLACE),
    ),
    "import": Command(
        does="check a published model's folder, and print what a study needs to start from it",
        module="models",
        takes=("folder",),
    ),
    "schema": Command(
        does="print the JSON Schema of study files, for an editor", module="editors", takes=()
    ),
    "completion": Command(
        does="print the completion script of a shell", module="editors", takes=("shell",)
    ),
    "complete": Command(
        does="print what may come next; for the completion scripts",
        module="editors",
        takes=("typed",),
        hidden=True,
    ),
}

_EXAMPLES = """\
examples:
  python -m grid run studies/curse_of_multilinguality.yaml
  python -m grid run studies/curse_of_multilinguality.yaml --scale smoke --store /tmp/trial
  python -m grid plan studies/curse_of_multilinguality.yaml blocks=all replicates.seed=[1,2,3]
  python -m grid results studies/curse_of_multilinguality.yaml --format csv > results.csv
  python -m grid show studies/curse_of_multilinguality.yaml 3
  python -m grid why studies/curse_of_multilinguality.yaml 1 2

`python -m grid COMMAND --help` lists the options of a command; they mean the same everywhere."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments:
        _top().print_help(sys.stderr)
        return MISTAKE
    name = arguments[0] if arguments[0] in COMMANDS else _top().parse_args(arguments).command
    if name == "complete":  # what it is given may look like options, and is not meant for it
        options = argparse.Namespace(typed=arguments[1:])
    else:
        options = _options(name, arguments[1:])
    if sys.stdout.isatty():
        sys.stdout = SafeTerminal(sys.stdout)
    return _guarded(lambda: _function(name)(options))


def _top() -> argparse.ArgumentParser:
    shown = {name: command for name, command in COMMANDS.items() if not command.hidden}
    parser = argparse.ArgumentParser(
        prog="python -m grid",
        description="Runs studies of multilingual models: a YAML file says what varies, what is "
        "held and what is shown.",
        epilog="commands:\n"
        + "\n".join(f"  {name:<10} {command.does}" for name, command in shown.items())
        + f"\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=shown, metavar="COMMAND", help="see below")
    parser.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="STUDY [key=value ...] [options]", help="below"
    )
    return parser


def _options(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """The options of one command. Positional arguments and options may come in any order."""
    command, parser = COMMANDS[name], command_parser(name)
    options = parser.parse_intermixed_args(arguments)
    if "overrides" in command.takes:
        mixed = options.overrides
        options.overrides = [word for word in mixed if "=" in word or not command.most]
        options.words = [word for word in mixed if word not in options.overrides]
        if not command.least <= len(options.words) <= command.most:
            found = " ".join(options.words) or "nothing"
            parser.error(f"expected {command.words or 'no more words'}, found {found}")
    return options


def command_parser(name: str) -> argparse.ArgumentParser:
    """The parser of one command's arguments."""
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(
        prog=f"python -m grid {name}",
        description=f"{command.does[0].upper()}{command.does[1:]}.",
    )
    for argument in command.takes:
        flags, how = ARGUMENTS[argument]
        if argument == "overrides" and command.words:
            how = {**how, "metavar": f"{command.words} key=value"}
        if argument == "overrides" and command.several:
            how = {**how, "help": f"{how['help']}; or more studies, which share their stages"}
        parser.add_argument(*flags, **how)
    return parser


def _function(name: str) -> Callable[[argparse.Namespace], int]:
    place = COMMANDS[name].module
    module = importlib.import_module(place if "." in place else f"grid.commands.{place}")
    # A command may be called by a word of Python's own: `import` is `import_`.
    known = name if hasattr(module, name) else f"{name}_"
    function: Callable[[argparse.Namespace], int] = getattr(module, known)
    return function


def _guarded(command: Callable[[], int]) -> int:
    """Turns what may end a command early into a message and an exit status."""
    try:
        status = command()
        sys.stdout.flush()
        return status
    except InputError as error:
        print(safe(f"error: {error}"), file=sys.stderr)
        return MISTAKE
    except PermissionError as error:
        print(
            f"error: {error.filename}: permission denied. Make it readable for this user",
            file=sys.stderr,
        )
        return MISTAKE
    except KeyboardInterrupt as error:
        print(str(error) or "Interrupted: the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `head` does: all is said
        _discard_output()
        return DONE
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS):
            raise
        _discard_output()
        nameless = "a disk or network" if error.errno == errno.EIO else "standard output"
        print(f"error: {error.filename or nameless}: {error.strerror}", file=sys.stderr)
        return FAILED


def _discard_output() -> None:
    """What Python flushes at exit goes nowhere: it would complain once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
