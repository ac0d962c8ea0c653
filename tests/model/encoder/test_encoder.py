"""The encoder: published sizes, both norms, the head at masked places, and its initialisation."""

import math

import pytest
import torch
from torch.nn import functional

from model.config import EncoderConfig
from model.encoder.dropout import dropout, mask
from model.encoder.encoder import Encoder, MaskedLanguageModel, build, padded_rows
from model.encoder.files import Description, read_encoder, read_language_model, write_model
from model.encoder.layers import PAD
from model.encoder.loss import cross_entropy

SMALL = EncoderConfig(layers=2, width=16, heads=2, max_positions=12)


def published(layers: int, width: int, heads: int, norm: str) -> EncoderConfig:
    return EncoderConfig(layers=layers, width=width, heads=heads, norm=norm)


@pytest.mark.parametrize(
    ("config", "rows", "encoder", "with_head"),
    [
        (published(12, 768, 12, "post"), 250_002, 277_453_056, 278_295_186),
        (published(24, 1024, 16, "post"), 250_002, 558_840_832, 560_142_482),
        (published(36, 2560, 32, "pre"), 250_880, 3_475_929_600, 3_482_741_760),
        (published(48, 4096, 32, "pre"), 250_880, 10_695_954_432, 10_712_994_816),
    ],
    ids=["Base", "Large", "XL", "XXL"],
)
def test_published_models_have_their_exact_number_of_parameters(
    config: EncoderConfig, rows: int, encoder: int, with_head: int
) -> None:
    with torch.device("meta"):
        model = MaskedLanguageModel(config, rows)
    assert sum(p.numel() for p in model.encoder.parameters()) == encoder
    assert sum(p.numel() for p in model.parameters()) == with_head


def test_rows_are_padded_as_xl_does() -> None:
    assert padded_rows(EncoderConfig(pad_vocab_to=1024), 250_002) == 250_880
    assert padded_rows(EncoderConfig(), 250_002) == 250_002


def textbook(model: MaskedLanguageModel, tokens: torch.Tensor) -> torch.Tensor:
    """The encoder written once more from the papers' formulas, one sequence and head at a time."""
    weights = dict(model.named_parameters())
    config = model.encoder.config
    pre = config.norm == "pre"

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(-1, keepdim=True)
        deviation = ((x - mean) ** 2).mean(-1, keepdim=True)
        unit = (x - mean) / torch.sqrt(deviation + 1e-5)
        return unit * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def gelu(x: torch.Tensor) -> torch.Tensor:
        return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))

    def attention(name: str, x: torch.Tensor) -> torch.Tensor:
        query, key, value = linear(f"{name}.query_key_value", x).chunk(3, -1)
        size = config.width // config.heads
        parts = []
        for head in range(config.heads):
            part = slice(head * size, (head + 1) * size)
            scores = query[:, part] @ key[:, part].T / math.sqrt(size)
            parts.append(torch.softmax(scores, -1) @ value[:, part])
        return linear(f"{name}.dense", torch.cat(parts, -1))

    outputs = []
    for row in tokens:
        x = weights["encoder.embeddings.word_embeddings.weight"][row]
        x = x + weights["encoder.embeddings.position_embeddings.weight"][2 : 2 + len(row)]
        x = x + weights["encoder.embeddings.token_type_embeddings.weight"][0]
        x = x if pre else norm("encoder.embeddings.norm", x)
        for index in range(config.layers):
            name = f"encoder.layer.{index}"
            inner = norm(f"{name}.attention_norm", x) if pre else x
            x = x + attention(f"{name}.attention", inner)
            x = x if pre else norm(f"{name}.attention_norm", x)
            inner = norm(f"{name}.output_norm", x) if pre else x
            x = x + linear(f"{name}.output", gelu(linear(f"{name}.intermediate", inner)))
            x = x if pre else norm(f"{name}.output_norm", x)
        outputs.append(norm("encoder.norm", x) if pre else x)
    return torch.stack(outputs)


def shaken(norm: str) -> MaskedLanguageModel:
    """A model none of whose parameters has a special value."""
    config = EncoderConfig(layers=2, width=16, heads=2, max_positions=12, norm=norm)
    model = build(config, 30, seed=1).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_encoder_computes_the_papers_formulas(norm: str) -> None:
    model = shaken(norm)
    tokens = torch.randint(4, 30, (3, 9), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.encoder(tokens), textbook(model, tokens), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_padding_changes_nothing_and_positions_skip_it(norm: str) -> None:
    model = shaken(norm)
    tokens = torch.randint(4, 30, (1, 6), generator=torch.Generator().manual_seed(0))
    alone = model.encoder(tokens)
    padded = torch.cat([tokens, torch.full((1, 4), PAD)], 1)
    behind = model.encoder(padded, padded != PAD)[:, :6]
    torch.testing.assert_close(behind, alone, rtol=1e-5, atol=1e-6)
    shifted = torch.cat([torch.full((1, 4), PAD), tokens], 1)
    before = model.encoder(shifted, shifted != PAD)[:, 4:]
    torch.testing.assert_close(before, alone, rtol=1e-5, atol=1e-6)


def test_masked_places_get_the_scores_that_all_places_would_get() -> None:
    model = shaken("post")
    tokens = torch.randint(4, 30, (2, 7), generator=torch.Generator().manual_seed(0))
    everywhere = model.logits(tokens, torch.arange(14))
    places = torch.tensor([1, 5, 9])
    torch.testing.assert_close(model.logits(tokens, places), everywhere[places])
    loss, _ = model(tokens, places, tokens.flatten()[places])
    log_p = everywhere.log_softmax(-1)
    expected = -sum(log_p[place, tokens.flatten()[place]] for place in places.tolist()) / 3
    torch.testing.assert_close(loss, expected)


def test_cross_entropy_and_its_gradient_are_pytorchs() -> None:
    logits = torch.randn(5, 11, generator=torch.Generator().manual_seed(0)) * 3
    targets = torch.tensor([0, 10, 3, 3, 7])
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    loss, each = cross_entropy(ours, targets)
    expected = functional.cross_entropy(theirs, targets)
    (2 * loss).backward()
    (2 * expected).backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(each, functional.cross_entropy(logits, targets, reduction="none"))
    assert not each.requires_grad


def test_dropout_keeps_means_and_follows_the_seed() -> None:
    ones = torch.ones(400, 1000)
    torch.manual_seed(3)
    dropped = dropout(ones, 0.1, training=True)
    assert abs(float((dropped == 0).float().mean()) - 0.1) < 0.002
    assert abs(float(dropped.mean()) - 1) < 0.002
    torch.manual_seed(3)
    assert torch.equal(dropout(ones, 0.1, training=True), dropped)
    assert not torch.equal(dropout(ones, 0.1, training=True), dropped)
    assert torch.equal(dropout(ones, 0.1, training=False), ones)
    # Neighbours are independent: a generator's 64 bits serve four values.
    kept = mask(torch.ones(400_000), 0.1).view(-1, 4)
    both = (kept[:, 0] * kept[:, 1]).mean()
    assert abs(float(both) - 0.81) < 0.005


def test_initialisation_depends_on_seed_and_name_only() -> None:
    first, again, other = (build(SMALL, 30, seed) for seed in (1, 1, 2))
    torch.manual_seed(99)
    deeper = build(EncoderConfig(layers=3, width=16, heads=2, max_positions=12), 30, 1)
    for name, value in first.named_parameters():
        assert torch.equal(value, dict(again.named_parameters())[name])
        assert torch.equal(value, dict(deeper.named_parameters())[name])
    name = "encoder.layer.0.intermediate.weight"
    assert not torch.equal(dict(first.named_parameters())[name], other.get_parameter(name))


def test_initialisations_have_their_standard_deviations() -> None:
    wide = {"layers": 1, "width": 128, "heads": 2}
    normal = build(EncoderConfig(**wide), 2000, 1)
    fan_in = build(EncoderConfig(**wide, initialization="fan_in"), 2000, 1)
    for model, output, embedding in ((normal, 0.02, 0.02), (fan_in, 1024**-0.5, 2 * 128**-0.5)):
        layer = model.encoder.layer[0]
        assert float(layer.output.weight.std()) == pytest.approx(output, rel=0.02)
        words = model.encoder.embeddings.word_embeddings.weight
        assert float(words.std()) == pytest.approx(embedding, rel=0.02)
        assert not words[PAD].any()
        assert not layer.output.bias.any()
        assert torch.equal(layer.output_norm.weight, torch.ones(128))


def test_files_give_the_model_back(tmp_path) -> None:
    model = shaken("pre")
    description = Description(encoder=model.encoder.config, rows=30, sequence_length=12)
    write_model(tmp_path, model.named_parameters(), description)
    language_model = read_language_model(tmp_path)
    encoder = read_encoder(tmp_path)
    assert isinstance(encoder, Encoder)
    for name, value in model.named_parameters():
        assert torch.equal(value, language_model.get_parameter(name))
    for name, value in model.encoder.named_parameters():
        assert torch.equal(value, encoder.get_parameter(name))


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_the_first_vector_alone_is_that_of_all_with_its_gradients(norm: str) -> None:
    config = EncoderConfig(
        layers=2, width=16, heads=2, max_positions=12, norm=norm, dropout=0.0,
        attention_dropout=0.0, init_std=0.3,
    )  # fmt: skip
    encoder = build(config, 40, 1).encoder.train()
    tokens = torch.tensor([[0, 5, 6, 7, 2], [0, 9, 2, 1, 1]])
    gradients = []
    for first_only in (False, True):
        hidden = encoder(tokens, tokens != 1, first_only=first_only)
        assert hidden.shape == (2, 1 if first_only else 5, 16)
        hidden[:, 0].square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in encoder.named_parameters()})
        encoder.zero_grad()
    for name, expected in gradients[0].items():
        assert torch.allclose(gradients[1][name], expected, atol=1e-5), name
