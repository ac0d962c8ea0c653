"""Retrieval: translations by cosine, with memory that does not grow with the number of pairs."""

import json
import subprocess
import sys
from pathlib import Path

import polars
import pytest
import torch

from model.config import EncoderConfig
from model.context import Context
from model.encoder.description import Description
from model.encoder.encoder import build
from model.encoder.files import write_model
from model.stages import RetrievalStage, TaskDataStage
from model.tasks import data, retrieval
from model.tasks.retrieval import Vectors, layer_of, nearest
from model.text import tokenizer as tokenizers
from model.text.tokenizer import BOS, EOS

CONFIG = EncoderConfig(layers=3, width=16, heads=2, max_positions=24, init_std=0.5, norm="pre")


def test_the_nearest_of_either_side_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    first, second = torch.randn(57, 8), torch.randn(41, 8)
    products = first @ second.T
    expected = (products.argmax(1).tolist(), products.argmax(0).tolist())
    assert nearest(first, second) == expected
    monkeypatch.setattr(retrieval, "_AT_ONCE", 41 * 5)
    assert nearest(first, second) == expected


def test_of_equally_near_sentences_the_first_is_taken() -> None:
    same = torch.ones(3, 4)
    assert nearest(same, same) == ([0, 0, 0], [0, 0, 0])


def test_ten_thousand_by_ten_thousand_sentences_in_a_gibibyte() -> None:
    """The whole process: PyTorch, both sides' vectors at XLM-R Base's width, and the search."""
    code = (
        "import re, torch\n"
        "from pathlib import Path\n"
        "from model.tasks.retrieval import nearest\n"
        "torch.manual_seed(1)\n"
        "first = torch.nn.functional.normalize(torch.randn(10_000, 768), dim=1)\n"
        "there, back = nearest(first, first.flip(0).contiguous())\n"
        "assert there == back == list(range(9_999, -1, -1))\n"
        "status = Path('/proc/self/status').read_text()\n"  # RUSAGE knows the parent's peak, too
        "print(int(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1]) * 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 1 << 30


@torch.no_grad()
@pytest.mark.parametrize("layer", [0, 2, 3])
def test_a_vector_is_the_mean_of_a_layers_states_without_the_special_ones(world, layer) -> None:
    pieces = tokenizers.load(world.tokenizer)
    encoder = build(CONFIG, pieces.rows, 1).eval().encoder
    sentences = ["one two three", "two", "three one two three one two three one two three"]
    found = Vectors(encoder, pieces, 12, layer).of(sentences, None)
    for vector, sentence in zip(found, sentences, strict=True):
        hidden = encoder.embeddings(torch.tensor([[BOS, *pieces.encode(sentence)[:10], EOS]]), None)
        for each in encoder.layer[:layer]:
            hidden = each(hidden, None)
        if layer == CONFIG.layers:
            hidden = encoder.norm(hidden)
        mean = hidden[0, 1:-1].mean(0)
        assert torch.allclose(vector, mean / mean.norm(), atol=1e-5)


def test_the_layer_above_the_middle_unless_one_is_named(world) -> None:
    rows = tokenizers.load(world.tokenizer).rows
    for layers, expected in ((1, 1), (2, 2), (12, 7)):
        encoder = build(EncoderConfig(layers=layers, width=8, heads=1), rows, 1).encoder
        assert layer_of(encoder, None) == expected
    assert layer_of(encoder, 0) == 0


def test_the_stage_finds_what_is_the_same_on_both_sides(world, tmp_path: Path) -> None:
    """An encoder that was not trained still finds a sentence by its own words."""
    pieces = tokenizers.load(world.tokenizer)
    model = build(CONFIG, pieces.rows, 1)
    trained, task, output, files = (tmp_path / name for name in ("model", "task", "out", "files"))
    for folder in (trained, task, output, files):
        folder.mkdir()
    description = Description(encoder=CONFIG, rows=pieces.rows, sequence_length=24)
    write_model(trained, model.named_parameters(), description)
    exposure = {"languages": {"en": {"sequences": 5}}}
    (trained / "exposure.json").write_text(json.dumps(exposure))
    lines = ["one two", "three four five", "six", "seven one three"]
    for name in ("sw-en.sw", "sw-en.en"):
        (files / name).write_text("\n".join(lines) + "\n")
    parts = {"test": {"sw": "sw-en.sw"}, "aligned": {"sw": "sw-en.en"}}
    context = Context(work=tmp_path, locations={"files": str(files)})
    stage = TaskDataStage(
        task="retrieval",
        source="files",
        synthetic=None,
        languages=["sw"],
        files=None,
        train_languages=[],
        parts=parts,
    )
    data.run(stage, {}, task, context)
    config = RetrievalStage(
        task="retrieval",
        source="files",
        pivot="en",
        languages=["sw"],
        most=3,
        max_length=24,
        layer=None,
    )
    inputs = {"pretraining": trained, "tokenizer": world.tokenizer, "task": task}
    retrieval.run(config, inputs, output, context)
    scores = json.loads((output / "scores.json").read_text())
    assert {row["metric"]: row["value"] for row in scores} == {
        "accuracy": 1.0,
        "accuracy_to_pivot": 1.0,
        "accuracy_from_pivot": 1.0,
        "majority_accuracy": 1 / 3,
    }
    assert all(row["n"] == 3 and row["seen"] is False for row in scores)
    predictions = polars.read_parquet(output / "predictions.parquet")
    assert len(predictions) == 2 * 3
    assert (predictions["gold"] == predictions["predicted"]).all()
