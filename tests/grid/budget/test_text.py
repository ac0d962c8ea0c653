"""What text costs at paper scale, from published sizes."""

import pytest

from grid.budget import text
from model.config import CorpusConfig, SyntheticConfig, TokenizerConfig
from model.languages import LANGUAGES


def cc100() -> dict[str, int]:
    return {code: text.published_bytes("cc100", code) or 0 for code in LANGUAGES}


def test_cc100_is_two_and_a_half_terabytes_of_text() -> None:
    """Conneau et al. 2020, Table 6: 2.4 TiB over its 100 files."""
    assert sum(cc100().values()) / 2**40 == pytest.approx(2.4, abs=0.05)


def test_shards_of_a_large_vocabulary_take_four_bytes_a_token() -> None:
    small = text.shard_cost(44_000, "en", 60_000)
    large = text.shard_cost(44_000, "en", 250_000)
    assert small.disk == pytest.approx(2 * 10_000)
    assert large.disk == pytest.approx(4 * 10_000)


def test_shards_of_cc100_are_terabytes_and_days_of_one_core() -> None:
    costs = [text.shard_cost(size, code, 250_000) for code, size in cc100().items()]
    assert 1e12 < sum(cost.disk for cost in costs) < 2.5e12
    assert 24 < sum(cost.cpu_seconds for cost in costs) / 3600 < 240


@pytest.mark.parametrize("pieces", [250_000, 512_000])
def test_a_tokenizers_memory_goes_with_its_sample(pieces: int) -> None:
    """10 MB took 242 MiB; from 1 GiB on indices have 64 bits."""
    few = text.tokenizer_cost(TokenizerConfig(vocab_size=pieces), [10_000_000])
    assert few.memory == pytest.approx(242 * 2**20, rel=0.15)
    many = text.tokenizer_cost(TokenizerConfig(vocab_size=pieces), cc100().values())
    assert many.sample == 10_000_000_000
    assert 100e9 < many.memory < 500e9
    half = text.tokenizer_cost(
        TokenizerConfig(vocab_size=pieces, sample_bytes=1_000_000_000), cc100().values()
    )
    assert half.memory < 0.06 * many.memory


def test_sizes_are_known_of_published_and_generated_text_only() -> None:
    generated = CorpusConfig(synthetic=SyntheticConfig(size=100_000, smallest=2000))
    assert text.estimated_bytes(generated, "en") == 100_000
    assert text.estimated_bytes(CorpusConfig(source="wikipedia"), "sw") is not None
    assert text.estimated_bytes(CorpusConfig(source="mine"), "sw") is None
