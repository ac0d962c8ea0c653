"""Table 2 of Conneau et al. 2020: named entities of CoNLL-2002 and 2003."""

from plots.tables.papers import CONNEAU, XLMR_MODELS, languages
from plots.tables.task_table import Regime, TaskTable

TABLE = TaskTable(
    name="xlmr_table_2",
    title="Named entity recognition (CoNLL-2002 and CoNLL-2003)",
    after=f"Table 2 of {CONNEAU}",
    reference="xlmr_table2_ner",
    parts=("model", "train"),
    columns=languages("ner", "en nl es de".split()),
    metrics={"F1": "f1"},
    unit="F1, %",
    decimals=2,
    settings={"train": "train", "#M": "#M"},
    regimes=(
        Regime(name="in-language", facts={"train": "train=each"}),
        Regime(name="zero-shot", facts={"train": "train=en"}),
        Regime(name="in-language-all", facts={"train": "train=all"}),
    ),
    models={"xlmr": XLMR_MODELS},
    placed_by=("model", "train"),
    location="conll",
    notes=("train: the languages of fine-tuning. #M: fine-tuned models, N for one a language.",),
)
