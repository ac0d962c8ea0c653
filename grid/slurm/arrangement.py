"""Which stages go into one job, which jobs into one array, and what each array waits for. Pure.

A stage joins the job that makes its inputs where running it elsewhere would gain nothing: it is
short against that job, as an evaluation is against its pretraining, or that job takes no longer
than a second place in the queue would, and there is nothing to run side by side. Everything else
begins in a later layer: jobs wait for jobs of earlier layers only, so there is never a cycle. Jobs
of a layer that ask for the same and wait for the same are one array. What is waited for is exact,
down to single elements, unless that would take more than `SETS` calls of sbatch.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from grid.execution import ExecutionConfig
from grid.graph import Graph, StageId
from grid.slurm.resources import Need, Resources, job, memory_step
from grid.slurm.submission import Array, Waits

SETS = 24
"""Different sets of jobs that those of one kind and layer may wait for."""
NAMED = 40
"""Elements of an array that one call names; from there on it waits for the whole array."""
TOGETHER = 60.0
"""Seconds of work that are not worth a second job: it would take longer to start. Less where
`job_minutes` is less."""
SHORT, SHORT_ON_MORE = 0.25, 0.05
"""A stage this short against the job that makes its input joins it; the second where the job holds
more ranks or GPUs than the stage needs."""
_PARALLEL = 32
"""Jobs over which short stages are spread, where each still has enough to do."""

_WHERE = ("partition", "account", "qos", "constraint", "reservation", "nodelist", "exclude",
          "gres", "gpu_type")  # fmt: skip
"""Of a placement: what decides on which nodes a job runs, and who pays."""
TEXT = {"corpus", "tokenizer", "checkpoint_tokenizer", "shards", "task"}
"""Kinds of stages that prepare text: arrays with several of them are called so."""

Element = tuple[str, int]
"""An element that is queued or runs already: `<submission id>/<array>` and its index."""


@dataclass(eq=False)
class _Group:
    """Stages that run in one job."""

    number: int
    needs: list[Need]
    layer: int

    @property
    def lead(self) -> Need:
        """What decides the job's ranks and GPUs."""
        return self.needs[0]

    @property
    def seconds(self) -> float:
        """Infinite if nobody knows."""
        return _seconds(self.needs)

    @property
    def longest(self) -> float:
        """Seconds of its longest stage."""
        return max(_seconds([need]) for need in self.needs)


@dataclass(eq=False)
class _Share:
    """One element, and what has ended when it begins."""

    number: int
    groups: list[_Group]
    resources: Resources
    array: str = ""
    index: int = 0
    before: int = 0
    """Shares that have ended when this one begins: bits by number."""

    @property
    def needs(self) -> list[Need]:
        return [need for group in self.groups for need in group.needs]


@dataclass(eq=False)
class _Set:
    """Groups of one kind and layer that wait for the same."""

    groups: list[_Group]
    shares: frozenset[_Share]
    outside: frozenset[Element]


def arrange(
    graph: Graph,
    needs: Mapping[StageId, Need],
    execution: ExecutionConfig,
    *,
    elsewhere: Mapping[StageId, Element] | None = None,
    array_size: int = 1001,
) -> list[Array]:
    """The arrays that run every stage of `needs`, each after those that it waits for.

    elsewhere: stages that are queued or running in elements of earlier submissions. Inputs that are
    in neither are done. array_size: the most elements of an array (MaxArraySize).
    """
    rank = {stage.id: number for number, stage in enumerate(graph.order())}
    together = min(TOGETHER, 60 * execution.slurm.job_minutes)
    of = _grouped(graph, sorted(needs, key=rank.__getitem__), needs, together)
    for group in set(of.values()):
        group.needs[1:] = sorted(group.needs[1:], key=lambda need: rank[need.stage.id])
    order = dict.fromkeys(of[id] for id in sorted(of, key=rank.__getitem__))
    return _Arranger(of, elsewhere or {}, execution, max(1, array_size)).arrays(order)


def _grouped(
    graph: Graph, order: Sequence[StageId], needs: Mapping[StageId, Need], together: float
) -> dict[StageId, _Group]:
    """The group of each stage: generation by generation it joins its inputs', or begins one."""
    generations: dict[int, list[StageId]] = defaultdict(list)
    depth: dict[StageId, int] = {}
    for id in order:
        known = [depth[input] for input in graph.stages[id].inputs.values() if input in depth]
        depth[id] = 1 + max(known, default=-1)
        generations[depth[id]].append(id)
    of: dict[StageId, _Group] = {}
    for generation in sorted(generations):
        families: dict[tuple[str, str, frozenset[_Group]], list[StageId]] = defaultdict(list)
        for id in generations[generation]:
            inputs = {of[input] for input in graph.stages[id].inputs.values() if input in of}
            families[id[0], needs[id].kind, frozenset(_latest(inputs))].append(id)
        for (_, _, makers), ids in families.items():
            # A family before this one may have merged some of them.
            makers_now = {of[group.lead.stage.id] for group in makers}
            family = [needs[id] for id in ids]
            if makers_now and _joins(family, makers_now, together):
                _join(family, makers_now, of)
                continue
            layer = 1 + max((group.layer for group in makers_now), default=-1)
            for need in family:
                of[need.stage.id] = _Group(len(of), [need], layer)
    return of


def _latest(groups: Collection[_Group]) -> list[_Group]:
    """Those of the last layer."""
    last = max((group.layer for group in groups), default=0)
    return [group for group in groups if group.layer == last]


def _seconds(needs: Iterable[Need]) -> float:
    return sum(float("inf") if each.seconds is None else each.seconds for each in needs)


def _joins(family: Sequence[Need], makers: Collection[_Group], together: float) -> bool:
    """Whether stages of one kind, which all take what these groups make, run in their job."""
    first, added = family[0], _seconds(family)
    kinds = {group.lead.kind for group in makers}
    if len(kinds) > 1 or not all(_has_room(group.lead, first) for group in makers):
        return False
    made = _seconds(need for group in makers for need in group.needs)
    if made + added <= together or (len(family) == 1 and made <= together):
        return True
    if len(makers) > 1 or made == float("inf"):
        return False
    (group,) = makers
    alike = (group.lead.gpus, group.lead.base.ranks) == (first.gpus, first.base.ranks)
    most = SHORT if alike else SHORT_ON_MORE
    return made - group.longest + added <= most * group.longest


def _has_room(lead: Need, need: Need) -> bool:
    """Whether a job as `lead` asks for it can run a stage that asks for `need`."""
    job, own = lead.base, need.base
    there, wanted = job.placement, own.placement
    lines = (there.setup, there.extra) == (wanted.setup, wanted.extra)
    return (
        all(getattr(there, name) == getattr(wanted, name) for name in _WHERE)
        and (lines or not need.own_lines)
        and job.cpus >= own.cpus
        and job.ranks >= own.ranks
        and lead.gpus >= need.gpus
        and (own.ranks == 1 or job.nodes == own.nodes)
    )


def _join(family: Sequence[Need], makers: Collection[_Group], of: dict[StageId, _Group]) -> None:
    """Puts stages into the group of their inputs, which becomes one if it was several."""
    target, *others = sorted(makers, key=lambda group: group.number)
    for other in others:
        target.needs += other.needs
        of.update((need.stage.id, target) for need in other.needs)
    target.needs += family
    of.update((need.stage.id, target) for need in family)


class _Arranger:
    """Makes arrays of groups, one layer after the other."""

    def __init__(
        self,
        of: Mapping[StageId, _Group],
        elsewhere: Mapping[StageId, Element],
        execution: ExecutionConfig,
        array_size: int,
    ) -> None:
        self._of = of
        self._elsewhere = elsewhere
        self._execution = execution
        self._array_size = array_size
        self._share_of: dict[_Group, _Share] = {}
        self._members: dict[str, list[_Share]] = {}
        self._names: Counter[str] = Counter()
        self._numbered = 0

    def arrays(self, groups: Iterable[_Group]) -> list[Array]:
        """The arrays of all groups, which come in the order of their work."""
        layers: dict[tuple[int, str], list[_Group]] = defaultdict(list)
        for group in groups:
            layers[group.layer, group.lead.kind].append(group)
        made: list[Array] = []
        for key in sorted(layers, key=lambda key: key[0]):
            for each in _few(self._sets(layers[key])):
                made += self._arrays_of(each)
        return made

    def _sets(self, groups: Sequence[_Group]) -> list[_Set]:
        sets: dict[tuple[frozenset[_Share], frozenset[Element]], list[_Group]] = {}
        for group in groups:
            inputs = {id for need in group.needs for id in need.stage.inputs.values()}
            made = {self._of[id] for id in inputs if id in self._of} - {group}
            shares = frozenset(self._share_of[maker] for maker in made)
            outside = frozenset(self._elsewhere[id] for id in inputs if id in self._elsewhere)
            sets.setdefault((shares, outside), []).append(group)
        reduced: dict[tuple[frozenset[_Share], frozenset[Element]], _Set] = {}
        for (shares, outside), some in sets.items():
            needed = frozenset(_last(shares))
            one = reduced.setdefault((needed, outside), _Set([], needed, outside))
            one.groups += some
        return list(reduced.values())

    def _arrays_of(self, each: _Set) -> list[Array]:
        """The arrays of one set: one for each class that its jobs come to."""
        by_class: dict[str, list[_Share]] = defaultdict(list)
        for groups, resources in _jobs(each.groups, self._execution):
            share = _Share(self._numbered, groups, resources)
            self._numbered += 1
            by_class[repr(resources)].append(share)
        made = []
        waits, before = self._waits(each)
        for shares in by_class.values():
            for start in range(0, len(shares), self._array_size):
                members = shares[start : start + self._array_size]
                made.append(self._array(members, waits, before))
        return made

    def _array(self, shares: list[_Share], waits: tuple[Waits, ...], before: int) -> Array:
        name = self._name(shares)
        self._members[name] = shares
        for index, share in enumerate(shares):
            share.array, share.index, share.before = name, index, before
            self._share_of.update((group, share) for group in share.groups)
        return Array(
            name=name,
            resources=shares[0].resources,
            waits=waits,
            shares=tuple(tuple(need.stage.id for need in share.needs) for share in shares),
        )

    def _name(self, shares: Iterable[_Share]) -> str:
        """After the kind of stage that takes the longest; numbered from the second one on."""
        seconds: Counter[str] = Counter()
        for share in shares:
            for need in share.needs:
                seconds[need.stage.name] += int(1000 * (need.seconds or 60.0)) + 1
        kind = max(seconds, key=lambda name: seconds[name])
        if len(seconds) > 1 and seconds.keys() <= TEXT:
            kind = "text"
        self._names[kind] += 1
        return kind if self._names[kind] == 1 else f"{kind}-{self._names[kind]}"

    def _waits(self, each: _Set) -> tuple[tuple[Waits, ...], int]:
        """What an array waits for, in words, and the shares that have ended then."""
        named: dict[str, list[int]] = defaultdict(list)
        for share in each.shares:
            named[share.array].append(share.index)
        waits: list[Waits] = []
        before = 0
        for array, indices in sorted(named.items()):
            members = self._members[array]
            whole = len(indices) == len(members) or len(indices) > NAMED
            waits.append((array, None if whole else tuple(sorted(indices))))
            for share in members if whole else [members[index] for index in indices]:
                before |= share.before | 1 << share.number
        outside: dict[str, set[int]] = defaultdict(set)
        for array, index in each.outside:
            outside[array].add(index)
        for array, known in sorted(outside.items()):
            waits.append((array, None if len(known) > NAMED else tuple(sorted(known))))
        return tuple(waits), before


def _last(shares: Collection[_Share]) -> list[_Share]:
    """Those shares that no other of them has waited for: the rest has ended when they have."""
    ended = 0
    kept = []
    for share in sorted(shares, key=lambda share: -share.number):  # later layers first
        if not ended >> share.number & 1:
            kept.append(share)
        ended |= share.before
    return kept


def _few(sets: list[_Set]) -> list[_Set]:
    """At most `SETS` of them: neighbours are united, and wait for what any of them waits for."""
    if len(sets) <= SETS:
        return sets
    sets.sort(key=lambda each: sorted(share.number for share in each.shares))
    united = []
    for number in range(SETS):
        some = sets[number * len(sets) // SETS : (number + 1) * len(sets) // SETS]
        shares = frozenset().union(*(each.shares for each in some))
        outside = frozenset().union(*(each.outside for each in some))
        groups = [group for each in some for group in each.groups]
        united.append(_Set(groups, frozenset(_last(shares)), outside))
    return united


def _jobs(
    groups: Sequence[_Group], execution: ExecutionConfig
) -> list[tuple[list[_Group], Resources]]:
    """Groups dealt to jobs: a long one has its own, short ones are bundled."""
    length = 60 * execution.slurm.job_minutes
    short: dict[int, list[_Group]] = defaultdict(list)
    alone, bundled = [], []
    for group in groups:
        if group.seconds > length / 2:
            alone.append(([group], job(group.needs, execution)))
        else:
            short[memory_step(max(need.memory_mb for need in group.needs))].append(group)
    for some in short.values():
        bundles = _bundles(some, length, execution)
        asked = [job(_needs(bundle), execution) for bundle in bundles]
        minutes = max(each.minutes for each in asked)
        memory = max((each.memory_mb or 0 for each in asked), default=0)
        for bundle, each in zip(bundles, asked, strict=True):
            own = None if each.memory_mb is None else memory
            bundled.append((bundle, replace(each, minutes=minutes, memory_mb=own)))
    return alone + bundled


def _bundles(
    groups: Sequence[_Group], length: float, execution: ExecutionConfig
) -> list[list[_Group]]:
    """Short groups in bundles of equal length, of `length` seconds or less."""
    at_once = _at_once(groups[0].lead)
    total = sum(group.seconds for group in groups) / at_once
    most = min(_PARALLEL, groups[0].lead.base.placement.max_parallel or _PARALLEL)
    count = max(-(-total // length), min(most, total // min(TOGETHER, length)), 1)
    bundles: list[list[_Group]] = [[] for _ in range(min(int(count), len(groups)))]
    loads = [(0.0, number) for number in range(len(bundles))]
    for group in sorted(groups, key=lambda group: -group.seconds):
        load, number = heapq.heappop(loads)
        bundles[number].append(group)
        heapq.heappush(loads, (load + group.seconds, number))
    position = {group: number for number, group in enumerate(groups)}
    for bundle in bundles:
        bundle.sort(key=position.__getitem__)
    return sorted(bundles, key=lambda bundle: position[bundle[0]])


def _at_once(need: Need) -> int:
    """Stages that a job as this one asks for it runs side by side."""
    base = need.base
    return 1 if base.gpus_per_node or base.ranks > 1 else max(1, base.cpus // need.stage.threads)


def _needs(groups: Iterable[_Group]) -> list[Need]:
    return [need for group in groups for need in group.needs]
