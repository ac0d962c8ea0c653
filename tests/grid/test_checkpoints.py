"""Studies that start from published models: keys by content, and mistakes told at plan time."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from grid import checkpoints
from grid.errors import StudyError
from grid.graph import Graph
from grid.identity import plain
from grid.pipeline import build, stages_of
from grid.store import Store
from grid.typed import name_of, named, rebuild
from model.config import CellConfig, EncoderConfig, PretrainingConfig, TokenizerConfig
from model.encoder import weights
from model.encoder.huggingface import parameters, to_config
from model.encoder.published import check, inspect
from model.errors import InputError
from tests.model.published import ENCODER, PIECES, publish

ENCODER_AS_READ = replace(ENCODER, feed_forward=64, pad_vocab_to=4)


def cell(**changes: object) -> CellConfig:
    values = {
        "languages": ["en", "sw"],
        "checkpoint": "model",
        "encoder": ENCODER,
        "tokenizer": TokenizerConfig(vocab_size=PIECES),
        "pretraining": PretrainingConfig(updates=0, sequence_length=16),
    }
    return CellConfig(**values | changes)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return publish(tmp_path / "model")


def stages(config: CellConfig, folder: Path, tmp_path: Path) -> dict[str, str]:
    found = stages_of(config, locations={"model": str(folder)}, store=Store(tmp_path / "runs"))
    return {role: f"{stage.name} {stage.key}" for role, stage in found.items()}


def test_a_model_is_known_by_its_content(folder: Path, tmp_path: Path) -> None:
    first = stages(cell(), folder, tmp_path)
    elsewhere = shutil.copytree(folder, tmp_path / "elsewhere")
    assert stages(cell(), elsewhere, tmp_path) == first
    locations = {"other": str(folder)}
    named = stages_of(cell(checkpoint="other"), locations=locations, store=Store(tmp_path / "runs"))
    assert {role: f"{stage.name} {stage.key}" for role, stage in named.items()} == first
    others = stages(cell(), publish(tmp_path / "changed", seed=2), tmp_path)
    changed = {role for role in first if first[role] != others[role]}
    assert changed == {"checkpoint", "pretraining", "evaluation"}, "the tokenizer is the same"


def test_without_updates_the_checkpoint_is_what_is_scored(folder: Path, tmp_path: Path) -> None:
    found = stages(cell(), folder, tmp_path)
    assert found["pretraining"] == found["checkpoint"]
    assert found["tokenizer"].startswith("checkpoint_tokenizer ")
    scored = replace(cell(), languages=["en", "fr", "sw"])
    scored.evaluation.languages = ["sw"]
    assert {role for role in stages(scored, folder, tmp_path) if "/" in role} == {
        "corpus/sw", "shards/sw"
    }, "nothing is made of languages that are neither trained on nor scored"  # fmt: skip
    seeds = [stages(cell(seed=seed), folder, tmp_path)["evaluation"] for seed in (1, 2)]
    assert seeds[0] == seeds[1]


def test_with_updates_it_is_trained_on(folder: Path, tmp_path: Path) -> None:
    recipe = PretrainingConfig(updates=5, sequence_length=16)
    store = Store(tmp_path / "runs")
    found = stages_of(cell(pretraining=recipe), locations={"model": str(folder)}, store=store)
    assert found["pretraining"].name == "pretraining"
    assert found["pretraining"].inputs["checkpoint"] == found["checkpoint"].id
    keys = {
        stages(cell(pretraining=recipe, seed=seed), folder, tmp_path)["pretraining"]
        for seed in (1, 2)
    }
    assert len(keys) == 2
    assert not any(stage.needs_torch for stage in found.values() if "checkpoint" in stage.name)


def test_dropout_is_the_cell_s_own(folder: Path, tmp_path: Path) -> None:
    changed = cell(encoder=replace(ENCODER, dropout=0.3))
    one, other = stages(cell(), folder, tmp_path), stages(changed, folder, tmp_path)
    assert one["checkpoint"] != other["checkpoint"] and one["tokenizer"] == other["tokenizer"]
    spelt = cell(encoder=replace(ENCODER, init_std=0.5, feed_forward=4 * ENCODER.width))
    assert stages(spelt, folder, tmp_path) == one, "how it was initialised does not matter"


def test_configurations_survive_their_way_through_json(folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for stage in stages_of(cell(), locations={"model": str(folder)}, store=store).values():
        text = json.dumps(plain(stage.config))
        assert rebuild(named(name_of(type(stage.config))), json.loads(text)) == stage.config


def graph(config: CellConfig, folder: Path, tmp_path: Path) -> Graph:
    class Cell:
        id = "cell"

    Cell.config = config  # type: ignore[attr-defined]
    return build([Cell()], locations={"model": str(folder)}, store=Store(tmp_path))  # type: ignore[list-item]


def test_another_architecture_is_told_field_by_field(folder: Path, tmp_path: Path) -> None:
    config = cell(
        encoder=EncoderConfig(layers=3, width=24, heads=4, norm="pre", max_positions=20),
        tokenizer=TokenizerConfig(vocab_size=70, kind="bpe"),
    )
    with pytest.raises(InputError) as caught:
        graph(config, folder, tmp_path)
    message = str(caught.value)
    assert not isinstance(caught.value, StudyError), "a plan fails, too"
    for part in (
        "encoder.layers: 3, the checkpoint has 2",
        "encoder.width: 24, the checkpoint has 16",
        "encoder.heads: 4, the checkpoint has 2",
        "encoder.feed_forward: 96, the checkpoint has 64",
        "encoder.norm: 'pre', the checkpoint has 'post'",
        "encoder.max_positions: 20, the checkpoint has 32",
        "encoder.pad_vocab_to: 1, the checkpoint has 4",
        "tokenizer.kind: 'bpe', the checkpoint has 'unigram'",
        f"tokenizer.vocab_size: 70, the checkpoint has {PIECES}",
        "write encoder: {layers: 2, width: 16, heads: 2, max_positions: 32, pad_vocab_to: 4}",
    ):
        assert part in message


def test_rows_and_not_their_multiple_are_compared(folder: Path, tmp_path: Path) -> None:
    rows = json.loads((folder / "config.json").read_text())["vocab_size"]
    made = graph(cell(encoder=replace(ENCODER, pad_vocab_to=rows)), folder, tmp_path)
    checkpoint = made.stages[made.cells["cell"]["checkpoint"]]
    assert (
        checkpoint.config.encoder
        == graph(cell(), folder, tmp_path).stages[checkpoint.id].config.encoder
    ), "one checkpoint, however its rows came about"


def test_what_import_prints_is_a_study(folder: Path, tmp_path: Path) -> None:
    import grid

    text = checkpoints.yaml_lines(inspect(folder), "model")
    study = tmp_path / "study.yaml"
    study.write_text(text.replace("cell:\n", "cell:\n  languages: [en]\n"), encoding="utf-8")
    loaded = grid.load(
        study, "cell.pretraining.sequence_length=16", store=tmp_path / "runs", site=None
    )
    assert "checkpoint" in loaded.graph().cells[loaded.cells[0].id]


def test_a_location_is_needed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"locations\.model: expected the folder"):
        stages_of(cell(), locations={}, store=Store(tmp_path / "runs"))


def test_what_is_missing_in_a_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pickles and can run any program.*save_pretrained"):
        inspect(folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(InputError, match=r"expected model\.safetensors or .*, found neither"):
        inspect(folder)
    (folder / weights.INDEX).write_text('{"weight_map": {"a": "part.safetensors"}}')
    with pytest.raises(InputError, match=r"missing: part\.safetensors"):
        inspect(folder)
    (folder / "sentencepiece.bpe.model").unlink()
    with pytest.raises(InputError, match=r"expected the tokenizer sentencepiece\.bpe\.model"):
        inspect(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"expected a published model's config\.json"):
        inspect(folder)
    with pytest.raises(InputError, match="expected the folder of a published model, found none"):
        inspect(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "expected xlm-roberta or xlm-roberta-xl, found 'bert'"),
        ({"layer_norm_eps": 1e-12}, "layer_norm_eps: expected 1e-05, found 1e-12"),
        ({"type_vocab_size": 2, "hidden_act": "relu"}, "hidden_act: .*; type_vocab_size: "),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings: expected True"),
        (
            {"hidden_size": None},
            "hidden_size: expected a whole number from 1 to 1048576, found None",
        ),
        ({"vocab_size": 50}, "the tokenizer has 62 ids, but the embedding only 50 rows"),
        ({"num_hidden_layers": 3}, "16 of 58 tensors .* are missing"),
        ({"num_hidden_layers": 1}, "hold 16 tensors that XLM-R does not have"),
        ({"intermediate_size": 32}, r"intermediate.dense.weight: expected \[32, 16\] numbers"),
    ],
)
def test_a_model_of_another_kind_is_refused(
    changes: dict[str, object], message: str, folder: Path
) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(InputError, match=message):
        inspect(folder)


def test_the_hub_s_own_layout_is_read(folder: Path) -> None:
    """XLM-R's files also hold counters, the pooler, and the decoder under a second name."""
    tensors = load_file(folder / weights.WEIGHTS)
    words = "roberta.embeddings.word_embeddings.weight"
    tensors["roberta.embeddings.position_ids"] = np.arange(34)[None]
    tensors["roberta.pooler.dense.weight"] = np.zeros((16, 16), np.float32)
    tensors["roberta.pooler.dense.bias"] = np.zeros(16, np.float32)
    tensors["lm_head.decoder.weight"] = tensors[words].copy()
    tensors["lm_head.decoder.bias"] = tensors["lm_head.bias"].copy()
    save_file(tensors, folder / weights.WEIGHTS)
    file = folder / "config.json"
    said = {"output_past": True, "position_embedding_type": "absolute", "use_cache": True}
    file.write_text(json.dumps(json.loads(file.read_text()) | said))
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 24}')
    found = inspect(folder)
    check(found)
    assert found.sequence_length == 24 and found.encoder == ENCODER_AS_READ
    tensors["lm_head.decoder.weight"] += 1
    save_file(tensors, folder / weights.WEIGHTS)
    with pytest.raises(InputError, match=f"decoder.weight differs from {words}: .* is tied"):
        inspect(folder)


def test_damaged_weights_are_found(folder: Path, tmp_path: Path) -> None:
    file = folder / weights.WEIGHTS
    whole = file.read_bytes()
    check(inspect(folder))
    for content in (whole[:-1], whole[:100], b"", whole + b"x", b"\xff" * 64):
        file.write_bytes(content)
        with pytest.raises(InputError, match="expected a whole safetensors file"):
            inspect(folder)
    file.write_bytes(whole[:-4] + b"\x00\x00\xc0\x7f")  # NaN
    found = inspect(folder)
    with pytest.raises(InputError, match=r"expected finite numbers, found NaN or infinity"):
        check(found)


def test_a_file_that_changed_after_the_plan_is_refused(folder: Path, tmp_path: Path) -> None:
    from model.context import Context
    from model.encoder import published
    from model.text import published_tokenizer

    found = graph(cell(), folder, tmp_path)
    context = Context(work=tmp_path, locations={"checkpoint": str(folder)})
    for name, module, file in (
        ("checkpoint", published, "model.safetensors"),
        ("checkpoint_tokenizer", published_tokenizer, "sentencepiece.bpe.model"),
    ):
        (config,) = [stage.config for stage in found.stages.values() if stage.name == name]
        (output := tmp_path / name).mkdir()
        module.run(config, {}, output, context)
        before = (folder / file).stat()
        content = bytearray((folder / file).read_bytes())
        content[-1] ^= 1
        (folder / file).write_bytes(content)
        os.utime(folder / file, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(InputError, match="has changed since it was planned"):
            module.run(config, {}, output, context)


@pytest.mark.parametrize(
    ("ids", "rows", "multiple"),
    [(250_002, 250_002, 1), (250_002, 250_880, 1024), (62, 64, 4), (5, 9, 9), (10, 21, 21)],
)
def test_the_rows_of_a_table_tell_their_multiple(ids: int, rows: int, multiple: int) -> None:
    from model.encoder.huggingface import padding

    assert padding(ids, rows) == multiple and -(-ids // multiple) * multiple == rows


def test_config_json_says_what_is_read_from_it() -> None:
    from model.encoder.huggingface import from_config

    for norm in ("post", "pre"):
        encoder = EncoderConfig(layers=3, width=24, heads=3, feed_forward=50, norm=norm)
        values = json.loads(json.dumps(to_config(encoder, 1003)))
        assert from_config(values) == (encoder, 1003)
        names = [name for parameter in parameters(encoder, 1003) for name in parameter.theirs]
        assert len(names) == len(set(names))
