"""Figure 7 of Conneau et al. 2020: batch size, and SentencePiece on raw text against BPE.

Panels: change in XNLI accuracy with the batch, at equal updates as published and at equal tokens;
its levels; the same two for the tokenizers; held-out bits per byte of both.
"""

from dataclasses import replace

from plots.chart import Chart, Panel, X
from plots.common import PAPER, SHAPES, baseline_note, chart, require
from plots.comparison import Comparison, Line
from plots.material import Material
from plots.measures import Axis

UPDATES, TOKENS, TOKENIZATION = "batch size", "batch size at equal tokens", "tokenization"
BATCH = Axis(
    column="pretraining.batch_size",
    label="sequences in a batch",
    text="{:,}".format,
    phrase="batches of {}",
)
TOKENIZER = {"bpe": "BPE (tokenized)", "unigram": "SPM (raw text)"}
KIND = Axis(
    column="tokenizer.kind",
    label="tokenizer",
    order=tuple(TOKENIZER),
    text=lambda kind: TOKENIZER.get(str(kind), str(kind)),
)
PUBLISHED_KINDS: dict[str, X] = {"BPE": "bpe", "SPM": "unigram"}


def xlmr_figure_7(material: Material) -> Chart:
    """The numbers and words of Figure 7. Raises FigureError if the first block is not there."""
    results = material.results()
    require(results, UPDATES, "Figure 7")
    batch = Comparison(
        results=results,
        reference=material.published,
        axis=BATCH,
        lines=(
            Line(role="fixed", block=UPDATES, label="equal\nupdates", published="batch size"),
            Line(role="exposure", block=TOKENS, label="equal\ntokens"),
        ),
        precision="digitised ±0.1",
    )
    kinds = replace(
        batch,
        axis=KIND,
        lines=(
            Line(
                role="tokenizer", block=TOKENIZATION, label="all seven", published="preprocessing"
            ),
        ),
        precision="second-hand reading ±0.3",
        published_x=PUBLISHED_KINDS.__getitem__,
    )
    return chart(
        results,
        material.published,
        figure="xlmr_figure_7",
        after=f"After Figure 7 of {PAPER}",
        title="Batch size, and SentencePiece on raw text",
        blocks=(UPDATES, TOKENS, TOKENIZATION),
        rows=[
            _named(batch, "Batch size: "),
            _named(kinds, "Tokenization: "),
            (_called(batch.bits(), "Batch size: "), _called(kinds.bits(), "Tokenization: ")),
        ],
        notes=[
            baseline_note(results, (UPDATES, TOKENS), BATCH),
            baseline_note(results, (TOKENIZATION,), KIND),
            "Published: batches at equal updates, read off the paper's bars (±0.1); tokenizers, a "
            f"second-hand reading (±0.3). {SHAPES}",
        ],
    )


def _named(of: Comparison, what: str) -> tuple[Panel, Panel]:
    one, other = of.main_row()
    return _called(one, what), _called(other, what)


def _called(panel: Panel, what: str) -> Panel:
    title = panel.title
    if not title.startswith("XNLI"):
        title = title[0].lower() + title[1:]
    return replace(panel, title=what + title)
