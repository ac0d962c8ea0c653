"""Lets faults strike a study at seeded points and prints what came of it.

python -m tests.faults --points 500 --seed 1
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.faults import injector, quick_graph, quick_study, smoke_study
from tests.faults.campaign import FAILS, KILLED, Found, Point, draw, strike
from tests.faults.disasters import DISASTERS, unavailable

BENCHES = {"study": quick_study.bench, "graph": quick_graph.bench, "smoke": smoke_study.bench}
"""What is disturbed."""
_COLUMNS: dict[str, Callable[[Found], str]] = {
    "fault": lambda each: each.point.kind,
    "command": lambda each: each.point.command,
    "process": lambda each: each.point.role,
    "call": lambda each: each.point.call,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Status 1 if a fault has broken something."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--bench", choices=BENCHES, default="study")
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    known = ", ".join([*KILLED, *FAILS, *DISASTERS])
    parser.add_argument("--kinds", help=f"of: {known}; default: kills", default=",".join(KILLED))
    parser.add_argument("--minutes", type=float, help="begin no more points after so long")
    parser.add_argument("--point", help="one point, as JSON, as it was printed")
    parser.add_argument("--folder", type=Path, help="an empty folder to work in")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        kinds = given.kinds.split(",")
        for reason in (injector.missing(), *(unavailable(kind, folder) for kind in kinds)):
            if reason:
                parser.error(reason)
        bench = BENCHES[given.bench](folder)
        if given.point:
            points = [Point(**json.loads(given.point))]
        else:
            points = draw(bench, kinds, given.points, given.seed)
        began = time.monotonic()
        found = []
        for number, point in enumerate(points, 1):
            if given.minutes is not None and time.monotonic() - began > 60 * given.minutes:
                break
            found.append(DISASTERS.get(point.kind, strike)(bench, point))
            _tell(number, len(points), found[-1])
        if not found:
            parser.error("there was no time for a point")
        print("\n\n".join(_table(*column, found) for column in _COLUMNS.items()))
        _say(f"{time.monotonic() - began:.0f} s")
    return 1 if any(each.broken for each in found) else 0


def _table(title: str, column: Callable[[Found], str], found: Sequence[Found]) -> str:
    """What came of the points, one row for each value of a column."""
    rows = [(title, "points", "reached", "broken", "left files", "s", "next run, s")]
    values = sorted({column(each) for each in found})
    groups = {value: [each for each in found if column(each) == value] for value in values}
    for name, group in [*groups.items(), ("all", list(found))]:
        counts = [len(group), sum(each.reached for each in group)]
        counts += [sum(bool(each.broken) for each in group), sum(bool(each.left) for each in group)]
        means = [sum(each.seconds for each in group) / len(group)]
        means += [sum(each.next_seconds for each in group) / len(group)]
        rows.append((name, *map(str, counts), *(f"{mean:.1f}" for mean in means)))
    widths = [max(map(len, each)) for each in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def _tell(number: int, total: int, found: Found) -> None:
    state = "broken" if found.broken else "held" if found.reached else "not reached"
    _say(f"[{number}/{total}] {found.point}: {state}, next run {found.next_seconds:.1f} s")
    for each in [*found.broken, *(f"left: {name}" for name in found.left)]:
        _say("    " + each.replace("\n", "\n    "))
    if found.broken:
        _say(f"    --point '{json.dumps(asdict(found.point))}'")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
