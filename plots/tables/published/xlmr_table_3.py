"""Table 3 of Conneau et al. 2020: questions of MLQA, fine-tuned in English."""

from plots.tables.papers import CONNEAU, MLQA_LANGUAGES, SPANS, XLMR_MODELS, languages
from plots.tables.task_table import Regime, TaskTable

TABLE = TaskTable(
    name="xlmr_table_3",
    title="Question answering (MLQA), fine-tuned in English",
    after=f"Table 3 of {CONNEAU}",
    reference="xlmr_table3_mlqa",
    parts=("model", "metric"),
    columns=languages("mlqa", MLQA_LANGUAGES),
    metrics=SPANS,
    unit="F1 / exact match, %",
    regimes=(Regime(name="zero-shot"),),
    models={"xlmr": XLMR_MODELS},
    location="mlqa",
    notes=("The printed mBERT and XLM-15 rows are those of Lewis et al. 2019.",),
)
