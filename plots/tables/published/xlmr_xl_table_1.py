"""Table 1 of Goyal et al. 2021: XNLI by the size of the model."""

from plots.tables.papers import GOYAL, XL_MODELS, languages
from plots.tables.published.xlmr_table_1 import SECTIONS, XNLI_LANGUAGES
from plots.tables.task_table import Regime, TaskTable

TABLE = TaskTable(
    name="xlmr_xl_table_1",
    title="Cross-lingual classification (XNLI) by the size of the model",
    after=f"Table 1 of {GOYAL}",
    reference="xlmr_xl_xnli",
    parts=("model", "D", "section"),
    columns=languages("xnli", XNLI_LANGUAGES),
    metrics={"accuracy": "accuracy"},
    unit="% correct",
    texts={"wikipedia": "Wikipedia", "cc100": "CC100"},
    settings={"data": "D"},
    sections={key: SECTIONS[key] for key in ("zero-shot", "translate-test", "translate-train-all")},
    regimes=(
        Regime(name="zero-shot", section="zero-shot"),
        Regime(name="translate-train-all", section="translate-train-all"),
    ),
    models=XL_MODELS,
    location="xnli",
    moved="Printed in alphabetical order of the languages' codes under the header of the other "
    "rows; here each value stands under its own language (inferred).",
    notes=(
        "The text of Section 3 gives XXL's gains, 2.2 and 2.4 points, as gains over XL; they are "
        "those over Large.",
    ),
)
