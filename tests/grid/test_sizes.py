"""Parameter counts equal the published ones and the models that are built."""

import pytest

from grid import sizes
from model.config import EncoderConfig, PretrainingConfig

BASE = {"layers": 12, "width": 768, "heads": 12}
LARGE = {"layers": 24, "width": 1024, "heads": 16}
XL = {"layers": 36, "width": 2560, "heads": 32, "norm": "pre", "pad_vocab_to": 1024}
XXL = {"layers": 48, "width": 4096, "heads": 32, "norm": "pre", "pad_vocab_to": 1024}


@pytest.mark.parametrize(
    ("shape", "rows", "encoder_only", "with_head"),
    [
        (BASE, 250_002, 277_453_056, 278_295_186),
        (LARGE, 250_002, 558_840_832, 560_142_482),
        (XL, 250_880, 3_475_929_600, 3_482_741_760),
        (XXL, 250_880, 10_695_954_432, 10_712_994_816),
    ],
    ids=["base", "large", "xl", "xxl"],
)
def test_counts_are_those_of_the_released_checkpoints(
    shape: dict, rows: int, encoder_only: int, with_head: int
) -> None:
    encoder = EncoderConfig(**shape)
    assert sizes.embedding_rows(250_000, encoder) == rows
    assert sizes.parameters(encoder, rows, head=False) == encoder_only
    assert sizes.parameters(encoder, rows) == with_head


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_counts_are_those_of_the_model_that_is_built(norm: str) -> None:
    import torch

    from model.encoder.encoder import MaskedLanguageModel

    encoder = EncoderConfig(layers=3, width=24, heads=4, feed_forward=40, norm=norm)
    with torch.device("meta"):
        model = MaskedLanguageModel(encoder, 1003)
    assert sizes.parameters(encoder, 1003) == sum(p.numel() for p in model.parameters())
    inner = sum(p.numel() for p in model.encoder.parameters())
    assert sizes.parameters(encoder, 1003, head=False) == inner
    tables = sum(p.numel() for name, p in model.named_parameters() if "embeddings.weight" in name)
    assert sizes.embedding_parameters(encoder, 1003) == tables
    assert sizes.non_embedding_parameters(encoder) == inner - tables


@pytest.mark.parametrize(
    ("layers", "width", "inner", "vocabulary", "expected"),
    [  # Conneau et al. 2020, Table 7, by its own formula
        (12, 768, 3072, 30_000, 107_974_656),
        (24, 1024, 4096, 250_000, 557_989_888),
        (16, 1280, 5120, 200_000, 570_572_800),
        (12, 2048, 16384, 64_000, 1_137_704_960),
        (24, 1024, 65536, 32_000, 3_354_656_768),
    ],
)
def test_the_formula_is_the_papers(
    layers: int, width: int, inner: int, vocabulary: int, expected: int
) -> None:
    encoder = EncoderConfig(layers=layers, width=width, heads=1, feed_forward=inner)
    assert sizes.formula_parameters(encoder, vocabulary) == expected


def test_flops_grow_as_the_parts_say() -> None:
    encoder = EncoderConfig(layers=2, width=8, heads=2)
    recipe = PretrainingConfig(updates=10, batch_size=4, sequence_length=16, mask_probability=0.25)
    assert sizes.tokens(recipe) == 640
    matrices = 2 * (4 * 64 + 2 * 8 * 32)
    forward = 2 * matrices + 4 * 2 * 16 * 8 + 2 * 0.25 * (64 + 100 * 8)
    assert sizes.training_flops(encoder, 100, recipe) == 3 * forward * 640
