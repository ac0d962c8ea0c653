"""Table 1 of Conneau et al. 2020: XNLI in 15 languages, by how models are fine-tuned."""

from plots.tables.papers import CONNEAU, XLMR_MODELS, languages
from plots.tables.task_table import Regime, TaskTable

XNLI_LANGUAGES = "en fr es de el bg ru tr ar vi th zh hi sw ur".split()
"""In the order of the table's columns."""
SECTIONS = {
    "zero-shot": "Fine-tuned in English, tested in all (cross-lingual transfer)",
    "translate-test": "Test sets translated into English (translate-test)",
    "translate-train": "Fine-tuned on each language's translation alone (translate-train)",
    "translate-train-all": "Fine-tuned on all translations at once (translate-train-all)",
}

TABLE = TaskTable(
    name="xlmr_table_1",
    title="Cross-lingual classification (XNLI)",
    after=f"Table 1 of {CONNEAU}",
    reference="xlmr_table1_xnli",
    parts=("model", "section"),
    columns=languages("xnli", XNLI_LANGUAGES),
    metrics={"accuracy": "accuracy"},
    unit="% correct",
    settings={"D": "D", "#M": "#M", "#lg": "#lg"},
    sections=SECTIONS,
    regimes=(
        Regime(name="zero-shot", section="zero-shot"),
        Regime(name="translate-train-all", section="translate-train-all"),
    ),
    models={"xlmr": XLMR_MODELS},
    location="xnli",
    notes=(
        "D: data of pretraining. #M: models that are chosen by validation, N for one a language. "
        "#lg: languages in pretraining. The printed XLM-R rows are means over five fine-tunings.",
    ),
)
