"""grid.pipeline and grid.graph: which stages cells need, and which of them they share."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from grid.errors import StudyError
from grid.graph import DONE, NOT_NEEDED, TO_RUN, Graph
from grid.pipeline import build
from grid.programs import Program
from grid.store import Store
from model.config import (
    CellConfig,
    CommandConfig,
    CorpusConfig,
    EncoderConfig,
    EvaluationConfig,
    PretrainingConfig,
    SamplingConfig,
    SyntheticConfig,
    TokenizerConfig,
)
from model.errors import InputError
from model.task_config import TaskConfig
from tests.grid.processes import python
from tests.grid.tiny_stages import graph, stage


@dataclass(kw_only=True)
class Cell:
    id: str
    config: CellConfig = field(default_factory=lambda: CellConfig(languages=["en", "sw"]))


BASE = CellConfig(languages=["en", "sw"])


def graph_of(
    *configs: CellConfig, store: Path = Path("none"), locations: dict[str, str] | None = None
) -> Graph:
    cells = [Cell(id=str(number), config=config) for number, config in enumerate(configs)]
    return build(cells, locations=locations or {}, store=Store(store))


def shared(one: CellConfig, other: CellConfig) -> set[str]:
    """The roles in which two cells have the same stage."""
    cells = graph_of(one, other).cells
    return {role for role, id in cells["0"].items() if cells["1"].get(role) == id}


def test_stages_of_a_cell_and_their_inputs() -> None:
    made = graph_of(replace(BASE, tasks={"xnli": TaskConfig()}))
    assert list(made.cells["0"]) == [
        "corpus/en",
        "corpus/sw",
        "tokenizer",
        "shards/en",
        "shards/sw",
        "pretraining",
        "evaluation",
        "task/xnli",
        "finetuning/xnli",
    ]
    inputs = {
        role: sorted(made.stages[id].inputs)
        for role, id in made.cells["0"].items()
        if role in ("tokenizer", "shards/sw", "pretraining", "evaluation", "finetuning/xnli")
    }
    assert inputs == {
        "tokenizer": ["corpus/en", "corpus/sw"],
        "shards/sw": ["corpus", "tokenizer"],
        "pretraining": ["shards/en", "shards/sw", "tokenizer"],
        "evaluation": [
            "corpus/en",
            "corpus/sw",
            "pretraining",
            "shards/en",
            "shards/sw",
            "tokenizer",
        ],
        "finetuning/xnli": ["pretraining", "task", "tokenizer"],
    }
    (key,) = {key for name, key in made.stages if name == "pretraining"}
    assert key.startswith("2-languages-w768-l12-s1-")


def test_a_task_that_is_null_is_not_run() -> None:
    assert "task/xnli" not in graph_of(replace(BASE, tasks={"xnli": None})).cells["0"]


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        ({"seed": 2}, {"pretraining", "evaluation"}),
        ({"sampling": SamplingConfig(alpha=0.7)}, {"pretraining", "evaluation"}),
        ({"encoder": EncoderConfig(width=960)}, {"pretraining", "evaluation"}),
        ({"evaluation": EvaluationConfig(span=4)}, {"evaluation"}),
        (
            {"tokenizer": TokenizerConfig(vocab_size=1000)},
            {"tokenizer", "shards/en", "shards/sw", "pretraining", "evaluation"},
        ),
        (
            {"languages": ["en", "fr", "sw"], "tokenizer": TokenizerConfig(languages=["en", "sw"])},
            {"pretraining", "evaluation"},
        ),
    ],
)
def test_a_change_reaches_only_what_depends_on_it(
    change: dict[str, object], differing: set[str]
) -> None:
    changed = replace(BASE, **change)  # type: ignore[arg-type]
    assert set(graph_of(BASE).cells["0"]) - shared(BASE, changed) == differing


@pytest.mark.parametrize(
    "change",
    [
        {"languages": ["sw", "en"]},
        {"encoder": EncoderConfig(feed_forward=4 * 768)},
        {"pretraining": PretrainingConfig(counted_languages=["sw", "en"])},
        {"tokenizer": TokenizerConfig(languages=["sw", "en"])},
        {"evaluation": EvaluationConfig(languages=["sw", "en"])},
    ],
)
def test_equal_meanings_share_every_stage(change: dict[str, object]) -> None:
    changed = replace(BASE, **change)  # type: ignore[arg-type]
    assert shared(BASE, changed) == set(graph_of(BASE).cells["0"])


def inputs_of(made: Graph, cell: str, role: str) -> dict[str, str]:
    """The key of each input of a cell's stage."""
    return {name: key for name, (_, key) in made.stages[made.cells[cell][role]].inputs.items()}


def of_profile(profile: str, text: str | None) -> CellConfig:
    corpus = CorpusConfig(synthetic=SyntheticConfig(profile=profile, size=50_000))
    return replace(BASE, corpus=corpus, evaluation=EvaluationConfig(text=text))


def test_models_of_two_sources_are_scored_on_the_same_text() -> None:
    profiles = ("wikipedia", "cc100")
    pairs = [(trained, text) for trained in profiles for text in (None, *profiles)]
    made = graph_of(*(of_profile(*pair) for pair in pairs))
    cells = {pair: str(number) for number, pair in enumerate(pairs)}

    def scored(*pair: str | None) -> str:
        return inputs_of(made, cells[pair], "evaluation")["corpus/en"]  # type: ignore[index]

    for text in profiles:
        assert scored("wikipedia", text) == scored("cc100", text) == scored(text, None)
        own, other = made.cells[cells[text, None]], made.cells[cells[text, text]]
        assert own == other  # to name the cell's own text is no other stage
    shared = {made.cells[cells["cc100", text]]["pretraining"] for text in (None, *profiles)}
    assert len(shared) == 1
    unigram = inputs_of(made, cells["cc100", "wikipedia"], "evaluation")["shards/en"]
    assert unigram == made.cells[cells["cc100", None]]["shards/en"][1]


@pytest.mark.parametrize(
    ("source", "text", "told"),
    [
        ("synthetic", "wikipdia", r"evaluation\.text: expected .*wikipedia.*wikipdia"),
        ("files", "synthetic", r"evaluation\.text: expected a source of files"),
    ],
)
def test_text_that_cannot_be_scored(source: str, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        replace(BASE, corpus=CorpusConfig(source=source), evaluation=EvaluationConfig(text=text))


def test_a_program_that_takes_the_corpora_gets_the_text_that_is_scored() -> None:
    program = Program(run=("true",), version="1", folder="/")
    own = {"mine": CommandConfig(takes=["corpus"])}
    cells = [replace(of_profile("cc100", text), commands=own) for text in (None, "wikipedia")]
    made = build(
        [Cell(id=str(number), config=config) for number, config in enumerate(cells)],
        locations={},
        store=Store(Path("none")),
        programs={"mine": program},
    )
    first, second = (inputs_of(made, number, "command/mine") for number in ("0", "1"))
    assert sorted(first) == ["corpus/en", "corpus/sw"]
    assert sorted(second) == ["corpus/en", "corpus/sw", "held_out/en", "held_out/sw"]
    assert second["corpus/en"] == first["corpus/en"] != second["held_out/en"]


def test_text_of_another_source_of_files(tmp_path: Path) -> None:
    locations = {"a": sources(tmp_path, "a"), "b": sources(tmp_path, "b", "Other.\n")}
    on_b = replace(from_files("a"), evaluation=EvaluationConfig(text="b"))
    made = graph_of(from_files("a"), from_files("b"), on_b, locations=locations)
    assert inputs_of(made, "2", "evaluation")["corpus/sw"] == made.cells["1"]["corpus/sw"][1]
    assert made.cells["2"]["pretraining"] == made.cells["0"]["pretraining"]
    with pytest.raises(StudyError, match=r"locations\.b: "):
        graph_of(on_b, locations={"a": locations["a"]})


def sources(tmp_path: Path, name: str, text: str = "One line.\n\nAnother.\n") -> str:
    folder = tmp_path / name
    folder.mkdir()
    for code in ("en", "sw"):
        (folder / f"{code}.txt").write_text(f"{code} {text}", encoding="utf-8")
    return str(folder)


def from_files(source: str, **synthetic: int) -> CellConfig:
    corpus = CorpusConfig(source=source, synthetic=SyntheticConfig(**synthetic))
    return CellConfig(languages=["en", "sw"], corpus=corpus)


def test_text_is_known_by_its_content_and_not_by_its_place(tmp_path: Path) -> None:
    locations = {"a": sources(tmp_path, "a"), "b": sources(tmp_path, "b")}
    locations["c"] = sources(tmp_path, "c", "Different.\n")
    made = graph_of(
        from_files("a"),
        from_files("b", size=70_000),
        from_files("c"),
        store=tmp_path / "runs",
        locations=locations,
    )
    assert made.cells["0"] == made.cells["1"]
    assert not set(made.cells["0"].values()) & set(made.cells["2"].values())
    corpus = made.stages[made.cells["0"]["corpus/en"]]
    assert corpus.locations == {"files": locations["a"]}
    assert corpus.config.synthetic is None
    assert [file.name for file in corpus.config.files] == ["en.txt"]


def test_a_source_without_a_location_is_told(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"locations\.cc100: .*set: wiki.*locations\.cc100=FOLDER"):
        graph_of(from_files("cc100"), locations={"wiki": str(tmp_path)})


def test_a_missing_and_an_empty_file_are_told_while_planning(tmp_path: Path) -> None:
    locations = {"a": sources(tmp_path, "a")}
    (tmp_path / "a" / "sw.txt").write_text("")
    with pytest.raises(InputError, match=r"sw\.txt"):
        graph_of(from_files("a"), store=tmp_path / "runs", locations=locations)
    (tmp_path / "a" / "sw.txt").unlink()
    with pytest.raises(InputError, match="sw"):
        graph_of(from_files("a"), store=tmp_path / "runs", locations=locations)


def test_missing_files_of_a_task_are_told_while_planning(tmp_path: Path) -> None:
    config = replace(BASE, tasks={"xnli": TaskConfig(source="data")})
    with pytest.raises(StudyError, match=r"xnli\.test\.tsv.*locations\.data"):
        graph_of(config, store=tmp_path / "runs", locations={"data": str(tmp_path)})


def test_states_and_what_is_not_needed_any_more(tmp_path: Path) -> None:
    store = Store(tmp_path)
    a, b = stage("a"), stage("b")
    c = stage("c", a, b)
    made = graph(a, b, c)
    made.targets = {c.id}
    assert list(made.states(store).values()) == [TO_RUN] * 3
    store.path(*a.id).mkdir(parents=True)
    assert made.states(store) == {a.id: DONE, b.id: TO_RUN, c.id: TO_RUN}
    store.path(*c.id).mkdir(parents=True)
    assert made.states(store) == {a.id: DONE, b.id: NOT_NEEDED, c.id: DONE}


def test_order_is_topological_and_the_longest_chain_goes_first() -> None:
    a, b = stage("a", seconds=1), stage("b", seconds=5)
    c = stage("c", a, seconds=50)
    d = stage("d", b, seconds=1)
    assert graph(a, b, c, d).order() == [a, c, b, d]


def test_many_cells_are_quick(tmp_path: Path) -> None:
    languages = [f"l{number}" for number in range(60)]
    configs = [
        CellConfig(languages=languages, encoder=EncoderConfig(width=12 * width), seed=seed)
        for width in range(1, 41)
        for seed in range(5)
    ]
    made = graph_of(*configs, store=tmp_path)
    assert len(made.stages) == 60 + 1 + 60 + 200 + 200


def test_planning_and_launching_never_import_torch() -> None:
    code = (
        "import sys, grid.pipeline, grid.launch.local, grid.stage\n"
        "print(sorted({'torch', 'deepspeed', 'polars', 'rich'} & set(sys.modules)))"
    )
    assert python(code).communicate(timeout=120)[0].strip() == "[]"
