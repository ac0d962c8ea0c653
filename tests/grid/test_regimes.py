"""Which models a task's regimes ask for, which files each is given, and what cells share."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from grid.errors import StudyError
from grid.graph import Graph
from grid.pipeline import build
from grid.store import Store
from model.config import CellConfig, EncoderConfig, EvaluationConfig, PretrainingConfig
from model.errors import InputError
from model.task_config import TaskConfig

BASE = CellConfig(
    languages=["en", "fr"],
    encoder=EncoderConfig(layers=2, width=16, heads=2),
    pretraining=PretrainingConfig(updates=100),
    evaluation=EvaluationConfig(languages=["de", "en", "fr"]),
)
XNLI = {
    "XNLI-1.0/xnli.dev.tsv",
    "XNLI-1.0/xnli.test.tsv",
    *(f"XNLI-MT-1.0/multinli/multinli.train.{code}.tsv" for code in ("de", "en", "fr")),
}
XQUAD = {f"xquad.{code}.json" for code in ("de", "en")}
UNER = {
    "UNER_English-EWT/en_ewt-ud-test.iob2",
    *(f"UNER_German-PUD/de_pud-ud-{part}.iob2" for part in ("train", "dev", "test")),
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    id: str
    config: CellConfig


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    for name in XNLI | XQUAD | UNER:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def graph(files: Path, *configs: CellConfig) -> Graph:
    cells = [Cell(id=str(number), config=config) for number, config in enumerate(configs)]
    store = Store(files.parent / "runs")
    return build(cells, locations={"tasks": str(files)}, store=store)


def cell(name: str, changes: CellConfig = BASE, **settings: object) -> CellConfig:
    task = TaskConfig(source="tasks", max_length=64, **settings)  # type: ignore[arg-type]
    return replace(changes, tasks={name: task})


def tuned(made: Graph, cell: str = "0") -> dict[str, tuple[str, list[str], list[str]]]:
    """Regime, languages of training and of the test by the role of each fine-tuning."""
    return {
        role.removeprefix("finetuning/"): (stage.regime, stage.train_languages, stage.languages)
        for role, id in made.cells[cell].items()
        if role.startswith("finetuning/")
        for stage in [made.stages[id].config]
    }


def parts(made: Graph, role: str) -> dict[str, dict[str, str]]:
    return made.stages[made.cells["0"][role]].config.parts


def test_each_regime_has_its_models_and_each_model_its_own_files(files: Path) -> None:
    regimes = ["zero-shot", "translate-train", "translate-train-all"]
    made = graph(files, cell("xnli", regimes=regimes))
    every = ["de", "en", "fr"]
    assert tuned(made) == {
        "xnli": ("zero-shot", ["en"], every),
        "xnli/translate-train/de": ("translate-train", ["de"], ["de"]),
        "xnli/translate-train/en": ("translate-train", ["en"], ["en"]),
        "xnli/translate-train/fr": ("translate-train", ["fr"], ["fr"]),
        "xnli/translate-train-all": ("translate-train-all", every, every),
    }
    zero = parts(made, "task/xnli")
    assert zero["train"] == {"en": "XNLI-MT-1.0/multinli/multinli.train.en.tsv"}
    assert zero["test"] == dict.fromkeys(every, "XNLI-1.0/xnli.test.tsv")
    alone = parts(made, "task/xnli/translate-train/fr")
    assert alone["train"] == {"fr": "XNLI-MT-1.0/multinli/multinli.train.fr.tsv"}
    assert set(alone["validation"]) == set(alone["test"]) == {"fr"}
    assert set(parts(made, "task/xnli/translate-train-all")["train"]) == set(every)


def test_a_model_on_own_data_for_each_language_that_has_any(files: Path) -> None:
    made = graph(files, cell("ner", regimes=["in-language", "in-language-all"]))
    assert tuned(made) == {
        "ner/in-language/de": ("in-language", ["de"], ["de"]),
        "ner/in-language-all": ("in-language-all", ["de"], ["de", "en"]),
    }


def test_languages_without_files_are_left_out_unless_they_were_named(files: Path) -> None:
    made = graph(files, cell("ner", train_language="de"))
    assert tuned(made) == {"ner": ("zero-shot", ["de"], ["de", "en"])}
    assert set(parts(made, "task/ner")["validation"]) == {"de"}
    with pytest.raises(StudyError, match=r"tasks\.ner\.regimes: zero-shot .* test file .* for fr"):
        graph(files, cell("ner", train_language="de", languages=["de", "fr"]))
    with pytest.raises(StudyError, match=r"train file of task ner for en.*locations\.tasks"):
        graph(files, cell("ner"))
    with pytest.raises(StudyError, match=r"translate-test.*test file of task xnli for"):
        graph(files, cell("xnli", languages=["de"], regimes=["translate-test"]))


def test_a_task_split_by_article_reads_its_test_files_for_all_parts(files: Path) -> None:
    split = {"train_articles": 36, "validation_articles": 4, "stride": 16}
    made = graph(files, cell("xquad", **split))
    found = parts(made, "task/xquad")
    assert found["train"] == {"en": "xquad.en.json"}
    assert (
        found["validation"]
        == found["test"]
        == {code: f"xquad.{code}.json" for code in ("de", "en")}
    )
    made = graph(files, cell("xquad", train_articles=36, stride=16))
    assert parts(made, "task/xquad")["validation"] == {}


def test_seeds_and_milestones_are_stages_of_their_own_and_no_key_knows_how_many(
    files: Path,
) -> None:
    steps = replace(BASE, pretraining=PretrainingConfig(updates=100, milestones=[10, 100]))
    one = graph(files, cell("xnli", steps))
    more = graph(files, cell("xnli", steps, seeds=[1, 2], milestones=True))
    assert list(tuned(more)) == ["xnli/m10/f1", "xnli/m10/f2", "xnli/f1", "xnli/f2"]
    configs = [more.stages[more.cells["0"][f"finetuning/{role}"]].config for role in tuned(more)]
    assert [(each.seed, each.milestone) for each in configs] == [
        (1, 10), (2, 10), (1, None), (2, None),
    ]  # fmt: skip
    same = one.stages[one.cells["0"]["finetuning/xnli"]].config
    assert same == configs[2]


def test_milestones_are_evaluated_where_that_is_asked_for(files: Path) -> None:
    steps = replace(
        BASE,
        pretraining=PretrainingConfig(updates=100, milestones=[10, 50]),
        evaluation=replace(BASE.evaluation, milestones=True),
    )
    made = graph(files, steps, replace(steps, evaluation=BASE.evaluation))
    roles = [role for role in made.cells["0"] if role.startswith("evaluation")]
    assert roles == ["evaluation/m10", "evaluation/m50", "evaluation"]
    assert made.cells["0"]["evaluation"] == made.cells["1"]["evaluation"]
    untrained = replace(steps, pretraining=replace(steps.pretraining, updates=0))
    assert "evaluation/m10" not in graph(files, untrained).cells["0"]


def test_a_generated_task_is_trained_in_any_language_but_never_translated() -> None:
    task = TaskConfig(regimes=["translate-train"], max_length=64)
    made = graph(Path("/none"), replace(BASE, tasks={"xnli": task}))
    assert list(tuned(made)) == [f"xnli/translate-train/{code}" for code in ("de", "en", "fr")]
    wrong = replace(task, regimes=["translate-test"])
    with pytest.raises(StudyError, match="no translate-test"):
        graph(Path("/none"), replace(BASE, tasks={"xnli": wrong}))


def test_retrieval_pairs_every_language_with_english_and_trains_nothing(files: Path) -> None:
    for code in ("de", "fr"):
        for side in (code, "en"):
            (files / f"{code}-en.{side}").write_text("one\n")
    made = graph(files, cell("retrieval"))
    stage = made.stages[made.cells["0"]["retrieval/retrieval"]].config
    assert (stage.languages, stage.pivot) == (["de", "fr"], "en")
    assert parts(made, "task/retrieval") == {
        "test": {"de": "de-en.de", "fr": "fr-en.fr"},
        "aligned": {"de": "de-en.en", "fr": "fr-en.en"},
    }
    with pytest.raises(InputError, match=r"tasks\.retrieval\.layer: .*at most .* \(2\)"):
        cell("retrieval", layer=3)
