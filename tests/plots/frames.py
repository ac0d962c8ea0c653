"""TEST DATA: made-up results in the shape of the results frame. No number in it was measured."""

import math
import random

import polars

SEVEN = ("de", "en", "fr", "ru", "sw", "ur", "zh")
COUNTS = (7, 15, 30, 60, 100)
LOW, HIGH = ("sw", "ur"), ("en", "fr")
BLOCKS = {
    "fixed width": COUNTS,
    "wider": (7, 30, 100),
    "equal exposure": COUNTS,
    "one tokenizer": (7, 30, 100),
}
WIDTHS = {7: 64, 30: 80, 100: 96}


def results(
    *,
    blocks: tuple[str, ...] = ("fixed width", "wider"),
    seeds: tuple[int, ...] = (1, 2, 3),
    xnli: bool = True,
    untrained: bool = False,
    synthetic: bool = True,
    counts: tuple[int, ...] = COUNTS,
) -> polars.DataFrame:
    """A results frame in which low-resource languages gain at 15 and all fall after."""
    rows = []
    for block in blocks:
        for count in (count for count in BLOCKS[block] if count in counts):
            for seed in seeds:
                rows += _cell(block, count, seed, xnli, synthetic)
    if untrained:
        for seed in seeds:
            rows += _cell("untrained", 7, seed, xnli, synthetic, updates=0)
    return polars.DataFrame(rows, infer_schema_length=None)


def _cell(
    block: str, count: int, seed: int, xnli: bool, synthetic: bool, updates: int = 800
) -> list[dict[str, object]]:
    width = WIDTHS.get(count, 64) if block == "wider" else 64
    # The 7-language cell of the wider block is the fixed one: one cell in two blocks.
    where = "fixed width" if block == "wider" and width == 64 else block
    noise = random.Random(f"{where} {count} {seed}")
    step = math.log2(count / 7)
    base = {
        "study": "curse_of_multilinguality",
        "scale": "laptop",
        "block": block,
        "cell": f"{where.replace(' ', '-')}-{count}-{seed}",
        "seed": seed,
        "languages": f"xlm-{count}",
        "encoder.width": width,
        "n_languages": count,
        "updates": updates,
        "tokens_seen": 409_600,
        "epochs_seen": 1.5,
        "source": "synthetic" if synthetic else "cc100",
        "profile": "wikipedia" if synthetic else None,
        "synthetic": synthetic,
        "seen": True,
    }
    rows = []
    shared = noise.gauss(0, 0.02)
    for language in SEVEN:
        low, high = language in LOW, language in HIGH
        slope = 0.04 if block == "equal exposure" else 0.11 if block == "one tokenizer" else 0.16
        relief = 0.05 * step * (width - 64) / 32
        bits = 1.7 + 0.5 * low - 0.15 * high + slope * step - relief
        bits -= 0.3 * low * (count == 15) + 0.15 * low * (count > 15)
        bits += shared + noise.gauss(0, 0.02)
        unigram = 3.0 + 0.35 * low - 0.1 * high + 0.04 * step
        share = 0.53 + 0.13 * high - 0.10 * low - 0.018 * step + 0.06 * low * (count == 15)
        share += 0.5 * relief + noise.gauss(0, 0.012)
        if updates == 0:
            bits, share = 7.5, 0.36 + noise.gauss(0, 0.005)
        scores = [
            ("likelihood", "bits_per_byte", bits),
            ("likelihood", "unigram_bits_per_byte", unigram),
            ("likelihood", "coverage", 0.9995),
        ]
        if xnli:
            scores += [("xnli", "accuracy", share), ("xnli", "majority_accuracy", 0.34)]
        rows += [
            {**base, "task": task, "metric": metric, "language": language, "value": value, "n": 900}
            for task, metric, value in scores
        ]
    loss = {"task": "pretraining", "metric": "final_loss", "language": None, "value": 3.1, "n": 1}
    return [*rows, {**base, **loss}]
