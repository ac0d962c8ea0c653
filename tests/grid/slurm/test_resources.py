"""What jobs ask for: margins, steps, limits of partitions, and what the last failure taught."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import grid
from grid.errors import StudyError
from grid.execution import ExecutionConfig
from grid.graph import Stage
from grid.slurm.estimates import Estimate, estimates
from grid.slurm.history import Lesson, lessons
from grid.slurm.partitions import Partition, chosen, parse
from grid.slurm.resources import Need, Resources, job, memory_step, need, spread
from grid.slurm.settings import SlurmConfig, SlurmStage
from grid.store import Store
from tests.grid.own_trainer import SITE, write
from tests.grid.tiny_stages import stage as tiny

HOUR = 3600.0
MAIN = Partition(name="main", default=True, minutes=1440, memory_mb=512000, gpus=4)


def stage(name: str = "pretraining", **fields: Any) -> Stage:
    return Stage(name=name, key="k-0", module="none", version=1, config=None, **fields)


def asked(
    made: Stage,
    hours: float | None,
    gigabytes: float,
    slurm: SlurmConfig | None = None,
    partition: Partition | None = None,
    lesson: Lesson | None = None,
) -> Resources:
    execution = ExecutionConfig(slurm=slurm or SlurmConfig())
    estimate = Estimate(seconds=None if hours is None else hours * HOUR, rank_bytes=gigabytes * 1e9)
    return job([need(made, estimate, execution, partition, lesson)], execution)


def test_estimates_get_a_margin_and_few_steps() -> None:
    told = asked(stage(), hours=3.0, gigabytes=5.0)
    assert told.minutes == 720 and told.memory_mb == 8000  # 6.1 h and 6.5 GB
    assert asked(stage(), 0.01, 0.2).minutes == 15
    assert asked(stage(), 200.0, 0.2).minutes == 3 * 7 * 24 * 60
    assert [memory_step(mb) for mb in (1, 1000, 1001, 2100, 20_000, 30_000, 190_000)] == [
        1000, 1000, 2000, 4000, 24_000, 32_000, 192_000,
    ]  # fmt: skip


def test_what_is_said_is_asked_for() -> None:
    slurm = SlurmConfig(memory_gb=30, hours=1.5, cpus=6)
    told = asked(stage(threads=2), 100.0, 500.0, slurm, MAIN)
    assert (told.minutes, told.memory_mb, told.cpus) == (90, 30000, 6)
    assert asked(stage(), 1.0, 500.0, SlurmConfig(memory_gb=0), MAIN).memory_mb == 0
    assert asked(stage(), 1.0, 500.0, SlurmConfig(ask_memory=False), MAIN).memory_mb is None
    assert asked(stage(threads=4), 1.0, 1.0).cpus == 4


def test_work_that_can_be_resumed_fits_any_limit() -> None:
    assert asked(stage(resumable=True), 100.0, 1.0, partition=MAIN).minutes == 1440
    assert asked(stage(resumable=True), 5000.0, 1.0).minutes == 7 * 24 * 60
    limited = SlurmConfig(max_hours=2)
    assert asked(stage(resumable=True), 100.0, 1.0, limited, MAIN).minutes == 120
    assert asked(stage("command", resumable=True), None, 1.0).minutes == 1440
    assert asked(stage(), 20.0, 1.0, partition=MAIN).minutes == 1440  # the margin alone is cut


def test_what_fits_nowhere_is_told_before_it_is_submitted() -> None:
    long = r"about 30.0 h, but jobs of the default partition main end after 24 h, .*\.partition"
    with pytest.raises(StudyError, match=long):
        asked(stage("tokenizer"), 30.0, 1.0, partition=MAIN)
    large = r"about 600.0 GB of memory, but nodes of partition main have 512.0 GB; .*\.memory_gb"
    with pytest.raises(StudyError, match=large):
        asked(stage("tokenizer"), 1.0, 600.0, SlurmConfig(partition="main"), MAIN)
    assert asked(stage("tokenizer"), 1.0, 500.0, partition=MAIN).memory_mb == 512000


def test_a_failure_for_memory_or_time_asks_for_twice_as_much() -> None:
    assert asked(stage(), 3.0, 5.0, lesson=Lesson(memory=1)).memory_mb == 16000
    assert asked(stage(), 3.0, 5.0, lesson=Lesson(time=1)).minutes == 1440
    # However wrong the estimate was: twice what the job had.
    had = Lesson(memory=1, had_mb=8000, time=1, had_minutes=60)
    told = asked(stage(), 0.001, 0.1, lesson=had)
    assert (told.memory_mb, told.minutes) == (16000, 240)
    slurm = SlurmConfig(memory_gb=30, hours=1.0)
    raised = asked(stage(), 3.0, 5.0, slurm, lesson=replace(had, had_mb=30000))
    assert (raised.memory_mb, raised.minutes) == (60000, 120)


def test_ranks_are_spread_evenly_over_few_nodes() -> None:
    nothing = SlurmStage()
    assert spread(8, True, nothing, None) == (1, 8)
    assert spread(16, True, nothing, None) == (2, 8)
    assert spread(16, True, nothing, MAIN) == (4, 4)
    assert spread(12, True, nothing, None) == (2, 6)
    assert spread(12, False, nothing, MAIN) == (1, 12)
    assert spread(2, False, SlurmStage(ranks_per_node=1), None) == (2, 1)
    assert spread(7, True, SlurmStage(ranks_per_node=4), None) == (7, 1)


def test_only_work_on_the_model_asks_for_gpus() -> None:
    execution = ExecutionConfig(device="cuda")

    def of(made: Stage) -> Need:
        return need(made, Estimate(seconds=60.0, rank_bytes=1e9), execution, None)

    assert of(stage("shards")).gpus == 0
    assert of(stage(needs_torch=True, ranks=16)).gpus == 16
    assert of(stage("command", command={"arguments": []})).gpus == 1


def test_stages_side_by_side_need_their_memory_at_once() -> None:
    execution = ExecutionConfig(slurm=SlurmConfig(cpus=4))
    one = need(stage("shards"), Estimate(seconds=HOUR, rank_bytes=3e9), execution, None)
    assert job([one], execution).memory_mb == 4000
    eight = job([one] * 8, execution)
    assert eight.memory_mb == 16000 and eight.minutes == 720  # 2 h and three quarters, doubled


def test_partitions_are_read_from_sinfo() -> None:
    text = """main*|1-00:00:00|256000|(null)
main*|1-00:00:00|512000|gpu:a100:4(S:0-1)
debug|30:00|64000|gpu:2,nvme:1
long|infinite|64000+|(null)
"""
    known = parse(text)
    assert known["main"] == MAIN
    assert known["debug"] == Partition(name="debug", minutes=30, memory_mb=64000, gpus=2)
    assert known["long"] == Partition(name="long", memory_mb=64000)
    assert chosen(known, None) == MAIN and chosen(known, "nosuch") is None
    both = chosen(known, "main,debug")
    assert both == Partition(name="main,debug", minutes=30, memory_mb=64000, gpus=2)
    assert chosen({}, None) is None


def test_stages_are_estimated_as_the_plan_prices_them(tmp_path: Path) -> None:
    study = grid.load(
        "studies/curse_of_multilinguality.yaml", scale="smoke", store=tmp_path / "runs"
    )
    graph, plan = study.graph(), study.priced()
    found = estimates(graph, graph.stages, plan)
    assert set(found) == set(graph.stages)
    cell = study.cells[0]
    price, roles = plan.price(cell), graph.cells[cell.id]
    assert found[roles["pretraining"]].seconds == price.pretraining_seconds
    measured = plan.measured(cell)
    for role in ("evaluation", "finetuning/xnli"):
        assert found[roles[role]].seconds == measured[role].seconds
    assert found[roles["pretraining"]].rank_bytes > price.layout.memory.total
    assert all(each.rank_bytes > 5e8 for each in found.values())


def test_a_tokenizer_is_given_the_memory_of_its_sample(tmp_path: Path) -> None:
    study = grid.load(
        "studies/sampling_alpha.yaml", "blocks=[alpha]",
        "cell.tokenizer.sample_bytes=200M", "cell.corpus.synthetic.size=200M",
        scale="smoke", store=tmp_path,
    )  # fmt: skip
    graph = study.graph()
    found = estimates(graph, graph.stages, study.priced())
    (tokenizer,) = [id for id in graph.stages if id[0] == "tokenizer"]
    assert found[tokenizer].rank_bytes > 4e9


@pytest.mark.parametrize("known", [None, 2.0])
def test_a_program_takes_what_the_site_file_says(tmp_path: Path, known: float | None) -> None:
    write(tmp_path)
    (tmp_path / "grid.yaml").write_text(f"{SITE}    seconds: {known or 'null'}\n")
    study = grid.load(tmp_path / "own.yaml", site=tmp_path / "grid.yaml", store=tmp_path / "runs")
    graph = study.graph()
    found = estimates(graph, graph.stages, study.priced())
    assert [each.seconds for id, each in found.items() if id[0] == "command"] == [known, known]


def attempt(store: Store, made: Stage, batch: dict[str, int] | None = None, **said: str) -> None:
    folder = store.new_attempt(*made.id, {"batch": batch})
    if said:
        (folder / "outcome.json").write_text(json.dumps({"message": "", "kind": "", **said}))


def test_lessons_are_of_the_last_failures(tmp_path: Path) -> None:
    store = Store(tmp_path)
    often, once, other, never = (tiny(name) for name in ("often", "once", "other", "never"))
    for number, kind in enumerate(("crash", "memory", "time", "memory")):
        batch = {"memory_mb": 1000 * number, "minutes": 15}
        attempt(store, often, batch, state="failed", kind=kind, message=f"{kind} {number}")
    attempt(store, often)  # killed without a word
    for kind in ("memory", "input"):
        attempt(store, other, state="failed", kind=kind)
    attempt(store, once, state="failed", kind="time")
    found = lessons(store, [each.id for each in (often, once, other, never)])
    assert found == {
        often.id: Lesson(memory=2, time=1, had_mb=3000, had_minutes=15, message="memory 3"),
        once.id: Lesson(time=1),
    }


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("partitionn=x", "execution.slurm.partitionn: unknown key (did you mean partition?)"),
        ("cpus=0", "execution.slurm.cpus: expected at least 1, found 0"),
        ("gres=gpu:4", "execution.slurm.gres: expected {gpus} for the number, found 'gpu:4'"),
        ("extra=[-p main]", "execution.slurm.extra: expected options as in --licenses=scratch"),
        ("stages.pretrainin.partition=x", "a kind of stage (did you mean pretraining?)"),
        ("stages.shards.hours=-1", "execution.slurm.stages.shards.hours: expected more than 0"),
        ("mail_type=end", "execution.slurm.mail_type: expected as in END,FAIL, found 'end'"),
    ],
)
def test_mistakes_in_settings_are_told_where_they_were_written(override: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        grid.load("studies/sampling_alpha.yaml", f"execution.slurm.{override}")
    assert "command line" in str(caught.value) and message in str(caught.value)


def test_settings_do_not_change_a_key(tmp_path: Path) -> None:
    plain = grid.load("studies/sampling_alpha.yaml", scale="smoke", store=tmp_path)
    placed = grid.load(
        "studies/sampling_alpha.yaml", "execution.slurm.partition=gpu", scale="smoke",
        store=tmp_path,
    )  # fmt: skip
    assert list(plain.graph().stages) == list(placed.graph().stages)
    assert replace(placed.execution, slurm=SlurmConfig()) == plain.execution
