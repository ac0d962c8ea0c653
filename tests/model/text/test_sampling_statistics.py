"""Sampling and masking at the size of XLM-100, against exact distributions, with fixed seeds.

Draws come from Philox's raw words, which NumPy promises to keep, so a test that passes once always
passes: its quantiles say how surprising what it accepts would have been.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from model.languages import LANGUAGES, SETS
from model.text import sampling
from model.text.batches import SPECIALS, Batches
from model.text.synthetic.randomness import generator
from tests.model.text.test_batches import write_shards

CODES = sorted(SETS["xlm-100"])
SENTENCES = {code: max(1, round(1e6 * LANGUAGES[code].cc100_gib)) for code in CODES}
ROWS = 500
MASK = ROWS - 1
UNLIKELY = 1e-4
"""Probability of what no test here may accept."""


RAW = [10674583042188042675, 3027909308698055019]
RANDOM = [0.57867030623586, 0.16414329252897564, 0.688046444983227]
UNIFORM = [3.73601091870758, 2.492429877586927]
INTEGERS = [449, 578, 269, 164, 332]
PERMUTATION = [5, 2, 4, 6, 1, 7, 0, 3]
CHOICE = [4, 5, 2, 1]
WEIGHTED = [2, 1, 3, 2, 2, 2]
"""Of NumPy 2.4, from the synthetic source's own generator."""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("shards")
    stream = (SPECIALS + np.arange(400) % 400).astype("<u2")
    return {code: write_shards(folder, code, stream, ROWS) for code in CODES}


def made(shards: dict[str, Path], alpha: float, seed: int, **options: object) -> Batches:
    given = {
        "probabilities": sampling.probabilities(SENTENCES, alpha),
        "batch_size": 1024,
        "sequence_length": 3,
        "mask_probability": 0.15,
        "mixing": "mixed",
        "rows": ROWS,
        "mask_id": MASK,
        "seed": seed,
    }
    return Batches(shards, **(given | options))  # type: ignore[arg-type]


def surprise(found: np.ndarray, expected: np.ndarray) -> float:
    """Pearson's p-value; cells that would hold fewer than ten are put together."""
    order = np.argsort(expected)
    found, expected = found[order], expected[order]
    rare = int((expected < 10).sum())
    if 0 < expected[:rare].sum() < 10:
        rare += 1
    starts = np.r_[0, np.arange(max(rare, 1), len(expected))]
    found, expected = (np.add.reduceat(each, starts) for each in (found, expected))
    assert expected.min() >= 10 and found.sum() == pytest.approx(expected.sum())
    return float(stats.chisquare(found, expected).pvalue)


def test_there_are_a_hundred_and_their_sizes_are_skewed() -> None:
    assert len(CODES) == 100
    assert max(SENTENCES.values()) > 1000 * min(SENTENCES.values())


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_hundred_languages_are_drawn_with_q(
    shards: dict[str, Path], alpha: float, seed: int
) -> None:
    batches = made(shards, alpha, seed)
    drawn = np.concatenate([batches.batch(step).languages for step in range(200)])
    shares = np.array([SENTENCES[code] / sum(SENTENCES.values()) for code in CODES])
    q = shares**alpha / (shares**alpha).sum()  # Conneau and Lample 2019, Section 3.1
    assert batches.languages == CODES
    found = np.bincount(drawn, minlength=100).astype(float)
    assert UNLIKELY < surprise(found, q * len(drawn)) < 1 - UNLIKELY
    for other in {0.0, 0.3, 1.0} - {alpha}:  # and the test would see another alpha
        wrong = shares**other / (shares**other).sum()
        assert surprise(found, wrong * len(drawn)) < 1e-9


def test_batches_of_one_language_are_drawn_with_q(shards: dict[str, Path]) -> None:
    batches = made(shards, 0.3, 4, mixing="monolingual", batch_size=2)
    drawn = [batches.batch(step).languages for step in range(20_000)]
    assert all(one == other for one, other in drawn)
    q = np.array(list(sampling.probabilities(SENTENCES, 0.3).values()))
    found = np.bincount([one for one, _ in drawn], minlength=100).astype(float)
    assert UNLIKELY < surprise(found, q * len(drawn)) < 1 - UNLIKELY


def test_masks_have_their_rates_and_their_places(shards: dict[str, Path]) -> None:
    length, batches = 66, made(shards, 0.3, 5, batch_size=256, sequence_length=66)
    inner = length - 2
    places, kinds, pieces = np.zeros(length), np.zeros(3), np.zeros(ROWS)
    chosen = sequences = 0
    for step in range(200):
        batch = batches.batch(step)
        after = batch.tokens.reshape(-1)[batch.positions]
        places += np.bincount(batch.positions % length, minlength=length)
        kinds += [(after == MASK).sum(), (after == batch.targets).sum(), 0]
        random = after[(after != MASK) & (after != batch.targets)]
        pieces += np.bincount(random, minlength=ROWS)
        chosen += len(batch.positions)
        sequences += len(batch.tokens)
        assert batch.targets.min() >= SPECIALS, "neither <s> nor </s> is chosen"
    kinds[2] = chosen - kinds[:2].sum()
    assert places[0] == places[-1] == 0
    # Each sequence has 9 or 10 of its 64 places: 9.6 on average, whatever the language.
    spread = 0.49 * np.sqrt(sequences)
    assert abs(chosen - 0.15 * inner * sequences) < 4 * spread
    assert stats.chisquare(places[1:-1]).pvalue > UNLIKELY
    # A random piece is the right one once in 495: that counts as unchanged.
    same = 0.1 / (MASK - SPECIALS)
    expected = np.array([0.8, 0.1 + same, 0.1 - same]) * chosen
    assert stats.chisquare(kinds, expected).pvalue > UNLIKELY
    assert pieces[:SPECIALS].sum() == pieces[MASK:].sum() == 0
    # Targets are 400 of the pieces, and a random piece that hits its target is not seen: both are
    # even over these.
    assert stats.chisquare(pieces[SPECIALS : SPECIALS + 400]).pvalue > UNLIKELY
    assert stats.chisquare(pieces[SPECIALS + 400 : MASK]).pvalue > UNLIKELY


def test_streams_that_the_generated_text_rests_on() -> None:
    """NumPy keeps the words of its bit generators, but may change how Generator uses them.

    What the synthetic source draws with is fixed here. If this fails after an upgrade of NumPy,
    generated text has changed: raise the versions of the corpus and task stages, or pin NumPy.
    """

    def draw() -> np.random.Generator:
        return generator(7, "streams")

    assert draw().bit_generator.random_raw(2).tolist() == RAW
    assert draw().random(3).tolist() == RANDOM
    assert draw().uniform(2.0, 5.0, 2).tolist() == UNIFORM
    assert draw().integers(0, 1000, 5).tolist() == INTEGERS
    assert draw().permutation(8).tolist() == PERMUTATION
    assert draw().choice(10, 4).tolist() == CHOICE
    assert draw().choice(4, 6, p=[0.1, 0.2, 0.3, 0.4]).tolist() == WEIGHTED
