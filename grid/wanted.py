"""What a study's last run wanted of the store: `studies/<study>/<scale>/stages.json`.

Written when a run begins. From it `prune` knows whose an artifact is, and `plan` knows which
artifacts a study had that it no longer uses: because a default or a stage's version has changed,
because the study has, or because it is not asked for them now. Which of these it is, `why` tells.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from grid.confine import read_file
from grid.errors import StoreError
from grid.graph import Graph, StageId
from grid.why import Difference, Records, artifacts

if TYPE_CHECKING:
    from grid.store import Store
    from grid.study import Study

FILE = "stages.json"
_CANDIDATES = 50
"""Successors that are compared field by field at most; a larger change has no single cause."""
_SAMPLE = 10
"""Orphans of each kind that `plan` explains."""


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """An artifact in the store that a study's last run wanted and that it does not want now."""

    stage: str
    key: str
    successor: str | None
    """The key that is wanted in its place; None if nothing takes its place."""
    differences: list[Difference] = field(default_factory=list)


def record(study: "Study", graph: Graph) -> None:
    """Writes which stages a study wants, unless the file says so already. Raises StoreError."""
    from grid.study_files import replace_file

    stages: dict[str, list[str]] = {}
    for stage, key in sorted(graph.stages):
        stages.setdefault(stage, []).append(key)
    text = json.dumps({"stages": stages}, indent=1, sort_keys=True) + "\n"
    path = study.folder / FILE
    if not (path.is_file() and path.read_bytes() == text.encode()):
        replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def record_all(studies: "Sequence[Study]", graphs: "Sequence[Graph]") -> str | None:
    """Writes the lists of studies that begin to run; why one could not be written, if so."""
    try:
        for study, graph in zip(studies, graphs, strict=True):
            record(study, graph)
    except StoreError as error:  # a store that is only read may hold all that is wanted
        return str(error)
    return None


def recorded(folder: Path) -> set[StageId] | None:
    """The stages that the last run of a study's folder wanted; None if it left no list."""
    path = folder / FILE
    try:
        stages = json.loads(read_file(path))["stages"]
        return {(stage, key) for stage, keys in stages.items() for key in keys}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{path}: cannot be read ({error}). Run the study again: it writes the file anew"
        ) from None


def orphaned(study: "Study", graph: Graph, store: "Store") -> list[StageId]:
    """What the last run wanted, the store has, and the study as it is now does not want."""
    before = (recorded(study.folder) or set()) - set(graph.stages)
    published = {stage: store.published(stage) for stage in {stage for stage, _ in before}}
    return sorted(id for id in before if id[1] in published[id[0]])


def explain(
    study: "Study", graph: Graph, store: "Store", orphans: Sequence[StageId]
) -> list[Orphan]:
    """Each orphan with what takes its place, which is the newly wanted stage that is most like it.

    Most like it means the fewest fields that differ. An orphan without a newly wanted stage of its
    kind has no successor: the study does not ask for its like any more.
    """
    before = recorded(study.folder) or set()
    new: dict[str, list[StageId]] = {stage: [] for stage, _ in orphans}
    for id in graph.stages:
        if id[0] in new and id not in before:
            new[id[0]].append(id)
    of_graph, of_store = Records(store=store, stages=graph.stages), Records(store=store)
    return [_explained(id, new[id[0]], of_store, of_graph) for id in orphans]


def _explained(id: StageId, new: list[StageId], before: Records, now: Records) -> Orphan:
    own = before.get(id)
    best: tuple[int, str, list[Difference]] | None = None
    for other in sorted(new, key=lambda other: _slug(other) != _slug(id))[:_CANDIDATES]:
        record = now.get(other)
        if own is None or record is None:
            continue
        found = artifacts(own, record, before, now)
        if best is None or len(found) < best[0]:
            best = (len(found), other[1], found)
        if len(found) == 1:
            break  # nothing is more like it
    if best is None:
        return Orphan(stage=id[0], key=id[1], successor=None)
    return Orphan(stage=id[0], key=id[1], successor=best[1], differences=best[2])


def _slug(id: StageId) -> str:
    """Only to look at likely candidates first."""
    return id[1].rpartition("-")[0]


def summary(orphans: Sequence[StageId]) -> str:
    """`3 pretraining, 1 tokenizer`."""
    counts = Counter(stage for stage, _ in orphans)
    return ", ".join(f"{count} {stage}" for stage, count in counts.items())


def sample(orphans: Sequence[StageId]) -> list[StageId]:
    """A few orphans of each kind, which tell the cause of all without a look at each."""
    kinds: dict[str, list[StageId]] = {}
    for id in orphans:
        kinds.setdefault(id[0], []).append(id)
    return [id for ids in kinds.values() for id in ids[:_SAMPLE]]
