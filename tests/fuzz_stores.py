"""Looks for a damaged store that makes a command end in anything but a result or a message.

    python -m tests.fuzz_stores --minutes 20 --seed 1 --keep findings

Changes one file of a finished store (tests/golden/store.tar.xz): manifests, configurations, scores,
frames, outcomes, leases, lists. Then everything that reads a store without training is called on
it: `verify`, `adopt`, `plan`, `results`, `status`, `why`, `prune`, `export`, `report`, what figures
and tables are made from, and the launcher's cleaning. Only InputError may come out, within seconds.
What breaks that rule is written to the folder of findings with the name of the file.
"""

import argparse
import io
import random
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import grid
from grid import results
from grid.adopt import adopt
from grid.checksums import checksums
from grid.export import export
from grid.overview import Overview
from grid.prune import studies as wanted_by
from grid.prune import survey
from grid.studies import Studies
from grid.study import Study
from grid.verify import verify_store
from grid.wanted import explain, orphaned
from grid.why import Records, artifacts
from model.errors import InputError
from plots.report.facts import gather
from plots.report.page import write
from plots.studies import find_studies
from tests.fuzz_readers import mutated
from tests.fuzz_studies import limited
from tests.grid.golden_store import unpack
from tests.grid.signed import sign

LIMIT = 30
"""Seconds of the processor that one command may take."""
FILES = ("**/*.json", "**/*.jsonl", "**/*.parquet", "work/**/*.lease/*", "**/*.safetensors")


def _load(folder: Path) -> Study:
    return grid.load(folder / "every.yaml", store=folder / "runs", site=folder / "grid.yaml")


def _verify(folder: Path) -> None:
    verify_store(_load(folder).open_store())
    verify_store(_load(folder).open_store(), quick=True)


def _adopt(folder: Path) -> None:
    other = _load(folder).open_store().root.with_name("other")
    try:
        adopt(type(_load(folder).open_store())(other), folder / "runs")
    finally:
        shutil.rmtree(other, ignore_errors=True)


def _plan(folder: Path) -> None:
    study = _load(folder)
    graph, store = study.graph(), study.open_store()
    study.plan()
    explain(study, graph, store, orphaned(study, graph, store))


def _results(folder: Path) -> None:
    study = _load(folder)
    results.publish(study, study.graph())


def _status(folder: Path) -> None:
    overview = Overview(Studies(studies=(_load(folder),)))
    overview.frame(overview.look())


def _why(folder: Path) -> None:
    study = _load(folder)
    records = Records(store=study.open_store(), stages={})
    ids = [id for id in study.graph().stages if id[0] == "pretraining"]
    first, second = (records.get(id) for id in ids)
    if first is not None and second is not None:
        artifacts(first, second, records, records)


def _prune(folder: Path) -> None:
    store = _load(folder).open_store()
    survey(store, wanted_by(store)[0], keep_days=0)


def _export(folder: Path) -> None:
    study = _load(folder)
    try:
        export(study, study.cells[0], folder / "exported")
    finally:
        shutil.rmtree(folder / "exported", ignore_errors=True)


def _report(folder: Path) -> None:
    write(gather(_load(folder), ()))


def _outputs(folder: Path) -> None:
    for output in find_studies(folder / "runs", None, None):
        output.results()
        output.plan()
        output.planned()
        output.corpora()
        output.curves()


def _clean(folder: Path) -> None:
    store = _load(folder).open_store()
    store.clean()
    checksums([folder / "every.yaml"], store.root / "checksums.json")


COMMANDS: list[Callable[[Path], None]] = [
    _verify, _adopt, _plan, _results, _status, _why, _prune, _export, _report,
    _outputs, _clean,
]  # fmt: skip


def fuzz(
    folder: Path, *, seed: int, seconds: float, most: int | None = None
) -> Iterator[tuple[str, bytes, str]]:
    """File, content and traceback of each finding, until the time is over or `most` were tried."""
    unpack(folder)
    files = sorted(
        {path for each in FILES for path in (folder / "runs").glob(each) if path.is_file()}
    )
    draw, counts = random.Random(seed), Counter[str]()
    end = time.monotonic() + seconds
    for number in range(most if most is not None else sys.maxsize):
        if time.monotonic() > end:
            break
        file = draw.choice(files)
        before, other = file.read_bytes(), draw.choice(files).read_bytes()
        name = file.relative_to(folder / "runs").as_posix()
        content = mutated(before, [before, other], draw)
        place = folder.with_name("one")
        shutil.copytree(folder, place, dirs_exist_ok=True)
        changed = place / "runs" / name
        changed.write_bytes(content)
        if changed.parent.name in {path.name for path in folder.glob("runs/artifacts/*/*/*")} and (
            changed.name != "manifest.json" and draw.random() < 0.8
        ):
            sign(changed.parent)  # otherwise its checksum is all that is looked at
        for command in COMMANDS:
            try:
                told = _called(command, place)
                counts["messages" if told else "results"] += 1
            except KeyboardInterrupt:
                raise
            except BaseException:
                where = f"case {number} {command.__name__}"
                yield name, content, f"{where}\n{traceback.format_exc()}"
        shutil.rmtree(place)
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(f"{sum(counts.values())} calls: {told}", file=sys.stderr)


def _called(command: Callable[[Path], None], folder: Path) -> str | None:
    """The message of its mistake, or None. What it prints is nobody's business here."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            with limited(LIMIT):
                command(folder)
        except InputError as error:
            return str(error)
    return None


def main() -> int:
    """The command `python -m tests.fuzz_stores`; status 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, default=Path("findings"), help="folder of findings")
    options = parser.parse_args()
    folder = options.keep.absolute()
    (folder / "store").mkdir(parents=True, exist_ok=True)
    known: set[str] = set()
    for name, content, told in fuzz(
        folder / "store", seed=options.seed, seconds=60 * options.minutes
    ):
        lines = told.strip().splitlines()
        last = " ".join((lines[-1][:200], next((x for x in lines[::-1] if "File" in x), "")))
        if last in known:
            continue
        known.add(last)
        (folder / f"found{len(known)}").write_bytes(content)
        (folder / f"found{len(known)}.told").write_text(f"{name}\n{told}", encoding="utf-8")
        print(f"{name}: {lines[0]}: {last}", flush=True)
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
