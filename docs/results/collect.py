"""Puts what stores hold on this shelf: `python docs/results/collect.py [--scale real] STORE …`.

For each study that has run at the scale: its results (Parquet), its figures (PNG) and tables
(Markdown) into laptop/ or real_text/, and all verdicts into verdicts.csv there; what the folder has
of other studies stays. Of several stores the first is the shelf's; the others are of other worlds
(`cell.corpus.synthetic.seed`), of which the verdicts alone are kept. The tables between the markers
of laptop.md and real_text.md follow from verdicts.csv; a test compares them.
"""

import argparse
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars

from grid import claims
from grid.claims.shown import frame

HERE = Path(__file__).resolve().parent
SHELVES = {"laptop": HERE / "laptop", "real": HERE / "real_text"}
"""The folder of each scale; its page lies beside it."""
STATEMENTS = "<!-- statements -->"
COLUMNS = tuple("world study verdict says effect low high unit seeds p_adjusted told".split())
HELD_OUT = " (held-out text)"
"""Ends a claim that asks of held-out text what the paper says of a task."""
OWN = ("learning_rates", "synthetic_controls")
"""Studies whose claims no paper makes."""
CURVES_OF = "curse_of_multilinguality"
"""The study whose learning curves are kept; those of the others are much alike."""

Row = Mapping[str, str]


def verdicts(store: Path, world: int, scale: str) -> polars.DataFrame:
    """A row for each claim that applies, of each study of the store."""
    found = [claims.read(folder) for folder in sorted(store.glob(f"studies/*/{scale}"))]
    kept = [each for each in found if each is not None and each.claims]
    told = [claim.told_effect for each in kept for claim in each.claims]
    made = frame(kept).with_columns(world=polars.lit(world), told=polars.Series(told))
    return made.filter(polars.col("verdict") != claims.NOT_APPLICABLE).select(COLUMNS)


def copy(store: Path, scale: str) -> None:
    """Results, figures and tables of every study that has run, in place of its own of before."""
    shelf = SHELVES[scale]
    files = sorted(store.glob(f"studies/*/{scale}/results.parquet"))
    if not files:
        sys.exit(f"{store}: no study has run at scale {scale}; the shelf stays as it is")
    shelf.mkdir(exist_ok=True)
    for file in files:
        folder, name = file.parent, file.parts[-3]
        shutil.copy(file, shelf / f"{name}.parquet")
        for figure in sorted(folder.glob("figures/*.png")):
            if figure.stem != "learning_curves" or name == CURVES_OF:
                shutil.copy(figure, shelf / figure.name)
        for table in sorted(folder.glob("tables/*.md")):
            text = table.read_text(encoding="utf-8")
            # Where the store lay is nobody's business.
            text = text.replace(f" --store {store}", "")
            (shelf / table.name).write_text(text, encoding="utf-8")


def read_verdicts(scale: str) -> list[Row]:
    """The rows of the shelf's verdicts.csv; none if there is no such file yet."""
    path = SHELVES[scale] / "verdicts.csv"
    if not path.exists():
        return []
    return polars.read_csv(path, infer_schema=False).fill_null("").to_dicts()


def current(page: str, rows: Sequence[Row]) -> str:
    """The page with its tables anew. Raises ValueError for a study without markers."""
    if STATEMENTS in page:
        page = _between(page, STATEMENTS, statements(rows))
    for study in dict.fromkeys(row["study"] for row in rows):
        of_study = [row for row in rows if row["study"] == study]
        page = _between(page, f"<!-- verdicts of {study} -->", table(of_study))
    return page


def _between(page: str, begin: str, lines: Iterable[str]) -> str:
    """The page with these lines between a marker and the next end."""
    end = "<!-- end -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"expected {begin} and {end} in the page")
    return before + "\n".join([begin, *lines, end]) + after


def statements(rows: Sequence[Row]) -> Iterator[str]:
    """What the papers state, each with its verdict by a task and by held-out text; their count."""
    first = min(row["world"] for row in rows)
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["world"] == first and row["study"] not in OWN:
            of = found.setdefault(row["says"].removesuffix(HELD_OUT), {"study": row["study"]})
            of["bits" if row["unit"] == "bits/byte" else "points"] = row["verdict"]
    decided = [of for of in found.values() if {"holds", "fails"} & set(of.values())]
    yield f"\n{len(decided)} of {len(found)} statements are decided, by one measure or both:"
    yield "\n| statement | study | task | held-out text |\n|---|---|---|---|"
    for says, of in found.items():
        told = [f"**{of[by]}**" if by in of else "" for by in ("points", "bits")]
        yield f"| {says} | {of['study']} | {' | '.join(told)} |"
    yield ""


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Claims in the study's order: the first world's verdict and effect, then other worlds'."""
    worlds = sorted({row["world"] for row in rows})
    others = "".join(f" world {world} |" for world in worlds[1:])
    yield f"\n| claim | verdict | effect |{others}"
    yield "|---" * (3 + len(worlds) - 1) + "|"
    for row in (row for row in rows if row["world"] == worlds[0]):
        beside = {
            other["world"]: other["verdict"] for other in rows if other["says"] == row["says"]
        }
        cells = "".join(f" {beside.get(world, '')} |" for world in worlds[1:])
        yield f"| {row['says']} | **{row['verdict']}** | {row['told']} |{cells}"
    yield ""


def main(stores: Sequence[Path], scale: str = "laptop") -> None:
    """Copies, and rewrites the tables of the scale's page."""
    copy(stores[0], scale)
    worlds = polars.concat(verdicts(store, world, scale) for world, store in enumerate(stores))
    written = polars.read_csv(worlds.write_csv().encode(), infer_schema=False)
    others = polars.DataFrame(read_verdicts(scale), schema=written.schema)
    others = others.filter(~polars.col("study").is_in(worlds["study"].to_list()))
    every = polars.concat([written, others]).sort("world", "study", maintain_order=True)
    every.write_csv(SHELVES[scale] / "verdicts.csv")
    page = SHELVES[scale].with_suffix(".md")
    page.write_text(current(page.read_text(encoding="utf-8"), read_verdicts(scale)), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", type=Path, nargs="+", metavar="STORE")
    parser.add_argument("--scale", choices=SHELVES, default="laptop")
    options = parser.parse_args()
    main(options.stores, options.scale)
