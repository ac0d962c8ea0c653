"""Against transformers, through files: the same logits, loss, gradients, and the same bytes back.

Everything that needs transformers' models stands here, for its import takes seconds.
"""

import hashlib
import json
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor, nn

from model.config import EncoderConfig, TokenizerConfig
from model.context import Context
from model.encoder import export, published, weights
from model.encoder.description import Description, padded_rows
from model.encoder.encoder import MaskedLanguageModel, build
from model.encoder.files import load_weights, read_language_model, write_model
from model.encoder.huggingface import parameters, to_config
from model.errors import InputError
from model.stages import CheckpointStage, SourceFile, TokenizerStage
from model.text import tokenizer as tokenizers

PIECES = 150
IDS = PIECES + 2
SIZES = {
    "base": (EncoderConfig(), 250_002, 278_295_186),
    "large": (EncoderConfig(layers=24, width=1024, heads=16), 250_002, 560_142_482),
    "xl": (
        EncoderConfig(layers=36, width=2560, heads=32, norm="pre", pad_vocab_to=1024),
        250_002,
        3_482_741_760,
    ),
    "xxl": (
        EncoderConfig(layers=48, width=4096, heads=32, norm="pre", pad_vocab_to=1024),
        250_002,
        10_712_994_816,
    ),
}
"""Conneau et al. 2020, Table 7, and Goyal et al. 2021, Table 1, with the exact counts."""


def config(norm: str, **changes: object) -> EncoderConfig:
    values = {"layers": 3, "width": 48, "heads": 4, "feed_forward": 80, "max_positions": 40}
    values |= {"dropout": 0.0, "attention_dropout": 0.0, "norm": norm, "pad_vocab_to": 16}
    return EncoderConfig(**values | changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tokenizer_artifact(world, tmp_path_factory) -> Path:
    """A tokenizer of 150 pieces, made by its stage."""
    assert json.loads((world.small_tokenizer / "tokenizer.json").read_text())["pieces"] == PIECES
    return world.small_tokenizer


def randomised(encoder: EncoderConfig) -> MaskedLanguageModel:
    """A model with no parameter at its starting value, for zeros and ones hide mistakes."""
    model = build(encoder, IDS, seed=3)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            around = 1.0 if name.endswith("norm.weight") else 0.0
            parameter.copy_(around + 0.2 * torch.randn(parameter.shape))
    return model


def trained(folder: Path, model: MaskedLanguageModel, encoder: EncoderConfig) -> Path:
    """What a pretraining leaves."""
    folder.mkdir()
    about = Description(encoder=encoder, rows=IDS, sequence_length=32)
    write_model(folder, model.named_parameters(), about)
    return folder


def exported(tmp_path: Path, tokenizer: Path, encoder: EncoderConfig) -> Path:
    artifact = trained(tmp_path / "trained", randomised(encoder), encoder)
    (folder := tmp_path / "exported").mkdir()
    export.write_folder(folder, trained=artifact, tokenizer=tokenizer)
    return folder


def imported(tmp_path: Path, folder: Path) -> Path:
    """The stage `checkpoint` on a folder."""
    found = published.inspect(folder)
    checked = [weights_file(path) for path in found.files]
    stage = CheckpointStage(
        encoder=found.encoder, rows=found.ids, sequence_length=found.sequence_length, files=checked
    )
    (output := tmp_path / "imported").mkdir()
    context = Context(work=tmp_path, locations={"checkpoint": str(folder)})
    published.run(stage, {}, output, context)
    return output


def weights_file(path: Path) -> SourceFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return SourceFile(name=path.name, bytes=len(content), sha256=digest)


def batch(rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens with padding at the ends, where they are real, and labels at some places."""
    generator = torch.Generator().manual_seed(1)
    tokens_BT = torch.randint(4, rows, (5, 17), generator=generator)
    lengths = torch.tensor([17, 11, 3, 9, 16])
    keep_BT = torch.arange(17)[None] < lengths[:, None]
    tokens_BT[~keep_BT] = tokenizers.PAD
    labels_BT = torch.where(
        keep_BT & (torch.rand(5, 17, generator=generator) < 0.4), tokens_BT, -100
    )
    return tokens_BT, keep_BT, labels_BT


def loss_of_ours(model: MaskedLanguageModel, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    tokens_BT, keep_BT, labels_BT = batch
    positions_N = (labels_BT.flatten() != -100).nonzero().flatten()
    logits_NV = model.logits(tokens_BT, positions_N, keep_BT)
    return nn.functional.cross_entropy(logits_NV, labels_BT.flatten()[positions_N])


def their_gradients(model: nn.Module, encoder: EncoderConfig, rows: int) -> dict[str, Tensor]:
    """Gradients of transformers' model by our names."""

    def gradient(name: str) -> Tensor:
        found = model.get_parameter(name).grad
        assert found is not None, name
        return found

    return {
        parameter.name: torch.cat([gradient(name) for name in parameter.theirs])
        for parameter in parameters(encoder, rows)
    }


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_transformers_computes_the_same(norm: str, tmp_path, tokenizer_artifact) -> None:
    """Exported, loaded there, compared with what is imported again: logits, loss, gradients."""
    encoder = config(norm)
    rows = padded_rows(encoder, IDS)
    folder = exported(tmp_path, tokenizer_artifact, encoder)
    theirs, report = transformers.AutoModelForMaskedLM.from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager"
    )
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert type(theirs).__name__ == f"XLMRoberta{'XL' if norm == 'pre' else ''}ForMaskedLM"
    ours = read_language_model(imported(tmp_path, folder))
    assert rows == 160 and sum(p.numel() for p in theirs.parameters()) == sum(
        p.numel() for p in ours.parameters()
    )
    data = tokens_BT, keep_BT, labels_BT = batch(rows)

    theirs.train()  # its dropout is 0
    answer = theirs(tokens_BT, attention_mask=keep_BT.long(), labels=labels_BT)
    ours.train()
    places_N = keep_BT.flatten().nonzero().flatten()
    logits_NV = ours.logits(tokens_BT, places_N, keep_BT)
    torch.testing.assert_close(logits_NV, answer.logits.flatten(0, 1)[places_N], rtol=0, atol=1e-5)
    loss = loss_of_ours(ours, data)
    assert abs(loss.item() - answer.loss.item()) < 1e-6
    assert loss.item() > 1  # the comparison is of a number that is worth comparing

    loss.backward()
    answer.loss.backward()
    wanted = their_gradients(theirs, encoder, rows)
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None
        difference = (parameter.grad - wanted[name]).norm() / wanted[name].norm()
        assert difference < 1e-5, (name, difference.item())


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_there_and_back_is_the_same_to_the_bit(norm: str, tmp_path, tokenizer_artifact) -> None:
    folder = exported(tmp_path, tokenizer_artifact, config(norm))
    back = imported(tmp_path, folder)
    ours, first = (load_file(tmp_path / name / weights.WEIGHTS) for name in ("trained", "imported"))
    assert ours.keys() == first.keys() and all(ours[name].equal(first[name]) for name in ours)
    (again := tmp_path / "again").mkdir()
    export.write_folder(again, trained=back, tokenizer=tokenizer_artifact)
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_what_transformers_saves_is_imported(tmp_path, tokenizer_artifact) -> None:
    """Split into parts, with an index, and in bf16."""
    folder = exported(tmp_path, tokenizer_artifact, config("pre"))
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.bfloat16)
    saved = tmp_path / "saved"
    model.save_pretrained(saved, max_shard_size="50KB")
    assert len(list(saved.glob("*.safetensors"))) > 2
    (saved / "sentencepiece.bpe.model").write_bytes(
        (tokenizer_artifact / "sentencepiece.model").read_bytes()
    )
    found = published.inspect(saved)
    assert found.dtypes == ("BF16",) and found.pieces == PIECES
    published.check(found)
    there = load_file(imported(tmp_path, saved) / weights.WEIGHTS)
    for name, value in load_file(tmp_path / "trained" / weights.WEIGHTS).items():
        assert there[name].dtype == torch.float32
        assert there[name].equal(value.to(torch.bfloat16).float()), name


def test_export_in_bf16_rounds_as_torch_does(tmp_path, tokenizer_artifact) -> None:
    encoder = config("post")
    artifact = trained(tmp_path / "trained", randomised(encoder), encoder)
    export.write_folder(tmp_path, trained=artifact, tokenizer=tokenizer_artifact, precision="bf16")
    model = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path)
    assert model.dtype == torch.bfloat16
    own = load_file(artifact / weights.WEIGHTS)
    name = "embeddings.word_embeddings.weight"
    assert model.roberta.get_parameter(name).equal(own[f"encoder.{name}"].bfloat16())


@pytest.mark.parametrize("size", sorted(SIZES))
def test_published_sizes_have_their_exact_parameters(size: str) -> None:
    """Built by transformers from our config.json, on the meta device, and counted by ours."""
    encoder, ids, expected = SIZES[size]
    rows = padded_rows(encoder, ids)
    values = to_config(encoder, rows)
    settings = transformers.AutoConfig.for_model(**values)
    with torch.device("meta"):
        model = transformers.AutoModelForMaskedLM.from_config(settings)
        own = MaskedLanguageModel(encoder, rows)
    wanted = parameters(encoder, rows)
    assert sum(p.numel() for p in model.parameters()) == expected
    assert sum(parameter.size for parameter in wanted) == expected
    assert {p.name: p.shape for p in wanted} == {
        n: tuple(p.shape) for n, p in own.named_parameters()
    }


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_fill_mask_and_the_tokenizer_work(kind: str, tmp_path, world) -> None:
    (artifact := tmp_path / "tokenizer").mkdir()
    inputs = {f"corpus/{code}": path for code, path in world.corpora.items()}
    settings = TokenizerConfig(
        languages=["en", "sw"], kind=kind, vocab_size=PIECES, sample_bytes=100_000
    )
    stage = TokenizerStage(tokenizer=settings)
    tokenizers.run(stage, inputs, artifact, Context(work=tmp_path))
    folder = exported(tmp_path, artifact, config("post"))
    ours = tokenizers.load(artifact)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    assert len(theirs) == ours.rows and theirs.mask_token_id == ours.mask
    assert theirs.model_max_length == 32
    line, other = "Ba ta, no mi 12!", " ka  lu."
    a, b = ours.encode(line), ours.encode(other)
    assert theirs(line)["input_ids"] == [0, *a, 2]
    assert theirs(line, other)["input_ids"] == [0, *a, 2, 2, *b, 2]
    padded = theirs([line, ""], padding=True)
    assert padded["input_ids"][1] == [0, 2] + [1] * len(a)
    assert padded["attention_mask"][1] == [1, 1] + [0] * len(a)
    assert theirs.decode(a, skip_special_tokens=True) == "a ta no mi 12"
    assert theirs("a</s> b<mask>", add_special_tokens=False)["input_ids"] == [
        *ours.encode("a"), 2, *ours.encode("b"), ours.mask
    ]  # fmt: skip

    fill = transformers.pipeline("fill-mask", model=str(folder))
    answers = fill(f"{line} <mask> {other}")
    best = answers[0]
    framed = torch.tensor([[0, *a, ours.mask, *b, 2]])
    model = read_language_model(tmp_path / "trained").eval()
    with torch.no_grad():
        logits_V = model.logits(framed, torch.tensor([1 + len(a)]))[0]
    assert best["token"] == int(logits_V.argmax())
    assert best["score"] == pytest.approx(float(logits_V.softmax(-1).max()), rel=1e-4)


def test_language_embeddings_are_not_exported(tmp_path, tokenizer_artifact) -> None:
    encoder = config("post", language_embeddings=True)
    model = build(encoder, IDS, seed=1, languages=2)
    about = Description(encoder=encoder, rows=IDS, sequence_length=32, languages=["en", "sw"])
    write_model(tmp_path, model.named_parameters(), about)
    with pytest.raises(InputError, match="expected a model without language embeddings"):
        export.write_folder(tmp_path, trained=tmp_path, tokenizer=tokenizer_artifact)


def test_training_goes_on_from_a_checkpoint(tmp_path, tokenizer_artifact) -> None:
    encoder = config("post")
    folder = exported(tmp_path, tokenizer_artifact, encoder)
    model = build(encoder, IDS, seed=9)
    load_weights(model, imported(tmp_path, folder))
    own = load_file(tmp_path / "trained" / weights.WEIGHTS)
    assert all(own[name].equal(parameter) for name, parameter in model.named_parameters())
