"""TEST DATA: made-up results in the shape of the results frame. No number in it was measured."""

import math
import random
from typing import Any

import polars

from plots.material import Material
from plots.published import load_published
from plots.registry import FIGURES

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
PROFILE, TEXT, PIECES, BATCH = (
    "corpus.synthetic.profile",
    "evaluation.text",
    "tokenizer.vocab_size",
    "pretraining.batch_size",
)
POINTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "corpus_sizes": [("corpora", {PROFILE: name}) for name in ("wikipedia", "cc100")],
    "data_source": [
        *(("sources", {PROFILE: name, TEXT: None}) for name in ("wikipedia", "cc100")),
        *(
            ("common text", {PROFILE: name, TEXT: text})
            for name in ("wikipedia", "cc100")
            for text in ("wikipedia", "cc100")
        ),
    ],
    "sampling_alpha": [
        *(
            ("alpha", {"sampling.alpha": alpha, "tokenizer.alpha": 0.3})
            for alpha in (0.01, 0.3, 0.7, 1.0)
        ),
        *(
            ("tokenizer alpha", {"sampling.alpha": 0.3, "tokenizer.alpha": alpha})
            for alpha in (0.01, 0.3, 1.0)
        ),
    ],
    "vocabulary_size": [
        (block, {PIECES: size, "encoder.width": width if block == "fixed capacity" else 64})
        for block in ("fixed capacity", "increased capacity")
        for size, width in ((640, 104), (1100, 96), (1640, 80), (2250, 64))
    ],
    "batch_size_and_tokenization": [
        *(("batch size", {BATCH: size, "tokenizer.kind": "unigram"}) for size in (12, 24, 48)),
        *(
            ("batch size at equal tokens", {BATCH: size, "tokenizer.kind": "unigram"})
            for size in (12, 24, 48)
        ),
        *(("tokenization", {BATCH: 48, "tokenizer.kind": kind}) for kind in ("bpe", "unigram")),
    ],
    "stopping_criterion": [("length", {"languages": "xlm-7"})],
}
"""Blocks and axis values of the shipped studies at laptop scale, the curse apart."""
MILESTONES = (425, 850, 1700, 3400, None)


def material(figure: str, frame: polars.DataFrame, **more: Any) -> Material:
    """What a figure is made from; artifacts' sizes and curves are made up for those that read them.

    more: what `Material` takes besides.
    """
    entry = FIGURES[figure]
    published = load_published(entry.reference) if entry.reference else polars.DataFrame()
    if entry.reads:
        more = {entry.reads: globals()[entry.reads](frame)} | more
    return Material(frame=frame, published=published, **more)


def study(
    name: str,
    *,
    seeds: tuple[int, ...] = (1, 2, 3),
    xnli: bool = True,
    synthetic: bool = True,
) -> polars.DataFrame:
    """Results of one of the shipped studies at laptop scale."""
    if name == "curse_of_multilinguality":
        return results(blocks=tuple(BLOCKS), seeds=seeds, xnli=xnli, synthetic=synthetic)
    rows = []
    for place, (block, columns) in enumerate(POINTS[name]):
        for seed in seeds:
            for milestone in MILESTONES if name == "stopping_criterion" else (None,):
                at = "-".join(str(value) for value in columns.values())
                cell = f"{at}-{seed}".lower()
                own = {"study": name, "cell": cell, "milestone": milestone, **columns}
                own |= {"updates": 6800} if name == "stopping_criterion" else {}
                step = 0.3 * place + math.log2((milestone or 6800) / 425)
                row = _cell(block, 7, seed, xnli, synthetic)
                rows += [{**each, **own, "value": _moved(each, step)} for each in row]
    return polars.DataFrame(rows, infer_schema_length=None).drop("n").with_columns(n=900)


def _moved(row: dict[str, Any], step: float) -> float:
    """A score of `_cell`, better by so many steps."""
    if row["metric"] == "bits_per_byte":
        return float(row["value"]) - 0.05 * step
    return float(row["value"]) + (0.01 * step if row["metric"] == "accuracy" else 0.0)


def corpora(frame: polars.DataFrame) -> polars.DataFrame:
    """Sizes of the corpora of each cell: as skewed as they may be."""
    languages = "en ru vi th de bg fr es el zh ar hi tr ur sw id fa uk sv ja xx".split()
    rows = [
        {"cell": cell, "language": code, "bytes": int(1e6 / (place + 1)) // (1 + ("wiki" in cell))}
        for cell in frame["cell"].unique().sort()
        for place, code in enumerate(languages)
    ]
    return polars.DataFrame(rows)


def curves(frame: polars.DataFrame) -> polars.DataFrame:
    """A learning curve of each cell: a plateau, then a drop."""
    rows = []
    for place, cell in enumerate(frame["cell"].unique().sort()):
        noise = random.Random(f"{cell}")
        for update in range(34, 3401, 34):
            drop = 1 / (1 + math.exp((update - 900 - 30 * place) / 120))
            loss = 3 + 2.5 * drop + noise.gauss(0, 0.03)
            rows.append({"cell": cell, "update": update, "loss": loss})
    return polars.DataFrame(rows)


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
