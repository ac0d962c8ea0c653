"""Fine-tuning of tags and of answers as the stage runs it, regimes, and what is kept of it."""

import json
from pathlib import Path

import polars
import pytest
import torch
import transformers

from model.context import Context
from model.encoder.encoder import build
from model.encoder.files import read_description, read_encoder, write_weights
from model.errors import InputError
from model.stages import FinetuningStage
from model.task_config import TaskConfig
from model.tasks import finetuning
from model.tasks.catalogue import TASKS
from model.tasks.examples import read
from model.tasks.forms import form_of
from model.tasks.forms.classification import Classification
from model.tasks.predictions import score_again
from model.tasks.task_batches import padded
from model.tasks.task_model import TaskModel, predict
from model.text import tokenizer as tokenizers
from tests.model.tasks.finetunings import easy_task, pretrained_model, run

WORDS = {"NOUN": ("man", "house", "number"), "VERB": ("is", "goes", "sees"), "DET": ("the", "a")}


@pytest.fixture(scope="module")
def pretrained(world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained_model(tmp_path_factory.mktemp("pretrained"), world.tokenizer)


def treebank(path: Path, first: int, count: int) -> None:
    """Sentences in which each word always has the same tag."""
    words = [(word, tag) for tag, found in WORDS.items() for word in found]
    blocks = []
    for number in range(first, first + count):
        chosen = [words[(number * step + step) % len(words)] for step in (1, 3, 5, 2, 7)]
        lines = [
            "\t".join((str(place), word, word, tag, *"______"))
            for place, (word, tag) in enumerate(chosen, 1)
        ]
        blocks.append("\n".join(lines))
    path.write_text("\n\n".join(blocks) + "\n\n")


def articles(path: Path, count: int) -> None:
    """Articles of a sentence: the answer is the word after "the"."""
    data = []
    for number in range(count):
        word = ("man", "house", "number", "day")[number % 4]
        context = f"a {'b ' * (number % 3)}the {word} is it"
        answers = [{"text": word, "answer_start": context.index(word)}]
        found = {"id": str(number), "question": "the", "answers": answers}
        paragraph = {"context": context, "qas": [found]}
        data.append({"title": str(number), "paragraphs": [paragraph]})
    path.write_text(json.dumps({"data": data, "version": "1.1"}))


def described(folder: Path, task: str, parts: dict[str, dict[str, str]]) -> Path:
    facts = {"task": task, "source": "synthetic", "synthetic": True, "parts": parts}
    (folder / "task.json").write_text(json.dumps(facts))
    return folder


def tuned(
    folder: Path, world, pretrained: Path, task: Path, name: str, languages: list[str], **given
) -> tuple[dict, polars.DataFrame, dict]:
    """Test scores by language and metric, predictions, and training.json."""
    output = folder / "output"
    output.mkdir()
    settings = {"max_length": 24, "batch_size": 10, "epochs": 30, "learning_rate": 1e-2}
    regime = given.pop("regime", "zero-shot")
    train = given.pop("train_languages", ["en"])
    config = TaskConfig(**{**settings, "precision": "fp32", **given})
    stage = FinetuningStage(
        task=name, regime=regime, config=config, train_languages=train, languages=languages, seed=1
    )
    inputs = {"pretraining": pretrained, "tokenizer": world.tokenizer, "task": task}
    finetuning.run(stage, inputs, output, Context(work=folder / "work", checkpoint_seconds=1e9))
    rows = json.loads((output / "scores.json").read_text())
    scores = {(r["language"], r["metric"]): r["value"] for r in rows if r["split"] == "test"}
    frame = polars.read_parquet(output / "predictions.parquet")
    return scores, frame, json.loads((output / "training.json").read_text())


def test_tags_are_learnt_in_two_languages_together_and_scored_again(
    world, pretrained: Path, tmp_path: Path
) -> None:
    for name, first, count in (
        ("en_x-ud-train.conllu", 0, 40),
        ("sw_x-ud-train.conllu", 40, 30),
        ("en_x-ud-dev.conllu", 70, 10),
        ("en_x-ud-test.conllu", 80, 10),
        ("sw_x-ud-test.conllu", 90, 10),
    ):
        treebank(tmp_path / name, first, count)
    parts = {
        "train": {code: f"{code}_x-ud-train.conllu" for code in ("en", "sw")},
        "validation": {"en": "en_x-ud-dev.conllu"},
        "test": {code: f"{code}_x-ud-test.conllu" for code in ("en", "sw")},
    }
    task = described(tmp_path, "pos", parts)
    scores, frame, told = tuned(
        tmp_path, world, pretrained, task, "pos", ["en", "sw"],
        train_languages=["en", "sw"], regime="translate-train-all",
    )  # fmt: skip
    assert told["sequences"] == 70 and told["counts"]["train"]["words"] == 350
    for code in ("en", "sw"):
        assert scores[code, "accuracy"] > 0.9 > scores[code, "majority_accuracy"]
        chosen = frame.filter(polars.col("split") == "test", polars.col("language") == code)
        again = score_again(TASKS["pos"], code, chosen)
        assert again == {metric: scores[code, metric] for metric in TASKS["pos"].metrics}
    assert set(frame["split"]) == {"validation", "test"}


def test_answers_are_learnt_from_some_articles_and_tested_on_the_others(
    world, pretrained: Path, tmp_path: Path
) -> None:
    for code in ("en", "sw"):
        articles(tmp_path / f"xquad.{code}.json", 60)
    files = {code: f"xquad.{code}.json" for code in ("en", "sw")}
    parts = {"train": {"en": files["en"]}, "validation": files, "test": files}
    task = described(tmp_path, "xquad", parts)
    scores, frame, told = tuned(
        tmp_path, world, pretrained, task, "xquad", ["en", "sw"],
        train_articles=48, validation_articles=8, stride=4, max_answer=8,
    )  # fmt: skip
    assert told["counts"]["train"]["questions"] == 40
    by_split = {split: set(frame.filter(polars.col("split") == split)["id"]) for split in parts}
    assert by_split["validation"] == {str(number) for number in range(40, 48)}
    assert by_split["test"] == {str(number) for number in range(48, 60)}
    assert set(told["tried"][0]["history"][0]["languages"]) == {"en", "sw"}
    assert scores["en", "f1"] > max(0.8, scores["en", "majority_f1"])
    chosen = frame.filter(polars.col("split") == "test", polars.col("language") == "en")
    again = score_again(TASKS["xquad"], "en", chosen)
    assert again == {metric: scores["en", metric] for metric in ("f1", "exact_match")}
    more = tmp_path / "more"
    more.mkdir()
    with pytest.raises(InputError, match=r"articles after the first 60 for test .*found 60"):
        tuned(more, world, pretrained, task, "xquad", ["en"], train_articles=60)


def test_answers_do_not_depend_on_the_batch_of_prediction(world, pretrained: Path) -> None:
    pieces = tokenizers.load(world.tokenizer)
    examples = read("xnli", world.task / "XNLI-1.0/xnli.test.tsv", language="en", most=60)
    form = form_of(TASKS["xnli"], TaskConfig(max_length=32))
    model = TaskModel(read_encoder(pretrained), form, 1)
    encoded = form.encode(examples, pieces)
    whole = predict(model, form, examples, encoded, "cpu")
    assert len(set(whole)) > 1
    for size in (1, 7, 60):
        groups = [list(range(first, min(first + size, 60))) for first in range(0, 60, size)]
        assert predict(model, form, examples, encoded, "cpu", batches=groups[::-1]) == whole


def test_kept_weights_are_a_model_of_transformers(world, pretrained: Path, tmp_path: Path) -> None:
    task = easy_task(tmp_path)
    output = run(tmp_path, world, pretrained, task, ["en"], epochs=4, keep_weights=True)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(output / "model")
    names = transformers.AutoTokenizer.from_pretrained(output / "model")
    assert theirs.config.id2label == dict(enumerate(TASKS["xnli"].labels or ()))
    examples = read("xnli", task / "XNLI-1.0/xnli.test.tsv", language="en")
    frame = polars.read_parquet(output / "predictions.parquet")
    wanted = frame.filter(polars.col("split") == "test")["predicted"].to_list()
    form = Classification(TASKS["xnli"].labels or (), 32)
    encoded = form.encode(examples, tokenizers.load(world.tokenizer))
    tokens, keep = padded(encoded.tokens)
    given = names([e.first for e in examples], [e.second for e in examples])["input_ids"]
    assert given == encoded.tokens
    with torch.no_grad():
        scores = theirs.eval()(input_ids=tokens, attention_mask=None if keep is None else keep)
    assert form.answers(examples, encoded, form.read(scores.logits, encoded.parts)) == wanted
    assert not (run(tmp_path / "2", world, pretrained, task, ["en"], epochs=1) / "model").exists()


def test_it_begins_with_the_weights_of_a_milestone(world, pretrained: Path, tmp_path: Path) -> None:
    task = easy_task(tmp_path)
    folder = pretrained_model(tmp_path, world.tokenizer)
    description = read_description(folder)
    other = build(description.encoder, description.rows, 9)
    kept = folder / "milestones" / "00000500"
    kept.mkdir(parents=True)
    write_weights(kept / "model.safetensors", other.named_parameters(), description)
    given = {"epochs": 1, "keep_weights": True}
    end = run(tmp_path / "end", world, folder, task, ["en"], **given)
    middle = run(tmp_path / "middle", world, folder, task, ["en"], milestone=500, **given)
    weights = [(each / "model" / "model.safetensors").read_bytes() for each in (end, middle)]
    assert weights[0] != weights[1]
    with pytest.raises(InputError, match="expected the weights after 700 updates, found 500"):
        run(tmp_path / "none", world, folder, task, ["en"], milestone=700, **given)


def test_translate_test_is_scored_in_the_language_that_it_is_read_in(
    world, pretrained: Path, tmp_path: Path
) -> None:
    task = easy_task(tmp_path)
    facts = json.loads((task / "task.json").read_text())
    translated = "XNLI-MT-1.0/xnli/xnli.test.en.tsv"
    (task / translated).parent.mkdir(parents=True)
    own = (task / facts["parts"]["test"]["en"]).read_text()
    (task / translated).write_text(own.replace("\nen\t", "\nsw\t"))
    facts["parts"]["test"]["sw"] = translated
    (task / "task.json").write_text(json.dumps(facts))
    output = run(tmp_path, world, pretrained, task, ["en", "sw"], regime="translate-test", epochs=1)
    rows = json.loads((output / "scores.json").read_text())
    found = {(row["language"], row["n"], row["seen"]) for row in rows if row["split"] == "test"}
    assert found == {("en", 30, True), ("sw", 30, True)}, "what it reads is English, which it saw"
