"""Tables as a reader gets them: what stands where, what is said to be missing, and the files."""

import csv
import io
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import grid
from plots import cli
from plots.errors import FigureError
from plots.published import load_published
from plots.studies import StudyOutput
from plots.tables.latex import latex
from plots.tables.markdown import markdown
from plots.tables.registry import TABLES, make_table, write_tables
from plots.tables.table import BASELINE, MEASURED, PRINTED, Row, Table, Value
from plots.tables.tidy import tidy
from tests.plots.tables import made_up

LATEX = shutil.which("pdflatex")
STUDIES = Path(__file__).parents[3] / "studies"
DECLARED = {
    file.stem: grid.load(file).tables for file in sorted(STUDIES.glob("*.yaml"))
    if file.stem != "base"
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StudyOutput]:
    """Made-up results of Base, Large, XL and XXL, and of models for one language and seven."""
    folder = tmp_path_factory.mktemp("store")
    studies = {
        name: made_up.sizes(folder, name, axis=f"encoder.size: [{size}]")
        for name, size in (("xlmr", "base, large"), ("xlmr_xl", "xl"), ("xlmr_xxl", "xxl"))
    }
    files = {**studies, "monolingual": made_up.monolingual(folder)}
    return {
        name: made_up.fill(file, folder / "runs", made_up.spread) for name, file in files.items()
    }


def declaring(store: dict[str, StudyOutput], name: str) -> StudyOutput:
    study = next(study for study, tables in DECLARED.items() if name in tables)
    return store[study]


def below(table: Table) -> list[tuple[str, str, str]]:
    """Each measured row that is in place, with its section and the printed row above it."""
    return [
        (section.title, above.label, row.stands_for)
        for section in table.sections
        for above, row in zip(section.rows, section.rows[1:], strict=False)
        if row.stands_for
    ]


def test_every_table_is_declared_by_a_shipped_study() -> None:
    assert {name for tables in DECLARED.values() for name in tables} == set(TABLES)
    assert all(name in DECLARED[entry.study] for name, entry in TABLES.items())


@pytest.mark.parametrize("study", [name for name, tables in DECLARED.items() if tables])
def test_shipped_studies_make_their_tables_before_anything_has_run(
    study: str, tmp_path: Path
) -> None:
    output = made_up.fill(STUDIES / f"{study}.yaml", tmp_path, None)
    for name in output.tables:
        table = make_table(output, name)
        assert any(row.kind == PRINTED for row in table.rows)
        assert table.gaps and all(" grid run studies/" in gap.command for gap in table.gaps)
        assert not any(row.cells and row.kind == BASELINE for row in table.rows)


@pytest.mark.parametrize("name", TABLES)
def test_a_measured_row_stands_below_the_printed_model_that_it_is_for(
    name: str, store: dict[str, StudyOutput]
) -> None:
    table = make_table(declaring(store, name), name)
    placed = below(table)
    assert placed and all(above == stands_for for _, above, stands_for in placed)
    measured = [row for row in table.rows if row.kind == MEASURED]
    others = [row for row in measured if not row.stands_for]
    assert len(placed) + len(others) == len(measured)
    assert all(row.label.startswith("ours, as XLM-R Base: ") for row in others)
    assert not table.gaps and all(any(row.entries) for row in measured)


def test_sizes_of_three_studies_fill_one_table(store: dict[str, StudyOutput]) -> None:
    table = make_table(store["xlmr_xl"], "xlmr_xl_table_1")
    zero_shot = [row for row in table.sections[0].rows if row.kind == MEASURED]
    assert [row.stands_for for row in zero_shot] == [
        "XLM-R Base", "XLM-R Large", "XLM-R XL", "XLM-R XXL",
    ]  # fmt: skip
    assert [row.source for row in zero_shot][-1] == "study xlmr_xxl, scale laptop"
    assert {row.settings for row in zero_shot} == {("CC100",)}
    (baseline,) = [row for row in table.sections[0].rows if row.kind == BASELINE]
    assert {value.text for entry in baseline.entries for value in entry} == {"34.5"}


def test_table_5_sets_one_model_against_seven(store: dict[str, StudyOutput]) -> None:
    table = make_table(store["monolingual"], "xlmr_table_5")
    for section, regime in zip(table.sections, ("BERT", "XLM-7", "XLM-7"), strict=True):
        kinds = [(row.kind, row.settings[0]) for row in section.rows]
        assert kinds == [
            (PRINTED, "Wiki"), (MEASURED, "Wiki"), (PRINTED, "CC"), (MEASURED, "CC"),
            (BASELINE, ""),
        ]  # fmt: skip
        assert section.rows[0].label == regime
    mono = table.sections[0].rows[1]
    assert len(mono.cells) == 21 and mono.settings == ("Wiki", "40k")
    assert len(table.sections[1].rows[1].cells) == 3
    assert any("71.8" in note and "72.5" in note for note in table.notes)


def test_parameters_are_counted_as_the_grid_counts_them(store: dict[str, StudyOutput]) -> None:
    table = make_table(store["xlmr_xl"], "xlmr_xl_table_5")
    found = {row.stands_for: row.entries for row in table.rows if row.kind == MEASURED}
    counted = {model: entries[0][0].number for model, entries in found.items() if model}
    # Of the released configurations, with the tied language model head.
    assert counted == {
        "XLM-R Large": 560_142_482, "XLM-R XL": 3_482_741_760, "XLM-R XXL": 10_712_994_816,
    }  # fmt: skip
    assert [value.text for entry in found["XLM-R XL"][1:4] for value in entry] == [
        "cc100", "167B", "6.2T",
    ]  # fmt: skip


def test_generated_text_is_labelled_and_points_are_matched_in_order(tmp_path: Path) -> None:
    file = made_up.sizes(tmp_path, axis="encoder.width: [48, 96]", real=False)
    study = made_up.fill(file, tmp_path / "runs", made_up.spread)
    table = make_table(study, "xlmr_table_1")
    assert table.badge == "synthetic text"
    own = [row for row in table.sections[0].rows if row.kind == MEASURED]
    assert [(row.stands_for, row.label) for row in own] == [
        ("XLM-R Base", "ours: width 48, 3 seeds"), ("XLM-R (Large)", "ours: width 96, 3 seeds"),
    ]  # fmt: skip
    assert own[0].settings[0] == "synthetic Wiki" and all(row.synthetic for row in own)
    assert "**synthetic text**" in markdown(table) and "synthetic text" in latex(table)
    assert make_table(study, "xlmr_table_2").badge == "", "nothing of it was measured"


def test_what_is_missing_has_the_command_that_fills_it(tmp_path: Path) -> None:
    small = made_up.sizes(tmp_path, axis="encoder.width: [48, 96]", real=False)
    without = made_up.sizes(tmp_path, "xlmr_xl", axis="encoder.width: [48]", real=False)
    without.write_text(without.read_text().replace(", translate-train-all", ""))
    made_up.fill(small, tmp_path / "runs", lambda row: None if row["seed"] == 2 else 0.5)
    study = made_up.fill(without, tmp_path / "runs", made_up.spread)
    said: list[str] = []
    write_tables(study, ["xlmr_xl_table_1", "xlmr_xl_table_3"], tmp_path / "out", said.append)
    text = "\n".join(said)
    assert "xlmr, cells not run: 1 of 3: XLM-R Base (zero-shot)" in text
    assert "xlmr_xxl has not run at scale laptop. Fill with: python -m grid run" in text
    assert "studies/xlmr_xxl.yaml --scale laptop --store" in text
    assert "Not part of xlmr_xl at scale laptop: xnli/translate-train-all" in text
    assert "'cell.tasks.xnli.regimes=[zero-shot,translate-train-all]'" in text
    assert "cell.tasks.xquad.source=xquad locations.xquad=DIR --scale paper" in text
    table = make_table(study, "xlmr_xl_table_1")
    (note,) = {note for row in table.rows for entry in row.entries for value in entry
               for note in value.notes if "seeds" in note}  # fmt: skip
    assert note == "2 of 3 seeds."


def test_a_study_of_another_name_stands_alone(
    tmp_path: Path, store: dict[str, StudyOutput]
) -> None:
    file = made_up.sizes(tmp_path, "mine", axis="encoder.size: [large]")
    study = made_up.fill(file, store["xlmr"].store, made_up.spread)
    table = make_table(study, "xlmr_xl_table_1")
    own = [row for row in table.rows if row.kind == MEASURED]
    assert {row.source for row in own} == {"study mine, scale laptop"}
    assert [row.stands_for for row in own] == ["XLM-R Large"] * 2
    assert not table.gaps


def test_the_csv_has_every_number_and_where_it_comes_from(store: dict[str, StudyOutput]) -> None:
    lines = list(csv.DictReader(io.StringIO(tidy(make_table(store["xlmr"], "xlmr_table_3")))))
    printed = [line["shown"] for line in lines if line["kind"] == PRINTED]
    assert sorted(printed) == sorted(load_published("xlmr_table3_mlqa")["value"].to_list())
    measured = [line for line in lines if line["kind"] == MEASURED]
    assert len(measured) == 2 * 8 * 2, "two models, seven languages and the average, F1 and EM"
    for line in measured:
        assert float(line["low"]) < float(line["value"]) < float(line["high"])
        assert line["seeds"] == "1 2 3" and len(line["cells"].split()) == 3
        assert line["source"] == "study xlmr, scale laptop"
    assert all(line["source"].startswith("Conneau") for line in lines if line["kind"] == PRINTED)


@pytest.mark.parametrize("name", TABLES)
def test_markdown_lines_have_the_same_columns(name: str, store: dict[str, StudyOutput]) -> None:
    table = make_table(declaring(store, name), name)
    grid_lines = [line for line in markdown(table).splitlines() if line.startswith("|")]
    assert len({len(line) for line in grid_lines}) == 1, "aligned for a reader of the text"
    assert len({line.count("|") for line in grid_lines}) == 1
    for line in latex(table).splitlines():
        if line.endswith(r"\\") and "multicolumn" not in line:
            assert line.count(" & ") == len(table.settings) + len(table.columns)


def _hostile(table: Table) -> Table:
    value = Value(text="1|2", number=1.0, notes=("50 % of $x$ & <b>_y_</b> \\ {z} ~ ^ #1",))
    row = Row(
        kind=MEASURED,
        label="ours: a_b|c & <script>",
        settings=("",) * len(table.settings),
        entries=((value,),) * len(table.columns),
        source="study a_b",
    )
    sections = (*table.sections[1:], replace(table.sections[0], rows=(row,)))
    return replace(table, sections=sections, claims=("undecided: 1 & 2 (±3 %)",))


def test_what_a_study_says_is_escaped(store: dict[str, StudyOutput]) -> None:
    table = _hostile(make_table(store["xlmr"], "xlmr_table_1"))
    text = markdown(table)
    assert "<script>" not in text and r"a_b\|c & \<script\>" in text
    assert r"a\_b|c \& \textless{}script\textgreater{}" in latex(table)
    assert r"50 \% of \$x\$ \& " in latex(table)


@pytest.mark.skipif(LATEX is None, reason="needs LaTeX: texlive-latex-recommended")
def test_latex_compiles_without_a_warning(tmp_path: Path, store: dict[str, StudyOutput]) -> None:
    tables = [make_table(declaring(store, name), name) for name in TABLES]
    tables.append(replace(_hostile(tables[0]), name="hostile"))
    body = "\\clearpage\n".join(latex(table) for table in tables)
    (tmp_path / "all.tex").write_text(
        "\\documentclass[a4paper]{article}\n\\usepackage{booktabs}\n\\usepackage{graphicx}\n"
        f"\\begin{{document}}\n{body}\\end{{document}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [str(LATEX), "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


def test_files_are_the_same_every_time_and_say_what_made_them(
    tmp_path: Path, store: dict[str, StudyOutput]
) -> None:
    study = store["monolingual"]
    first = write_tables(study, study.tables, tmp_path / "a")
    second = write_tables(study, study.tables, tmp_path / "b")
    assert [path.name for path in first] == [f"xlmr_table_5.{suffix}" for suffix in
                                             ("md", "csv", "tex", "json")]  # fmt: skip
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    data = json.loads(first[-1].read_text(encoding="utf-8"))
    assert data["results_sha256"] == study.results_sha256() and data["revision"]
    assert str(tmp_path) not in first[0].read_text(encoding="utf-8")


def test_the_command_prints_paths_and_tells_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = made_up.fill(
        made_up.monolingual(tmp_path),
        tmp_path / "runs",
        lambda row: None if (row["language"], row["seed"]) == ("sw", 2) else 0.5,
    )
    assert cli.main(["xlmr_table_5", "--store", str(tmp_path / "runs")]) == 0
    printed = capsys.readouterr()
    folder = study.folder / "tables"
    assert {Path(line) for line in printed.out.splitlines()} == set(folder.iterdir())
    assert "xlmr_table_5: monolingual, cells not run: 1 of 21: " in printed.err
    assert "python -m grid run studies/monolingual.yaml --scale laptop" in printed.err
    assert cli.main(["xlmr_table_1", "--store", str(tmp_path / "runs")]) == 1
    told = capsys.readouterr().err
    assert "xlmr_table_1: not in this store yet. Fill with: python -m grid run" in told
    assert "studies/xlmr.yaml --scale laptop" in told and not list(folder.glob("xlmr_table_1*"))


def test_names_and_folders_that_are_wrong_are_told(
    tmp_path: Path, store: dict[str, StudyOutput]
) -> None:
    with pytest.raises(FigureError, match="Did you mean xlmr_table_1"):
        make_table(store["xlmr"], "xlmr_tabel_1")
    (tmp_path / "file").write_text("")
    with pytest.raises(FigureError, match="the table cannot be written"):
        write_tables(store["xlmr"], ["xlmr_table_1"], tmp_path / "file" / "tables")
