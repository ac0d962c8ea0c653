"""Table 3 of Goyal et al. 2021: questions of XQuAD, fine-tuned in English."""

from plots.tables.papers import GOYAL, SPANS, XL_MODELS, languages
from plots.tables.task_table import Regime, TaskTable

TABLE = TaskTable(
    name="xlmr_xl_table_3",
    title="Question answering (XQuAD), fine-tuned in English, by the size of the model",
    after=f"Table 3 of {GOYAL}",
    reference="xlmr_xl_xquad",
    parts=("model", "metric"),
    columns=languages("xquad", "en ar de el es hi ru th tr vi zh".split()),
    metrics=SPANS,
    unit="F1 / exact match, %",
    regimes=(Regime(name="zero-shot"),),
    models=XL_MODELS,
    location="xquad",
)
