"""`schema` and `completion`: what editors and shells need to know of studies and commands."""

import json
import sys
from argparse import Namespace

from grid.cli import DONE


def schema(options: Namespace) -> int:
    """Prints the JSON Schema of study files."""
    from grid.json_schema import study_schema

    sys.stdout.write(json.dumps(study_schema(), indent=1, ensure_ascii=False) + "\n")
    return DONE


def completion(options: Namespace) -> int:
    """Prints the completion script of a shell."""
    from grid.completion import SCRIPTS

    sys.stdout.write(SCRIPTS[options.shell])
    return DONE


def complete(options: Namespace) -> int:
    """Prints what the last of the words may become, one a line."""
    from grid.completion import candidates

    for word in candidates(options.typed):
        print(word)
    return DONE
