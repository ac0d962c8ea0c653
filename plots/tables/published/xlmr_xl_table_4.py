"""Table 4 of Goyal et al. 2021: questions of MLQA, fine-tuned in English."""

from plots.tables.papers import GOYAL, MLQA_LANGUAGES, SPANS, XL_MODELS, languages
from plots.tables.task_table import Regime, TaskTable

TABLE = TaskTable(
    name="xlmr_xl_table_4",
    title="Question answering (MLQA), fine-tuned in English, by the size of the model",
    after=f"Table 4 of {GOYAL}",
    reference="xlmr_xl_mlqa",
    parts=("model", "metric"),
    columns=languages("mlqa", MLQA_LANGUAGES),
    metrics=SPANS,
    unit="F1 / exact match, %",
    regimes=(Regime(name="zero-shot"),),
    models=XL_MODELS,
    location="mlqa",
    moved="Printed with es and ar in each other's columns; here each value stands under its own "
    "language (inferred).",
)
