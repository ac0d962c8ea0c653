"""Table 2 of Goyal et al. 2021: English, on GLUE's development sets."""

from plots.tables.papers import GOYAL, XL_MODELS, glue
from plots.tables.task_table import Regime, TaskTable

TABLE = TaskTable(
    name="xlmr_xl_table_2",
    title="English understanding (GLUE, development sets) by the size of the model",
    after=f"Table 2 of {GOYAL}",
    reference="xlmr_xl_glue",
    parts=("model",),
    columns=glue({"MNLI": "mnli", "QNLI": "qnli", "QQP": "qqp", "SST": "sst2", "MRPC": "mrpc"}),
    metrics={"accuracy": "accuracy"},
    unit="% correct",
    settings={"#lgs": "#lgs"},
    regimes=(Regime(name="zero-shot"),),
    models=XL_MODELS,
    location="glue",
    notes=(
        "#lgs: languages in pretraining. MNLI is measured here on its matched set; the paper does "
        "not say which one it prints.",
    ),
)
