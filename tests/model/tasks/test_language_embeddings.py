"""Language embeddings, as XLM had them: in pretraining, likelihood and fine-tuning."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model.config import (
    CellConfig,
    EncoderConfig,
    EvaluationConfig,
    PretrainingConfig,
    SamplingConfig,
)
from model.context import Context
from model.encoder.encoder import build
from model.encoder.files import read_description, read_encoder
from model.errors import InputError
from model.stages import EvaluationStage, FinetuningStage, PretrainingStage
from model.task_config import TaskConfig
from model.tasks import finetuning, likelihood
from model.training import pretraining

ENCODER = EncoderConfig(layers=1, width=16, heads=2, max_positions=32, language_embeddings=True)
FRENCH = TaskConfig(train_language="fr", max_length=32)
SHORT = PretrainingConfig(sequence_length=32)
TABLE = "encoder.embeddings.language_embeddings.weight"


@pytest.fixture(scope="module")
def pretrained(world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("pretrained")
    stage = PretrainingStage(
        languages=["sw", "en"],
        sampling=SamplingConfig(alpha=0.5),
        encoder=ENCODER,
        pretraining=PretrainingConfig(
            updates=12, batch_size=6, sequence_length=32, learning_rate=1e-2, precision="fp32"
        ),
        seed=7,
    )
    context = Context(work=tmp_path_factory.mktemp("work"), micro_batch=4)
    pretraining.run(stage, world.pretraining_inputs, output, context)
    return output


def test_each_language_learns_a_row(pretrained: Path) -> None:
    description = read_description(pretrained)
    assert description.languages == ["en", "sw"] and description.language_row("sw") == 1
    start = build(ENCODER, description.rows, 7, languages=2).get_parameter(TABLE)
    change = (load_file(pretrained / "model.safetensors")[TABLE] - start.detach()).abs()
    assert change.shape == (2, 16) and (change > 0).all()


def test_the_language_changes_the_vectors_and_nothing_else_does(pretrained: Path) -> None:
    encoder = read_encoder(pretrained).eval()
    tokens = torch.randint(4, 90, (2, 8), generator=torch.Generator().manual_seed(0))
    both = encoder(tokens, None, torch.tensor([0, 1]))
    english = encoder(tokens, None, torch.tensor([0, 0]))
    assert torch.equal(both[0], english[0]) and not torch.allclose(both[1], english[1])
    with torch.no_grad():
        encoder.embeddings.language_embeddings.weight.zero_()
        without = encoder(tokens, None, torch.tensor([0, 1]))
        encoder.embeddings.language_embeddings = None
        assert torch.equal(encoder(tokens), without)


def evaluate(world, pretrained: Path, folder: Path, languages: list[str]) -> dict[str, float]:
    inputs = {"pretraining": pretrained, "tokenizer": world.tokenizer}
    for code in ("en", "sw"):
        inputs |= {f"corpus/{code}": world.corpora[code], f"shards/{code}": world.shards[code]}
    output = folder / "likelihood"
    output.mkdir()
    stage = EvaluationStage(languages=languages, evaluation=EvaluationConfig(max_bytes=400))
    likelihood.run(stage, inputs, output, Context(work=folder))
    rows = json.loads((output / "scores.json").read_text())
    return {row["language"]: row["value"] for row in rows if row["metric"] == "bits_per_byte"}


def test_likelihood_reads_each_text_in_its_language(
    world, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = evaluate(world, pretrained, tmp_path, ["en", "sw"])
    monkeypatch.setattr(likelihood.read_description(pretrained).__class__, "language_row", _second)
    (tmp_path / "wrong").mkdir()
    wrong = evaluate(world, pretrained, tmp_path / "wrong", ["en", "sw"])
    assert wrong["sw"] == right["sw"] and wrong["en"] != right["en"]


def _second(description: object, language: str) -> int:
    return 1


def test_finetuning_reads_each_text_in_its_language(
    world, pretrained: Path, tmp_path: Path
) -> None:
    task = TaskConfig(
        train_examples=40,
        validation_examples=9,
        test_examples=10,
        max_length=32,
        epochs=1,
        precision="fp32",
    )
    stage = FinetuningStage(
        task="xnli",
        regime="zero-shot",
        config=task,
        train_languages=["en"],
        languages=["en", "sw"],
        seed=1,
    )
    inputs = {"pretraining": pretrained, "tokenizer": world.tokenizer, "task": world.task}
    output = tmp_path / "output"
    output.mkdir()
    finetuning.run(stage, inputs, output, Context(work=tmp_path / "work"))
    scores = json.loads((output / "scores.json").read_text())
    assert {row["language"] for row in scores} == {"en", "sw"}


def test_other_languages_are_refused(world, pretrained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"language 'fr': expected one that the model .*en, sw"):
        evaluate(world, pretrained, tmp_path, ["fr"])
    for settings, key in (
        ({"evaluation": EvaluationConfig(languages=["en", "fr"])}, "evaluation.languages"),
        (
            {"tasks": {"xnli": TaskConfig(train_language="fr", max_length=32)}},
            "tasks.xnli.train_language",
        ),
    ):
        with pytest.raises(InputError, match=rf"{key}: .*trained on.*\['fr'\]"):
            CellConfig(
                languages=["en", "sw"], encoder=EncoderConfig(language_embeddings=True), **settings
            )
        CellConfig(languages=["en", "sw"], pretraining=SHORT, **settings)
    with pytest.raises(InputError, match="false for a cell that starts from a checkpoint"):
        CellConfig(languages=["en"], encoder=ENCODER, pretraining=SHORT, checkpoint="xlmr")
