"""Completion in a shell: what may come next on the command line, and the scripts that ask for it.

The scripts know nothing: they call `python -m grid complete WORDS...` and offer what it prints, so
that commands, options, scales and cells are always those of this version and of the study at hand.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from grid.cli import COMMANDS, command_parser
from model.errors import InputError

_CELL_WORDS = ("show", "logs", "retry", "why")
_STUDY_FILES = (".yaml", ".yml")
_SITE_FILES = {"site": _STUDY_FILES}

BASH = """\
# Completion of `python -m grid` and `multilingual-grid` in bash. In ~/.bashrc:
#   source <(python -m grid completion bash)
_multilingual_grid() {
    local program first
    if [[ $1 == *python* ]]; then
        if [[ ${COMP_WORDS[1]} != -m || ${COMP_WORDS[2]} != grid ]]; then
            COMPREPLY=()
            return
        fi
        program=("$1" -m grid) first=3
    else
        program=("$1") first=1
    fi
    local IFS=$'\\n'
    COMPREPLY=($("${program[@]}" complete "${COMP_WORDS[@]:first:COMP_CWORD-first+1}" 2>/dev/null))
    [[ ${COMPREPLY[0]} == *[=/] ]] && compopt -o nospace
}
complete -o bashdefault -o default -F _multilingual_grid multilingual-grid python python3
"""

ZSH = """\
# Completion of `python -m grid` and `multilingual-grid` in zsh. In ~/.zshrc, after compinit:
#   source <(python -m grid completion zsh)
_multilingual_grid() {
    local -a program found
    local first
    if [[ $words[1] == *python* ]]; then
        if [[ $words[2] != -m || $words[3] != grid ]]; then
            _files
            return
        fi
        program=($words[1] -m grid) first=4
    else
        program=($words[1]) first=2
    fi
    found=(${(f)"$($program complete ${words[first,CURRENT]} 2>/dev/null)"})
    if [[ $found[1] == *[=/] ]]; then
        compadd -S '' -- $found
    else
        compadd -- $found
    fi
}
compdef _multilingual_grid multilingual-grid python python3
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH}


def candidates(words: Sequence[str]) -> list[str]:
    """What the last word may become, after the others. A study with a mistake offers nothing."""
    *before, current = words or [""]
    if not before:
        shown = [name for name, command in COMMANDS.items() if not command.hidden]
        return _beginning(current, shown)
    name, *rest = before
    if name not in COMMANDS or COMMANDS[name].hidden:
        return []
    actions = _options(name)
    if rest and rest[-1] in actions and actions[rest[-1]].nargs != 0:
        return _values(actions[rest[-1]], rest, current)
    if current.startswith("-"):
        return _beginning(current, actions)
    return _positional(name, _plain(rest, actions), rest, current)


def _positional(name: str, given: list[str], rest: Sequence[str], current: str) -> list[str]:
    takes = COMMANDS[name].takes
    if "shell" in takes:
        return _beginning(current, SCRIPTS)
    if "folders" in takes:
        return _files(current, ())
    if "studies" in takes or not given:
        return _files(current, _STUDY_FILES) if "study" in takes or _takes_words(name) else []
    study = _load(Path(given[0]), rest)
    found = _paths(current) if "overrides" in takes else []
    if study is None or name not in _CELL_WORDS:
        return found
    cells = [cell.id for cell in study.cells]  # type: ignore[attr-defined]
    if name in ("logs", "retry"):
        from grid.declarations import STAGES

        cells += list(STAGES)
    return [*_beginning(current, cells), *found]


def _takes_words(name: str) -> bool:
    return name == "why" or "studies" in COMMANDS[name].takes


def _options(name: str) -> dict[str, argparse.Action]:
    actions = command_parser(name)._actions
    return {flag: action for action in actions for flag in action.option_strings}


def _values(action: argparse.Action, rest: Sequence[str], current: str) -> list[str]:
    if action.choices is not None:
        return _beginning(current, map(str, action.choices))
    if action.dest == "scale":
        files = [word for word in rest if Path(word).suffix in _STUDY_FILES]
        return _beginning(current, _scales(Path(files[0])) if files else [])
    if action.type is Path:
        return _files(current, _SITE_FILES.get(action.dest, ()))
    return []


def _plain(words: Iterable[str], actions: dict[str, argparse.Action]) -> list[str]:
    """The words that are neither options, nor their values, nor overrides."""
    found, value = [], False
    for word in words:
        if value:
            value = False
        elif word.startswith("-"):
            value = word in actions and actions[word].nargs != 0
        elif "=" not in word:
            found.append(word)
    return found


def _scales(file: Path) -> list[str]:
    from grid.layers import scales_of

    try:
        return scales_of(file if file.is_absolute() else Path.cwd() / file)
    except InputError:
        return []


def _load(file: Path, rest: Sequence[str]) -> object | None:
    import grid

    scale = rest[rest.index("--scale") + 1] if "--scale" in rest[:-1] else None
    try:
        return grid.load(file, *(word for word in rest if "=" in word), scale=scale)
    except InputError:
        return None


def _paths(current: str) -> list[str]:
    """Overrides: the keys of a study, and the paths below `cell` once that is typed."""
    from grid.layers import LAYER_KEYS
    from grid.schema import leaf_paths

    if "=" in current:
        return []
    if not current.startswith("cell."):
        keys = _beginning(current, [key for key in LAYER_KEYS if key not in ("title", "source")])
        return ["cell."] if keys == ["cell"] else [f"{key}=" for key in keys if current]
    return _beginning(current, [f"cell.{path}=" for path in leaf_paths()])


def _files(current: str, endings: tuple[str, ...]) -> list[str]:
    """Folders, and files of these endings (of any, if there are none)."""
    folder, _, beginning = current.rpartition("/")
    place = Path(f"{folder}/" if folder or current.startswith("/") else ".").expanduser()
    if not place.is_dir():
        return []
    found = []
    for path in sorted(place.iterdir()):
        if not path.name.startswith(beginning) or (path.name[0] == "." and not beginning):
            continue
        name = f"{folder}/{path.name}" if folder or current.startswith("/") else path.name
        if path.is_dir():
            found.append(f"{name}/")
        elif not endings or path.suffix in endings:
            found.append(name)
    return found


def _beginning(current: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(current)]
