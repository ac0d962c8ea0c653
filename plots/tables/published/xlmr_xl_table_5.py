"""Table 5 of Goyal et al. 2021: parameters, data and budget of pretraining."""

from plots.published import load_published
from plots.studies import StudyOutput
from plots.tables.gaps import Gaps
from plots.tables.measured import Point
from plots.tables.papers import GOYAL, XL_MODELS
from plots.tables.sisters import stand_ins
from plots.tables.table import MEASURED, PRINTED, Row, Section, Table, Value
from plots.tables.task_table import badge, source_of

COLUMNS = {
    "params": "parameters",
    "dataset": "dataset",
    "dataset_tokens": "dataset size",
    "training_tokens": "training tokens",
    "batch_size": "batch size",
    "seq_len": "sequence length",
}
"""Heading of each column of the reference."""
NOTES = (
    "Sizes of data are in tokens, of batches in sequences. Rows that begin with "
    "ours are what was planned and run here.",
    "Their parameters are counted from the configuration, with embeddings and language model head. "
    "Counted so, XLM-R Large, printed as 550M, has 560.1M, XL 3.48B and XXL 10.71B.",
    "The printed training tokens of XLM-R are rounded: 1.5M updates × 8,192 × 512 are 6.3T for "
    "Large, and 500k × 2,048 × 512 are 0.52T for XL and XXL.",
)


def make(study: StudyOutput) -> Table:
    """The table with the models of a study and of its sisters."""
    gaps = Gaps("cc100")
    found = stand_ins(study, XL_MODELS, gaps)
    rows = []
    for printed in load_published("xlmr_xl_pretraining").iter_rows(named=True):
        rows.append(_printed(printed))
        rows += [_measured(point, model) for point, model in found if model == printed["model"]]
    placed = {row.stands_for for row in rows}
    rows += [
        _measured(point, "", f", as {model}" if model else "")
        for point, model in found
        if not model or model not in placed
    ]
    for point, model in found:
        if point.total("tokens") is None:
            gaps.unrun(point, model or point.label, len(point.seeds))
    return Table(
        name="xlmr_xl_table_5",
        title="Parameters, data and budget of pretraining",
        after=f"Table 5 of {GOYAL}",
        settings=(),
        columns=tuple(COLUMNS.values()),
        metrics=("",),
        unit="",
        sections=(Section(title="", rows=tuple(rows)),),
        notes=NOTES,
        badge=badge({point.facts.get("source") == "synthetic" for point, _ in found}),
        gaps=gaps.found(),
        study=study.name,
        scale=study.scale,
        results_sha256=study.results_sha256() if study.results_file.is_file() else None,
    )


def _printed(row: dict[str, str]) -> Row:
    return Row(
        kind=PRINTED,
        label=row["model"],
        settings=(),
        entries=tuple((Value(text=row[name]),) for name in COLUMNS),
        source=row["source"],
    )


def _measured(point: Point, stands_for: str, remark: str = "") -> Row:
    corpus = " ".join(str(point.facts[key] or "") for key in ("source", "profile")).strip()
    numbers = {
        "params": point.facts.get("parameters"),
        "dataset_tokens": point.total("corpus_tokens"),
        "training_tokens": point.total("tokens"),
        "batch_size": point.facts.get("batch_size"),
        "seq_len": point.facts.get("sequence_length"),
    }
    values = {
        name: () if number is None else (Value(text=_shown(name, number), number=number),)
        for name, number in numbers.items()
    }
    values["dataset"] = (Value(text=corpus),)
    return Row(
        kind=MEASURED,
        label=f"ours{remark}: {point.label}",
        settings=(),
        entries=tuple(values[name] for name in COLUMNS),
        source=source_of(point.study),
        synthetic=point.facts.get("source") == "synthetic",
        stands_for=stands_for,
        cells=tuple(sorted(point.seeds)),
    )


def _shown(name: str, number: float) -> str:
    """As the paper writes it: 3.48B; batches and lengths in full."""
    if name in ("batch_size", "seq_len"):
        return str(round(number))
    for suffix, unit in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= unit:
            return f"{number / unit:.3g}{suffix}"
    return str(round(number))
