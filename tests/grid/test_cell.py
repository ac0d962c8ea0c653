"""Cells: typed, complete, shared where they are equal, and refused where they cannot be."""

from operator import attrgetter
from pathlib import Path

import pytest

import grid
from grid.errors import StudyError
from grid.identity import digest

HEAD = "cell:\n  languages: [en, de]\n"


def study(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_task_s_languages_may_be_a_set_s_name_also_on_an_axis(tmp_path: Path) -> None:
    body = (
        f"{HEAD}  tasks: {{xnli: {{languages: xlm-7}}}}\n"
        "axes:\n  - {name: a, product: {tasks.xnli.languages: [xlm-7, [fr]]}}\n"
    )
    first, second = grid.load(study(tmp_path, body)).cells[:2]
    assert first.config.tasks["xnli"].languages == sorted("en fr de ru zh sw ur".split())
    assert second.config.tasks["xnli"].languages == ["fr"]
    assert first.coordinates["tasks.xnli.languages"] == "xlm-7"


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(StudyError) as caught:
        grid.load(study(tmp_path, text))
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "  encoder:\n    wdith: 8\n",
            "study.yaml:4: cell.encoder.wdith: unknown key (did you mean width?); expected one of "
            "layers, width, heads",
        ),
        (
            "  width: 8\n",
            "study.yaml:3: cell.width: unknown key (did you mean cell.encoder.width?)",
        ),
        (
            "  encoder: {layers: abc}\n",
            "study.yaml:3: cell.encoder.layers: expected int, found 'abc' (str)",
        ),
        ("  encoder: {layers: true}\n", "expected int, found true (bool)"),
        ("  encoder: {layers: '3'}\n", "expected int, found '3' (str)"),
        ("  encoder: {layers: 2.5}\n", "expected int, found 2.5 (float)"),
        ("  encoder: {layers: null}\n", "expected int, found null"),
        ("  encoder: {layers: {a: 1}}\n", "expected int, found a mapping"),
        ("  encoder: {feed_forward: x}\n", "expected int or null, found 'x' (str)"),
        ("  encoder: 3\n", "study.yaml:3: cell.encoder: expected a mapping, found 3 (int)"),
        ("  encoder: {dropout: .nan}\n", "expected a finite number"),
        ("  corpus: {source: 3}\n", "cell.corpus.source: expected text, found 3 (int)"),
        ("  corpus: {synthetic: {shared_meaning: 1}}\n", "expected true or false, found 1"),
        (
            "  encoder:\n    heads: 5\n    width: 768\n",
            "study.yaml:5: cell.encoder.width: expected a multiple of encoder.heads (5), found 768",
        ),
        (
            "  encoder:\n    heads: 5\n",
            "study.yaml:4: cell.encoder.width: expected a multiple of encoder.heads (5), found 768",
        ),
        ("  sampling: {alpha: 1.5}\n", "cell.sampling.alpha: expected 0 to 1, found 1.5"),
        ("  encoder: {norm: pst}\n", "cell.encoder.norm: expected one of post, pre, found 'pst'"),
        ("  tasks: {xlni: {}}\n", "cell.tasks.xlni: unknown key (did you mean xnli?)"),
        (
            "  tasks: {xnli: {epoch: 3}}\n",
            "cell.tasks.xnli.epoch: unknown key (did you mean epochs",
        ),
        (
            "  tokenizer:\n    languages: [en, swa]\n",
            "study.yaml:4: cell.tokenizer.languages: unknown language 'swa' (did you mean",
        ),
        (
            "  tokenizer: {languages: xlm-77}\n",
            "cell.tokenizer.languages: unknown language set 'xlm-77' (did you mean xlm-7",
        ),
        ("  tokenizer: {languages: en}\n", "(for this one language write [en])"),
        ("  tokenizer: {languages: []}\n", "expected at least one language"),
        ("  tokenizer: {languages: [en, en]}\n", "expected each language once, found 'en' twice"),
        (
            "  tokenizer: {languages: [../en]}\n",
            "cell.tokenizer.languages: expected a language's code of letters, digits",
        ),
        (
            "  tasks: {pos: {epochs: 3}}\n",
            "cell.tasks.pos.source: expected the name of a location, for only xnli is generated",
        ),
        ("  tokenizer: {languages: 7}\n", "expected the name of a language set or a list of codes"),
        (
            "  pretraining: {counted_languages: [fr]}\n",
            "cell.pretraining.counted_languages: expected languages that the cell is trained on",
        ),
    ],
)
def test_a_mistake_names_file_line_key_and_what_is_legal(
    tmp_path: Path, body: str, message: str
) -> None:
    assert message in refused(tmp_path, HEAD + body)


def test_a_cell_needs_languages(tmp_path: Path) -> None:
    message = refused(tmp_path, "cell: {seed: 1}\n")
    assert message.startswith("study.yaml:1: cell.languages: expected at least one language")


def test_a_mistake_at_a_point_is_told_where_its_axis_is_written(tmp_path: Path) -> None:
    text = HEAD + (
        "axes:\n  - name: wider\n    product:\n      encoder.heads: [4, 8]\n"
        "      encoder.width:\n        - 8\n        - 12\n"
    )
    message = refused(tmp_path, text)
    assert message == (
        "study.yaml:9: encoder.width: expected a multiple of encoder.heads (8), found 12 "
        "(block 'wider' at encoder.heads=8, encoder.width=12)"
    )


def test_a_wrong_type_on_an_axis_is_told(tmp_path: Path) -> None:
    text = HEAD + "axes:\n  - name: a\n    product: {encoder.width: [12, x]}\n"
    assert refused(tmp_path, text) == (
        "study.yaml:5: axes[a].encoder.width: expected int, found 'x' (str)"
    )


def test_a_task_that_is_off_cannot_be_an_axis(tmp_path: Path) -> None:
    text = HEAD + "axes: [{name: a, product: {tasks.xnli.epochs: [1, 2]}}]\n"
    assert "the task xnli is not among cell.tasks" in refused(tmp_path, text)


def test_one_cell_twice_under_two_names_is_refused(tmp_path: Path) -> None:
    text = (
        "language_sets: {mine: [en, de]}\n"
        "axes: [{name: a, product: {languages: [mine, [de, en]]}}]\n"
    )
    assert "axes[a]: yields one cell twice: the point languages=de,en" in refused(tmp_path, text)


def test_the_values_of_blocks_and_axes_reach_the_cell(tmp_path: Path) -> None:
    text = HEAD + (
        "  tasks: {xnli: {}}\n"
        "axes:\n"
        "  - name: a\n"
        "    zip: {tasks.xnli.epochs: [1, 2], sampling.alpha: [0, 0.5]}\n"
        "    cell: {tasks: {xnli: {max_length: 64}}, pretraining: {updates: 0}}\n"
        "  - name: b\n"
        "    product: {corpus.synthetic.size: [50_000]}\n"
        "replicates: {seed: {range: [3, 4]}}\n"
    )
    cells = grid.load(study(tmp_path, text)).cells
    assert [cell.seed for cell in cells] == [3, 4, 3, 4, 3, 4]
    task = cells[2].config.tasks["xnli"]
    assert task is not None
    assert (task.epochs, task.max_length, task.train_language) == (2, 64, "en")
    assert (cells[2].config.sampling.alpha, cells[2].config.pretraining.updates) == (0.5, 0)
    assert cells[4].config.corpus.synthetic.size == 50_000
    assert cells[4].config.pretraining.updates == 1_500_000
    # Every cell has a coordinate on every axis of the study, also where its block varies others.
    assert cells[4].coordinates == {
        "tasks.xnli.epochs": 10,
        "sampling.alpha": 0.3,
        "corpus.synthetic.size": 50_000,
    }


def test_coordinates_name_language_sets(tmp_path: Path) -> None:
    text = (
        "axes:\n  - {name: a, product: {languages: [xlm-7, [sw, en]]}}\n"
        "  - {name: b, product: {tokenizer.languages: [xlm-15]}, cell: {languages: xlm-7}}\n"
    )
    cells = grid.load(study(tmp_path, text)).cells
    assert [tuple(cell.coordinates.values()) for cell in cells] == [
        ("xlm-7", "xlm-7"),
        ("sw,en", "en,sw"),
        ("xlm-7", "xlm-15"),
    ]
    assert cells[0].id.startswith("xlm-7-xlm-7-s1-")


def test_ids_hash_the_configuration_and_nothing_else(tmp_path: Path) -> None:
    (first,) = grid.load(study(tmp_path, "title: A\n" + HEAD)).cells
    (same,) = grid.load(
        study(tmp_path, "title: B\ncell: {languages: [de, en], encoder: {dropout: 0.1}}\n")
    ).cells
    (other,) = grid.load(study(tmp_path, HEAD + "  encoder: {dropout: 0.2}\n")).cells
    assert first.id == same.id
    assert first.id != other.id
    assert first.id.endswith(digest(first.config)[:8])


def test_ten_thousand_cells_share_what_is_equal(tmp_path: Path) -> None:
    """What keeps a large study fast (benchmarks/expansion.md): no part is built twice."""
    alphas = [round(0.05 * step, 2) for step in range(20)]
    text = (
        "cell: {languages: xlm-100}\naxes: [{name: a, product: {"
        "languages: [xlm-7, xlm-15, xlm-30, xlm-60, xlm-100], "
        f"sampling.alpha: {alphas}, "
        "pretraining.updates: {range: [1, 100]}}}]\n"
    )
    cells = grid.load(study(tmp_path, text)).cells
    assert len({cell.id for cell in cells}) == 10_000

    def built(part: str) -> int:
        return len({id(attrgetter(part)(cell.config)) for cell in cells})

    assert (built("corpus"), built("encoder"), built("tasks")) == (1, 1, 1)
    assert (built("sampling"), built("pretraining")) == (20, 100)
    assert (built("languages"), built("tokenizer"), built("evaluation")) == (5, 5, 5)


def test_cells_are_plain_values_that_share_nothing_by_mistake(tmp_path: Path) -> None:
    text = HEAD + "axes: [{name: a, product: {encoder.width: [12, 24]}}]\n"
    first, second = grid.load(study(tmp_path, text)).cells
    assert (first.config.encoder.width, second.config.encoder.width) == (12, 24)
    assert first.config != second.config
