"""Arrangements: every stage once, after what it needs, in few arrays."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from grid.execution import ExecutionConfig
from grid.graph import Graph, Stage, StageId
from grid.slurm.arrangement import SETS, arrange
from grid.slurm.estimates import Estimate
from grid.slurm.resources import Need, need
from grid.slurm.settings import SlurmConfig, SlurmStage
from grid.slurm.submission import Array

EXECUTION = ExecutionConfig(device="cuda")


def made(
    name: str, key: str, *inputs: Stage, seconds: float = 1.0, torch: bool = False, ranks: int = 1
) -> Stage:
    return Stage(
        name=name,
        key=key,
        module="none",
        version=1,
        config=None,
        inputs={each.key: each.id for each in inputs},
        needs_torch=torch,
        ranks=ranks,
        seconds=seconds,
    )


def graph_of(*stages: Stage) -> Graph:
    graph = Graph()
    for each in stages:
        graph.add(each)
        graph.targets.add(each.id)
    return graph


def needs_of(
    graph: Graph, execution: ExecutionConfig = EXECUTION, gigabytes: float = 1.0
) -> dict[StageId, Need]:
    return {
        id: need(
            stage,
            Estimate(seconds=stage.seconds, rank_bytes=gigabytes * 5e8),
            execution,
            None,
        )
        for id, stage in graph.stages.items()
    }


def check(
    graph: Graph,
    arrays: list[Array],
    needs: Mapping[StageId, Need],
    elsewhere: Mapping[StageId, tuple[str, int]] | None = None,
) -> None:
    """Every stage is in one share, and everything that it needs has ended when it is its turn."""
    elsewhere = elsewhere or {}
    place = {
        id: (array.name, index)
        for array in arrays
        for index, share in enumerate(array.shares)
        for id in share
    }
    assert sum(len(share) for array in arrays for share in array.shares) == len(place)
    assert set(place) == set(needs)
    ended: dict[str, set[tuple[str, int]]] = {}
    by_name = {array.name: array for array in arrays}
    assert len(by_name) == len(arrays)
    for array in arrays:  # in the order of submission: what is waited for has been submitted
        ended[array.name] = set()
        for name, which in array.waits:
            if name not in by_name:
                assert which is not None
                ended[array.name] |= {(name, index) for index in which}
                continue
            ended[array.name] |= ended[name]
            for index in range(len(by_name[name].shares)) if which is None else which:
                ended[array.name].add((name, index))
        for index, share in enumerate(array.shares):
            for position, id in enumerate(share):
                for source in graph.stages[id].inputs.values():
                    if source in elsewhere:
                        assert elsewhere[source] in ended[array.name]
                    elif source in place:
                        inside = source in share[:position]
                        assert inside or place[source] in ended[array.name]
                        assert inside or place[source] != (array.name, index)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    stages: list[Stage] = []
    for number in range(draw(st.integers(1, 25))):
        count = draw(st.integers(0, min(3, len(stages))))
        chosen = draw(st.permutations(range(len(stages))))[:count] if stages else []
        stages.append(
            made(
                draw(st.sampled_from(["corpus", "pretraining", "evaluation", "tokenizer"])),
                f"k{number}",
                *(stages[position] for position in chosen),
                seconds=draw(st.sampled_from([0.5, 5.0, 50.0, 500.0, 50000.0])),
                torch=draw(st.booleans()),
                ranks=draw(st.sampled_from([1, 1, 2, 16])),
            )
        )
    return graph_of(*stages)


@given(graph=graphs(), data=st.data())
def test_every_stage_runs_once_after_what_it_needs(graph: Graph, data: st.DataObject) -> None:
    needs = needs_of(graph)
    size = data.draw(st.integers(1, 4))
    states = data.draw(
        st.lists(st.sampled_from(["run", "run", "done", "elsewhere"]), min_size=len(needs),
                 max_size=len(needs))
    )  # fmt: skip
    elsewhere = {
        id: ("20260101-000000-0000/x", number)
        for number, (id, state) in enumerate(zip(needs, states, strict=True))
        if state == "elsewhere"
    }
    wanted = {id: needs[id] for id, state in zip(needs, states, strict=True) if state == "run"}
    arrays = arrange(graph, wanted, EXECUTION, elsewhere=elsewhere, array_size=size)
    check(graph, arrays, wanted, elsewhere)
    assert all(1 <= len(array.shares) <= size for array in arrays)
    for array in arrays:
        for share in array.shares:
            for id in share:
                asked = array.resources
                assert asked.ranks >= graph.stages[id].ranks
                assert asked.minutes * 60 >= graph.stages[id].seconds
                assert (asked.memory_mb or 0) >= needs[id].memory_mb
                assert asked.nodes * asked.gpus_per_node >= needs[id].gpus


def study(cells: int, *, tokenizers: int = 1, seconds: float = 3600.0, text: float = 5.0) -> Graph:
    """A study: seven corpora, tokenizers, shards; pretraining, evaluation, fine-tuning a cell."""
    corpora = [made("corpus", f"c{number}", seconds=text) for number in range(7)]
    stages = [*corpora]
    task = made("task", "xnli", seconds=5.0)
    prepared = []
    for number in range(tokenizers):
        tokenizer = made("tokenizer", f"t{number}", *corpora, seconds=2 * text)
        shards = [
            made("shards", f"s{number}-{each.key}", each, tokenizer, seconds=text)
            for each in corpora
        ]
        stages += [tokenizer, *shards]
        prepared.append([tokenizer, *shards])
    stages.append(task)
    for number in range(cells):
        shards = prepared[number % tokenizers]
        trained = made("pretraining", f"p{number}", *shards, seconds=seconds, torch=True)
        scored = made(
            "evaluation", f"e{number}", *corpora, *shards, trained, seconds=seconds / 60, torch=True
        )
        tuned = made(
            "finetuning", f"f{number}", trained, shards[0], task, seconds=seconds / 20, torch=True
        )
        stages += [trained, scored, tuned]
    return graph_of(*stages)


def test_a_study_is_text_then_cells() -> None:
    graph = study(100)
    needs = needs_of(graph)
    arrays = arrange(graph, needs, EXECUTION)
    check(graph, arrays, needs)
    told = [(array.name, len(array.shares), dict(array.waits)) for array in arrays]
    assert told == [
        ("text", 1, {}),  # corpora, the tokenizer and the task's data
        ("shards", 1, {"text": None}),
        ("pretraining", 100, {"shards": None}),
    ]
    cell = arrays[-1].shares[0]
    assert [name for name, _ in cell] == ["pretraining", "finetuning", "evaluation"]


def test_text_that_takes_hours_is_made_side_by_side() -> None:
    graph = study(4, text=7200.0)
    needs = needs_of(graph)
    arrays = arrange(graph, needs, EXECUTION)
    check(graph, arrays, needs)
    assert [(array.name, len(array.shares)) for array in arrays] == [
        ("corpus", 7),
        ("task", 1),
        ("tokenizer", 1),
        ("shards", 7),
        ("pretraining", 4),
    ]
    assert dict(arrays[3].waits) == {"tokenizer": None}  # which has waited for the corpora
    assert arrays[0].resources.gpus_per_node == 0 and arrays[4].resources.gpus_per_node == 1


def test_cells_wait_for_their_own_tokenizer_only() -> None:
    graph = study(40, tokenizers=4, text=7200.0)
    arrays = arrange(graph, needs_of(graph), EXECUTION)
    check(graph, arrays, needs_of(graph))
    shards = [array for array in arrays if array.name.startswith("shards")]
    assert [len(array.shares) for array in shards] == [7, 7, 7, 7]
    assert [dict(array.waits) for array in shards] == [{"tokenizer": (n,)} for n in range(4)]
    trained = [array for array in arrays if array.name.startswith("pretraining")]
    assert [len(array.shares) for array in trained] == [10, 10, 10, 10]


def test_many_different_sets_are_united() -> None:
    graph = study(300, tokenizers=100, text=7200.0)
    arrays = arrange(graph, needs_of(graph), EXECUTION)
    check(graph, arrays, needs_of(graph))
    for kind in ("shards", "pretraining"):
        assert len([array for array in arrays if array.name.startswith(kind)]) == SETS


def test_short_cells_are_bundled() -> None:
    graph = study(500, seconds=2.0)
    execution = ExecutionConfig(slurm=SlurmConfig(job_minutes=5))
    needs = needs_of(graph, execution)
    arrays = arrange(graph, needs, execution)
    check(graph, arrays, needs)
    assert len(arrays) <= 4
    cells = arrays[-1]
    assert 4 <= len(cells.shares) <= 32
    lengths = [sum(graph.stages[id].seconds for id in share) for share in cells.shares]
    assert max(lengths) <= 1.2 * min(lengths) and max(lengths) <= 300
    assert cells.resources.minutes >= 5


def test_a_long_fine_tuning_has_a_job_of_its_own() -> None:
    trained = made("pretraining", "p", seconds=3600.0, torch=True, ranks=2)
    tuned = made("finetuning", "f", trained, seconds=3000.0, torch=True)
    scored = made("evaluation", "e", trained, seconds=120.0, torch=True)
    graph = graph_of(trained, tuned, scored)
    arrays = arrange(graph, needs_of(graph), EXECUTION)
    check(graph, arrays, needs_of(graph))
    assert [[name for name, _ in array.shares[0]] for array in arrays] == [
        ["pretraining", "evaluation"],
        ["finetuning"],
    ]
    assert arrays[0].resources.gpus_per_node == 2 and arrays[1].resources.gpus_per_node == 1


def test_a_cell_that_trains_for_seconds_is_one_job() -> None:
    trained = made("pretraining", "p", seconds=1.0, torch=True)
    tuned = made("finetuning", "f", trained, seconds=3000.0, torch=True)
    scored = made("evaluation", "e", trained, seconds=120.0, torch=True)
    graph = graph_of(trained, tuned, scored)
    arrays = arrange(graph, needs_of(graph), EXECUTION)
    check(graph, arrays, needs_of(graph))
    assert [[name for name, _ in share] for array in arrays for share in array.shares] == [
        ["pretraining", "finetuning", "evaluation"]
    ]


def test_settings_that_do_not_move_a_stage_do_not_part_it_from_its_cell() -> None:
    trained = made("pretraining", "p", seconds=3600.0, torch=True)
    scored = made("evaluation", "e", trained, seconds=120.0, torch=True)
    graph = graph_of(trained, scored)

    def shares(**stages: SlurmStage) -> list[int]:
        slurm = SlurmConfig(partition="gpu", setup=["module load cuda"], stages=stages)
        execution = ExecutionConfig(device="cuda", slurm=slurm)
        needs = needs_of(graph, execution)
        arrays = arrange(graph, needs, execution)
        check(graph, arrays, needs)
        return [len(share) for array in arrays for share in array.shares]

    nccl = SlurmStage(setup=["module load nccl"], max_parallel=4, cpus=8, ranks_per_node=4)
    assert shares(pretraining=nccl) == [2]
    assert shares(pretraining=nccl, evaluation=SlurmStage(partition="gpu", cpus=4)) == [2]
    assert shares(evaluation=SlurmStage(partition="small")) == [1, 1]
    assert shares(evaluation=SlurmStage(setup=["module load other"])) == [1, 1]
    assert shares(evaluation=SlurmStage(cpus=4)) == [1, 1]


def test_arrays_are_split_at_the_cluster_s_limit() -> None:
    graph = study(25)
    arrays = arrange(graph, needs_of(graph), EXECUTION, array_size=10)
    check(graph, arrays, needs_of(graph))
    sizes = {array.name: len(array.shares) for array in arrays if "pretraining" in array.name}
    assert sizes == {"pretraining": 10, "pretraining-2": 10, "pretraining-3": 5}


def test_equal_calls_give_equal_arrays() -> None:
    first, second = (arrange(study(30), needs_of(study(30)), EXECUTION) for _ in range(2))
    assert first == second
