"""A plan as a person reads it: a narrow table of cells, and lines on what all of it comes to."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from grid import tables
from grid.budget import text
from grid.graph import StageId
from grid.plan import HOUR, Plan

if TYPE_CHECKING:
    import polars

_TOLD = 12
"""Tokenizers that are told one by one."""
_ALWAYS = ("study", "#", "cell", "state")
_SPARE = ("embeddings", "a rank", "rows", "batch", "FLOPs", "parameters")
"""Columns that are left out, in this order, after those of the axes, until a row fits."""


def table(plan: Plan, frame: "polars.DataFrame") -> "polars.DataFrame":
    """The cells, in units for reading; one column for everything that a terminal could show."""
    import polars

    columns: dict[str, list[object]] = {
        **({"study": frame["study"].to_list()} if len(plan.studies) > 1 else {}),
        "#": frame["number"].to_list(),
        "cell": frame["cell"].to_list(),
        "state": frame["state"].to_list(),
        **{path: frame[path].to_list() for path in _axes(plan)},
    }
    unit = "GPU" if plan.device.kind == "cuda" else "core"
    for row in frame.iter_rows(named=True):
        smallest = row["smallest_tensor_parallel"]
        beside = ""
        if smallest not in (None, row["tensor_parallel"]):
            beside = f" (or {smallest}: {_bytes(row['smallest_memory'])})"
        for name, value in (
            ("rows", f"{row['embedding_rows']:,}"),
            ("parameters", _short(row["parameters"])),
            ("embeddings", _short(row["embedding_parameters"])),
            ("a rank", _short(row["rank_parameters"])),
            ("tokens", _short(row["tokens"])),
            ("FLOPs", f"{row['flops']:.2g}"),
            ("TP", f"{row['tensor_parallel']}{beside}"),
            ("batch", f"{row['data_parallel']} x {row['micro_batch']} x {row['accumulation']}"),
            ("memory", _bytes(row["memory"])),
            (f"{unit} hours", hours(row["device_hours"])),
        ):
            columns.setdefault(name, []).append(value)
    return polars.DataFrame(columns, strict=False)


def shown(plan: Plan, frame: "polars.DataFrame", width: int = tables.WIDTH) -> str:
    """What `plan` prints of the cells: what is the same in all of them, then a table of the rest.

    A cell's id names its values, so the axes' columns are the first to go where a row is wider than
    `width`. What is left out is said; the other formats have everything.
    """
    whole = table(plan, frame)
    same = tables.constant(whole, keep=_ALWAYS)
    whole = whole.drop(list(same))
    left_out: list[str] = []
    axes = [path for path in _axes(plan) if path in whole.columns]
    for group in (axes, *([name] for name in _SPARE if name in whole.columns)):
        if tables.width_of(whole) <= width:
            break
        whole = whole.drop(group)
        left_out += group
    lines = tables.same_in_all("cell", same, width)
    if left_out:
        told = f"too wide to show, but in --format csv: {', '.join(left_out)}"
        lines += tables.fold(told, width)
    return "\n".join([*lines, tables.as_text(whole)])


def _axes(plan: Plan) -> list[str]:
    return list(dict.fromkeys(path for study in plan.studies for path in study.paths))


def lines(plan: Plan, frame: "polars.DataFrame") -> Iterator[str]:
    """Where the prices come from, what the cells share, and what text costs."""
    device, corrected = plan.device, plan.correction
    yield (
        f"priced for {device.name} ({_bytes(device.memory)}; {device.source}), calibrated by "
        f"{plan.calibration.source}"
    )
    if corrected.runs:
        yield (
            f"times are multiplied by {corrected.factor:.2f}, from {corrected.runs} finished runs "
            "in this store"
        )
    yield from _memory(plan, frame)
    totals = plan.totals()
    for name, says in (
        ("alone", "without sharing"),
        ("shared", "shared"),
        ("done", "in the store"),
        ("to run", "to run"),
    ):
        total = totals[name]
        yield (
            f"  {says:<16} {total.stages:>7,} stages  {hours(total.device_hours):>10} on "
            f"{device.name}  {hours(total.cpu_hours):>10} of CPU for text"
        )
    yield from _text(plan)
    for note, cells in _notes(frame):
        yield f"cell {cells[0]}: {note}" if len(cells) == 1 else f"cells {_runs(cells)}: {note}"


def _memory(plan: Plan, frame: "polars.DataFrame") -> Iterator[str]:
    """The parts of the fullest cell's rank."""
    fullest = max(frame.iter_rows(named=True), key=lambda row: row["memory"])
    parts = ", ".join(
        f"{part} {_bytes(fullest[f'memory_{part}'])}"
        for part in ("weights", "gradients", "optimizer", "activations", "logits", "workspace")
    )
    yield f"fullest rank: cell {fullest['number']}, {_bytes(fullest['memory'])}: {parts}"


def _text(plan: Plan) -> Iterator[str]:
    """What each tokenizer and its shards cost, as a table."""
    import polars

    graph = plan.graph
    tokenizers = [id for id in graph.stages if id[0] == "tokenizer"]
    sources: dict[StageId, dict[str, None]] = {}
    for cell, roles in graph.cells.items():
        corpus = plan.cells[cell].config.corpus
        name = corpus.source
        if name == "synthetic":
            name = f"synthetic {corpus.synthetic.profile}"
        if "tokenizer" in roles:
            sources.setdefault(roles["tokenizer"], {})[name] = None
    rows = []
    for id in tokenizers[:_TOLD]:
        stage = graph.stages[id]
        config = stage.config.tokenizer
        cost = text.tokenizer_cost(
            config, [_size(plan, source) for source in stage.inputs.values()]
        )
        shards = [graph.stages[consumer] for consumer in graph.consumers[id]
                  if consumer[0] == "shards"]  # fmt: skip
        sizes = [(shard.config.language, _size(plan, shard.inputs["corpus"])) for shard in shards]
        costs = [text.shard_cost(size, language, config.vocab_size) for language, size in sizes]
        languages = {language for language, _ in sizes}
        rows.append(
            {
                "tokenizer": f"{config.kind} {config.vocab_size:,}",
                "source": ", ".join(sources[id]),
                "sample": _bytes(cost.sample),
                "training": hours(cost.cpu_seconds / HOUR),
                "memory": _bytes(cost.memory),
                "languages": ", ".join(sorted(languages))
                if len(languages) <= 2
                else str(len(languages)),
                "text": _bytes(sum(size for _, size in sizes)),
                "shards": _bytes(sum(c.disk for c in costs)),
                "time": hours(sum(c.cpu_seconds for c in costs) / HOUR),
            }
        )
    if rows:
        yield from tables.as_text(polars.DataFrame(rows)).splitlines()
    if len(tokenizers) > _TOLD:
        yield f"and {len(tokenizers) - _TOLD} tokenizers more"


def _size(plan: Plan, corpus: tuple[str, str]) -> int:
    config = plan.graph.stages[corpus].config
    if config.synthetic is not None:
        return text.synthetic_bytes(config.synthetic, config.language)
    return sum(file.bytes for file in config.files)


def _notes(frame: "polars.DataFrame") -> list[tuple[str, list[int]]]:
    """What there is to say of cells, each once, with the cells that it is about."""
    found: dict[str, list[int]] = {}
    for number, note in frame.select("number", "note").iter_rows():
        if note is not None:
            found.setdefault(note, []).append(number)
    return list(found.items())


def _runs(numbers: list[int]) -> str:
    """Cells' numbers as people write them: 1-3, 7."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)


def _short(count: float) -> str:
    """A count as people say it: 278.3M."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.4g}{unit}"
    return f"{count:.0f}"


def _bytes(size: float) -> str:
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size / 1e3:.3g} kB"


def hours(amount: float) -> str:
    """Hours; below two of them minutes, below two of those seconds."""
    if amount >= 2 or amount == 0:
        return f"{amount:,.0f} h" if amount >= 100 or amount == 0 else f"{amount:.1f} h"
    return f"{amount * 60:.1f} min" if amount >= 1 / 30 else f"{amount * HOUR:.0f} s"
