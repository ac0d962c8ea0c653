"""Table 5 of Conneau et al. 2020: a model for each language against one for seven."""

from plots.tables.measured import Point
from plots.tables.papers import CONNEAU, languages
from plots.tables.task_table import Regime, TaskTable


def _monolingual(point: Point) -> bool:
    return bool(point.facts["n_languages"] == 1)


def _of_seven(point: Point) -> bool:
    return bool(point.facts["n_languages"] == 7)


TABLE = TaskTable(
    name="xlmr_table_5",
    title="Monolingual against multilingual models (XNLI)",
    after=f"Table 5 of {CONNEAU}",
    reference="xlmr_table5_mono_vs_multi",
    parts=("section", "D", "vocab"),
    columns=languages("xnli", "en fr de ru zh sw ur".split()),
    metrics={"accuracy": "accuracy"},
    unit="% correct",
    settings={"D": "D", "vocabulary": "vocab"},
    sections={
        "BERT monolingual": "BERT: a model for each language, fine-tuned in it",
        "XLM-7 cross-lingual transfer": "XLM-7: one model for all, fine-tuned in English",
        "XLM-7 translate-train-all": "XLM-7: one model for all, fine-tuned on all translations",
    },
    regimes=(
        Regime(name="translate-train", section="BERT monolingual", of=_monolingual),
        Regime(name="zero-shot", section="XLM-7 cross-lingual transfer", of=_of_seven),
        Regime(name="translate-train-all", section="XLM-7 translate-train-all", of=_of_seven),
    ),
    labels={
        "BERT monolingual": "BERT",
        "XLM-7 cross-lingual transfer": "XLM-7",
        "XLM-7 translate-train-all": "XLM-7",
    },
    placed_by=("D",),
    together=("languages",),
    location="xnli",
    notes=(
        "D: data of pretraining, Wikipedia or CommonCrawl.",
        "Section 5.1 gives 71.8, the average of XLM-7 on Wikipedia here, for 7 languages in Figure "
        "2; its bars read 72.5, and those of Figure 4 72.9.",
    ),
)
