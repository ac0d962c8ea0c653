"""Looks for a study file that ends in anything but a result or a message.

    python -m tests.fuzz_studies --seconds 600 --seed 1 --keep findings

Mutates the shipped and the broken studies at three levels (tokens, lines, the tree), loads each
with `grid.load`, plans it and keys its stages. Only InputError may come out, and within seconds.
What breaks that rule is written to the folder of findings, and belongs in tests/bad_studies once it
is mended.
"""

import argparse
import os
import random
import re
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import grid
from model.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "studies"
BROKEN = ROOT / "tests" / "bad_studies"
LIMIT = 20
"""Seconds of the processor that one study may take."""

_TOKEN = re.compile(r"[A-Za-z_][\w-]*|[-+]?[\d_.]+(?:e[-+]?\d+)?|\s+|.", re.DOTALL)
_ODD_TEXT = """0 -1 1e400 -0.0 .nan .inf 1e-400 null ~ true no "" [] {} [[]] {a: } - ? : | > & * ! %
    @ ` &a *a <<: !!python/object !!binary !!set 0x10 0o7 1:30 2026-01-01 ${HOME} ??? en xlm-7 all
    ../.. languages encoder.width tokenizer.vocab_size cell axes product zip union where solve
    range geom 150k 183.2M -- ... # 'a "b \\ \0 \ud7ff \u202e é 𐍈
    9999999999999999999999 1_0 __ "\\ud800" "\\0" """.split()
_ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 3, 0.5, -0.5, 1e308, 2**70, float("nan"), float("inf"), "", "en",
    "xlm-7", "no such", "\x07", "é", [], {}, [[]], [None], [{}], {"": None}, {"a": {"b": {}}},
    ["en", "en"], ["en", 3], {"range": [1, 3]}, {"range": [3, 1]}, {"geom": [1, 8, 4]}, "150k",
    "183.2M", "languages == xlm-7", "encoder.width > (", "1/0", 2**31,
]  # fmt: skip
_KEYS = """cell axes scales replicates seed figures claims blocks extends language_sets locations
    execution title source product zip union name where solve hold at within multiple_of encoder
    width layers heads tokenizer vocab_size languages corpus synthetic size tasks xnli expect says
    workers range geom commands settings""".split()


@dataclass
class Finding:
    """A study that broke the rule, and how."""

    text: str
    told: str


def mutations(texts: list[str], seed: int) -> Iterator[str]:
    """Mutated studies, without end; the same for the same texts and seed."""
    draw = random.Random(seed)
    levels: list[Callable[[str, list[str], random.Random], str]] = [_tokens, _lines, _tree]
    while True:
        text = draw.choice(texts)
        for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 6))):
            text = draw.choice(levels)(text, texts, draw)
        yield text


def _tokens(text: str, texts: list[str], draw: random.Random) -> str:
    parts = _TOKEN.findall(text)
    if not parts:
        return draw.choice(_ODD_TEXT)
    at, other = draw.randrange(len(parts)), draw.randrange(len(parts))
    how = draw.randrange(5)
    if how == 0:
        del parts[at]
    elif how == 1:
        parts.insert(at, parts[other])
    elif how == 2:
        parts[at], parts[other] = parts[other], parts[at]
    elif how == 3:
        parts[at] = draw.choice(_ODD_TEXT)
    else:
        parts.insert(at, draw.choice(_ODD_TEXT))
    return "".join(parts)


def _lines(text: str, texts: list[str], draw: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    how = draw.randrange(6)
    if how == 0:
        del lines[at]
    elif how == 1:
        lines.insert(at, lines[other])
    elif how == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif how == 3:
        lines[at] = " " * draw.randrange(1, 5) + lines[at]
    elif how == 4:
        lines[at] = lines[at].lstrip()
    else:
        lines.insert(at, draw.choice(draw.choice(texts).splitlines(keepends=True) or [""]))
    return "".join(lines)


def _tree(text: str, texts: list[str], draw: random.Random) -> str:
    try:
        tree = yaml.safe_load(text)
        places = list(_places(tree))
    except (yaml.YAMLError, RecursionError, ValueError):
        return _lines(text, texts, draw)  # a tree that holds itself, or none
    if not places:
        return _lines(text, texts, draw)
    holder, key = draw.choice(places)
    how = draw.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1:
        holder[key] = deepcopy(draw.choice(_ODD_VALUES))
    elif how == 2 and isinstance(holder, dict):
        holder[draw.choice(_KEYS)] = holder.pop(key)
    elif how == 3:
        holder[key] = [deepcopy(holder[key])] * draw.randrange(1, 3)
    elif how == 4:
        holder[key] = {draw.choice(_KEYS): deepcopy(holder[key])}
    else:
        other, name = draw.choice(places)
        holder[key] = deepcopy(other.get(name) if isinstance(other, dict) else other[:1])
    return yaml.dump(tree, allow_unicode=True, sort_keys=False)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree if _is_list(tree) else ())
    for key, value in list(items):
        yield tree, key
        yield from _places(value)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def load(file: Path, scale: str | None, store: Path) -> str | None:
    """Loads, plans and keys a study; the message of its mistake, or None if it has none."""
    try:
        study = grid.load(file, scale=scale, store=store)
        study.plan()
        study.graph()
    except InputError as error:
        return str(error)
    return None


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in whatever takes longer, by the processor's time: machines are busy."""

    def late(*_: object) -> None:
        raise TimeoutError(f"took over {seconds} s")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def texts() -> list[str]:
    """Where mutations start: shipped studies as often as broken ones."""
    shipped, broken = sorted(SHIPPED.glob("*.yaml")), sorted(BROKEN.glob("*.yaml"))
    files = [*shipped * max(1, len(broken) // len(shipped)), *broken]
    return [file.read_bytes().decode("utf-8", "replace") for file in files]


def fuzz(folder: Path, *, seed: int, seconds: float, most: int | None = None) -> Iterator[Finding]:
    """Findings as they come, until the time is over or `most` studies were tried.

    Standard error gets how many were tried, and how many of them were studies without a mistake.
    """
    for file in SHIPPED.glob("*.yaml"):
        (folder / file.name).write_bytes(file.read_bytes())
    study = folder / "fuzzed.yaml"
    draw, counts = random.Random(seed), Counter[str]()
    end = time.monotonic() + seconds
    for text in mutations(texts(), seed):
        if time.monotonic() > end or sum(counts.values()) == most:
            break
        study.write_bytes(text.encode("utf-8", "surrogatepass"))
        scale = draw.choice((None, "smoke", "laptop", "paper"))
        try:
            with limited(LIMIT):
                message = load(study, scale, folder / "runs")
            counts["without a mistake" if message is None else "with a message"] += 1
        except KeyboardInterrupt:
            raise
        except BaseException:
            counts["findings"] += 1
            yield Finding(text, f"scale {scale}\n{traceback.format_exc()}")
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(f"{sum(counts.values())} studies: {told}", file=sys.stderr)


def main() -> int:
    """The command `python -m tests.fuzz_studies`; status 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, default=Path("findings"), help="folder of findings")
    options = parser.parse_args()
    folder = options.keep.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    known: set[str] = set()
    for number, finding in enumerate(fuzz(folder, seed=options.seed, seconds=options.seconds)):
        (folder / f"{number}.found.yaml").write_bytes(finding.text.encode("utf-8", "surrogatepass"))
        (folder / f"{number}.found.txt").write_text(finding.told, encoding="utf-8")
        last = finding.told.strip().splitlines()[-1]
        if last not in known:
            known.add(last)
            print(f"{number}: {last}", flush=True)
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
