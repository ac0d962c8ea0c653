"""Fine-tuning: pairs, batches, a task that can be learnt, exact repetition, and its files."""

import hashlib
import json
import shutil
from pathlib import Path

import polars
import pytest

from model.config import EncoderConfig, TaskConfig
from model.context import Context
from model.encoder.encoder import build
from model.encoder.files import Description, write_model
from model.errors import DivergenceError, InputError, Stopped
from model.stages import FinetuningStage
from model.tasks import finetuning
from model.tasks.data import COLUMNS
from model.tasks.finetuning import batches, encode, score
from model.tasks.xnli import LABELS, Example
from model.text import tokenizer as tokenizers
from model.text.tokenizer import BOS, EOS
from tests.model.training.runs import StopsAfter

LENGTH = 32
ORDER = [[4, 7], [9, 5, 8, 1], [6, 2, 0, 3]]
"""Of ten examples: a change of it is another order of fine-tuning, so another stage version."""


@pytest.fixture(scope="module")
def pretrained(world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained")
    config = EncoderConfig(
        layers=1, width=32, heads=2, max_positions=LENGTH, norm="pre", initialization="fan_in"
    )
    rows = tokenizers.load(world.tokenizer).rows
    description = Description(encoder=config, rows=rows, sequence_length=LENGTH)
    write_model(folder, build(config, rows, 1).named_parameters(), description)
    exposure = {"languages": {"en": {"sequences": 3}}}
    (folder / "exposure.json").write_text(json.dumps(exposure))
    return folder


def easy_task(folder: Path) -> Path:
    """The label is the hypothesis's first word."""
    words = {"entailment": "the", "neutral": "of", "contradiction": "and"}
    train = folder / "train.en.tsv"
    test = folder / "test.tsv"
    rows = [(f"a man number {i}", words[LABELS[i % 3]], LABELS[i % 3]) for i in range(120)]
    train.write_text(
        "premise\thypothesis\tlabel\n"
        + "".join(f"{a}\t{b}\t{c.replace('contradiction', 'contradictory')}\n" for a, b, c in rows)
    )
    lines = ["\t".join(COLUMNS)]
    for a, b, label in rows[:30]:
        values = dict.fromkeys(COLUMNS, "") | {
            "language": "en",
            "gold_label": label,
            "sentence1": a,
            "sentence2": b,
        }
        lines.append("\t".join(values[name] for name in COLUMNS))
    test.write_text("\n".join(lines) + "\n")
    facts = {
        "task": "xnli",
        "source": "synthetic",
        "synthetic": True,
        "train": "train.{language}.tsv",
        "test": "test.tsv",
    }
    (folder / "task.json").write_text(json.dumps(facts))
    return folder


def run(
    folder: Path,
    world,
    pretrained: Path,
    task: Path,
    languages: list[str],
    context: Context | None = None,
    **changes: object,
) -> Path:
    output = folder / "output"
    output.mkdir(parents=True, exist_ok=True)
    settings = {
        "max_length": LENGTH,
        "epochs": 25,
        "batch_size": 20,
        "learning_rate": 5e-3,
        "precision": "fp32",
    }
    config = TaskConfig(**{**settings, **changes})
    stage = FinetuningStage(task="xnli", config=config, languages=languages, seed=1)
    inputs = {"pretraining": pretrained, "tokenizer": world.tokenizer, "task": task}
    context = context or Context(work=folder / "work", checkpoint_seconds=1e9)
    finetuning.run(stage, inputs, output, context)
    return output


def test_it_learns_an_easy_task_and_repeats_itself(world, pretrained: Path, tmp_path: Path) -> None:
    task = easy_task(tmp_path)
    first = run(tmp_path / "1", world, pretrained, task, ["en", "fr"])
    scores = {row["metric"]: row for row in json.loads((first / "scores.json").read_text())}
    assert scores["accuracy"]["value"] > 0.9
    assert scores["majority_accuracy"]["value"] == pytest.approx(1 / 3)
    assert scores["accuracy"]["n"] == 30 and scores["accuracy"]["seen"]
    frame = polars.read_parquet(first / "predictions.parquet")
    assert frame.columns == ["language", "index", "gold", "predicted"]
    right = (frame["gold"] == frame["predicted"]).mean()
    assert right == pytest.approx(scores["accuracy"]["value"])
    assert frame["index"].to_list() == list(range(30))
    second = run(tmp_path / "2", world, pretrained, task, ["en", "fr"])
    for name in ("scores.json", "predictions.parquet"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_it_stops_when_asked_and_goes_on_from_there(
    world, pretrained: Path, tmp_path: Path
) -> None:
    task = easy_task(tmp_path)
    whole = run(tmp_path / "whole", world, pretrained, task, ["en"], epochs=3)
    folder = tmp_path / "stopped"
    stops = StopsAfter(work=folder / "work", checkpoint_seconds=0.0, reported=6)
    with pytest.raises(Stopped, match=r"^stopped after update 7 of 18$"):
        run(folder, world, pretrained, task, ["en"], context=stops, epochs=3)
    assert sorted(path.name for path in (folder / "work" / "checkpoints").iterdir()) == [
        "00000006",
        "00000007",
    ]
    progress = tmp_path / "progress.jsonl"
    goes_on = Context(work=folder / "work", checkpoint_seconds=0.0, progress_file=progress)
    output = run(folder, world, pretrained, task, ["en"], context=goes_on, epochs=3)
    assert json.loads(progress.read_text().splitlines()[0])["step"] == 8
    for name in ("scores.json", "predictions.parquet"):
        assert (output / name).read_bytes() == (whole / name).read_bytes()


def test_a_resumed_run_watches_on_as_if_it_had_not_stopped(
    world, pretrained: Path, tmp_path: Path
) -> None:
    task = easy_task(tmp_path)
    stops = StopsAfter(work=tmp_path / "work", checkpoint_seconds=0.0, reported=6, spike=3.0)
    with pytest.raises(Stopped):
        run(tmp_path, world, pretrained, task, ["en"], context=stops, epochs=3)
    saved = tmp_path / "work" / "checkpoints" / "00000007"
    watch = json.loads((saved / "state.json").read_text())["watch"]
    assert len(watch["recent"]) == 7 and watch["lowest_step"] > 0
    # The losses so far as if they had been far lower: a watch that began anew would not know.
    changed = json.loads((saved / "state.json").read_text())
    changed["watch"] |= {"lowest": -10.0, "recent": [-10.0] * 50}
    (saved / "state.json").write_text(json.dumps(changed, sort_keys=True))
    checksums = json.loads((saved / "checksums.json").read_text())
    digest = hashlib.sha256((saved / "state.json").read_bytes()).hexdigest()
    (saved / "checksums.json").write_text(json.dumps(checksums | {"state.json": digest}))
    goes_on = Context(work=tmp_path / "work", checkpoint_seconds=1e9, spike=0.1)
    with pytest.raises(DivergenceError, match=r"after -9\.\d+ at update 8"):
        run(tmp_path, world, pretrained, task, ["en"], context=goes_on, epochs=3)


def test_a_learning_rate_that_destroys_it_is_found_out(
    world, pretrained: Path, tmp_path: Path
) -> None:
    watched = Context(work=tmp_path / "work", spike=3.0)
    with pytest.raises(DivergenceError, match=r"^fine-tuning has diverged: .*tasks\.\*\.learning_"):
        run(
            tmp_path,
            world,
            pretrained,
            easy_task(tmp_path),
            ["en"],
            context=watched,
            learning_rate=100.0,
        )


def test_it_runs_on_the_synthetic_task(world, pretrained: Path, tmp_path: Path) -> None:
    output = run(
        tmp_path,
        world,
        pretrained,
        world.task,
        ["en", "sw"],
        train_examples=60,
        test_examples=30,
        epochs=1,
        precision="bf16",
    )
    scores = json.loads((output / "scores.json").read_text())
    assert [(row["language"], row["metric"], row["seen"]) for row in scores] == [
        ("en", "accuracy", True),
        ("en", "majority_accuracy", True),
        ("sw", "accuracy", False),
        ("sw", "majority_accuracy", False),
    ]
    assert all(0 <= row["value"] <= 1 and row["n"] == 30 for row in scores)


def test_files_are_looked_for_at_the_location(world, pretrained: Path, tmp_path: Path) -> None:
    task = easy_task(tmp_path)
    facts = json.loads((task / "task.json").read_text()) | {"source": "nli", "synthetic": False}
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    (artifact / "task.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match=r"locations\.nli: expected the folder"):
        run(tmp_path / "1", world, pretrained, artifact, ["en"])
    shutil.rmtree(tmp_path / "1")
    with pytest.raises(InputError, match="expected examples in one of zh, found none"):
        run(tmp_path / "1", world, pretrained, task, ["zh"])


def test_pairs_are_joined_and_the_longer_sentence_is_cut(world) -> None:
    pieces = tokenizers.load(world.tokenizer)
    first, second = pieces.encode("a b c d e f g h i j k l"), pieces.encode("a b")
    pair = [Example(premise="a b c d e f g h i j k l", hypothesis="a b", label=2)]
    whole = encode(pair, pieces, 100)
    assert whole.tokens == [[BOS, *first, EOS, EOS, *second, EOS]]
    assert whole.labels == [2]
    room = len(second) + 3
    assert encode(pair, pieces, room + 4).tokens == [[BOS, *first[:3], EOS, EOS, *second, EOS]]
    both = [Example(premise="a b c d e f", hypothesis="a b c d e f g h", label=0)]
    (cut,) = encode(both, pieces, 12).tokens
    assert len(cut) == 12 and cut[5] == cut[6] == EOS


def test_an_epoch_holds_each_example_once_in_batches_of_like_length() -> None:
    lengths = [(7 * i) % 40 for i in range(103)]
    found = batches(lengths, 10, seed=1, epoch=0)
    assert sorted(index for batch in found for index in batch) == list(range(103))
    assert sorted(map(len, found)) == [3] + [10] * 10
    assert max(max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in found) <= 8
    assert found == batches(lengths, 10, seed=1, epoch=0)
    assert found != batches(lengths, 10, seed=1, epoch=1)
    assert found != batches(lengths, 10, seed=2, epoch=0)


def test_the_order_is_the_same_under_every_numpy() -> None:
    assert batches([1] * 10, 4, seed=3, epoch=2) == ORDER


def test_majority_is_the_commonest_label_of_the_test() -> None:
    right, majority = score("xnli", "en", [0, 1, 1, 2], [0, 1, 0, 0], True)
    assert right["value"] == 0.5 and majority["value"] == 0.5
