"""What the tables of the two papers share: citations, models, columns."""

from collections.abc import Mapping, Sequence

from plots.tables.measured import Column

CONNEAU = "Conneau et al. 2020 (arXiv 1911.02116)"
GOYAL = "Goyal et al. 2021 (arXiv 2105.00572)"
XLMR_MODELS = {"base": "XLM-R Base", "large": "XLM-R (Large)"}
"""By `encoder.size`: the models that Conneau et al. print."""
XL_MODELS = {
    "xlmr": {"base": "XLM-R Base", "large": "XLM-R Large"},
    "xlmr_xl": {"xl": "XLM-R XL"},
    "xlmr_xxl": {"xxl": "XLM-R XXL"},
}
"""The models that Goyal et al. print, by the study that trains them."""
SPANS = {"F1": "f1", "EM": "exact_match"}
MLQA_LANGUAGES = "en es de ar hi vi zh".split()
"""In the order of both papers' columns."""


def languages(task: str, codes: Sequence[str]) -> tuple[Column, ...]:
    """A column for each language of a task."""
    return tuple(Column(name=code, task=task, language=code) for code in codes)


def glue(tasks: Mapping[str, str]) -> tuple[Column, ...]:
    """A column for each task, by its printed name; all are English."""
    return tuple(Column(name=name, task=task, language="en") for name, task in tasks.items())
