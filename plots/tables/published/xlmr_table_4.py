"""Table 4 of Conneau et al. 2020: English, on GLUE's development sets."""

from plots.tables.measured import Column
from plots.tables.papers import CONNEAU, XLMR_MODELS, glue
from plots.tables.task_table import Regime, TaskTable

TABLE = TaskTable(
    name="xlmr_table_4",
    title="English understanding (GLUE, development sets)",
    after=f"Table 4 of {CONNEAU}",
    reference="xlmr_table4_glue",
    parts=("model",),
    columns=(
        *glue({"MNLI-m": "mnli", "MNLI-mm": "mnli_mismatched", "QNLI": "qnli", "QQP": "qqp"}),
        *glue({"SST": "sst2", "MRPC": "mrpc"}),
        Column(name="STS-B", task=None, language="en"),
    ),
    averaged=("MNLI-m", "QNLI", "QQP", "SST", "MRPC", "STS-B"),
    metrics={"accuracy": "accuracy"},
    unit="% correct; STS-B: correlation × 100",
    settings={"#lgs": "#lgs"},
    regimes=(Regime(name="zero-shot"),),
    models={"xlmr": XLMR_MODELS},
    location="glue",
    notes=(
        "#lgs: languages in pretraining. The printed averages count MNLI once. STS-B is not among "
        "the tasks here, so measured rows have no average of these columns.",
    ),
)
