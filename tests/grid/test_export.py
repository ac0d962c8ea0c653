"""`export` and `import` on real cells: files, refusals, and the way there and back."""

import errno
import json
import math
import os
import shutil
from pathlib import Path

import pytest
import yaml

import grid
import grid.study
from grid.errors import StoreError, StudyError
from grid.export import export
from grid.study import Study
from model.encoder.weights import read_header
from model.errors import InputError
from tests.grid.test_cli import run_grid

STUDY = """\
title: Two norms
source: "A trial, Section 1"
cell:
  languages: [en, sw]
  corpus: {synthetic: {size: 40_000, smallest: 20_000}}
  tokenizer: {vocab_size: 200, sample_bytes: 50_000}
  encoder: {layers: 1, width: 16, heads: 2, max_positions: 32}
  pretraining:
    {updates: 2, milestones: [1], batch_size: 2, sequence_length: 32, precision: fp32}
  evaluation: {max_bytes: 300}
axes:
  - {name: norms, product: {encoder.norm: [post, pre]}}
"""
FROM = """\
title: From a published model
cell:
  languages: [en, sw]
  corpus: {synthetic: {size: 40_000, smallest: 20_000}}
  checkpoint: model
  encoder: {layers: 1, width: 16, heads: 2, max_positions: 32}
  tokenizer: {vocab_size: 200}
  pretraining: {batch_size: 2, sequence_length: 32, precision: fp32}
  evaluation: {max_bytes: 300}
axes:
  - {name: more, product: {pretraining.updates: [0, 2]}}
locations: {model: exported}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two studies and a store in which the first one has been run."""
    folder = tmp_path_factory.mktemp("exports")
    (folder / "norms.yaml").write_text(STUDY, encoding="utf-8")
    (folder / "from.yaml").write_text(FROM, encoding="utf-8")
    result = run_grid("run", "norms.yaml", "--workers", "2", cwd=folder)
    assert result.returncode == 0, result.stderr.decode()
    result = run_grid("export", "norms.yaml", 1, "exported", cwd=folder)
    assert result.returncode == 0, result.stderr.decode()
    assert result.stdout.decode().strip() == str(folder / "exported")
    return folder


def load(place: Path, *overrides: str) -> Study:
    return grid.load(place / "norms.yaml", *overrides, store=place / "runs")


def test_the_folder_is_whole_and_nothing_is_left_beside_it(place: Path) -> None:
    assert sorted(path.name for path in (place / "exported").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "sentencepiece.bpe.model",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert [path.name for path in place.iterdir() if "~" in path.name] == []
    config = json.loads((place / "exported" / "config.json").read_text())
    assert config["model_type"] == "xlm-roberta" and config["vocab_size"] == 202


def test_the_card_says_what_the_model_is(place: Path) -> None:
    study = load(place)
    text = (place / "exported" / "README.md").read_text(encoding="utf-8")
    cell = study.cells[0]
    scores = study.results().filter(cell=cell.id, metric="bits_per_byte", language="sw")
    assert yaml.safe_load(text.split("---")[1])["language"] == ["en", "sw"]
    for part in (
        f"# Two norms: {cell.id}",
        "(A trial, Section 1)",
        "encoder.norm = post; seed 1",
        "**Synthetic data.**",
        "| sw | Swahili |",
        "In 2 updates it saw 120 tokens",
        f"{scores['value'][0]:.4f} ({scores['n'][0]:,})",
        "no interval over seeds",
        "AutoModelForMaskedLM.from_pretrained(folder)",
        "arxiv.org/abs/1911.02116",
        "  updates: 2\n",
    ):
        assert part in text
    settings = text.split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(settings)["encoder"]["width"] == 16


def test_a_folder_that_is_taken_is_refused(place: Path, tmp_path: Path) -> None:
    study = load(place)
    (target := tmp_path / "taken").mkdir()
    export(study, study.cells[0], target)  # empty
    first = (target / "model.safetensors").read_bytes()
    with pytest.raises(StudyError, match=r"new or empty\..*--force"):
        export(study, study.cells[1], target)
    assert (target / "model.safetensors").read_bytes() == first
    export(study, study.cells[1], target, precision="bf16", force=True)
    assert json.loads((target / "config.json").read_text())["model_type"] == "xlm-roberta-xl"
    (other := tmp_path / "mine").mkdir()
    (other / "thesis.txt").write_text("years of work")
    (other / "config.json").write_text("{}")
    for _ in range(2):  # a project of the user's; then with a README.md as well
        with pytest.raises(StudyError, match=r"expected an exported model and nothing else, which"):
            export(study, study.cells[0], other, force=True)
        (other / "README.md").write_text("mine")
    assert (other / "thesis.txt").read_text() == "years of work"
    with pytest.raises(StudyError, match="found a file"):
        export(study, study.cells[0], other / "thesis.txt", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "taken"]


def test_what_cannot_be_put_in_its_place_leaves_the_old_model(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, target = load(place), tmp_path / "model"
    export(study, study.cells[0], target)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    rename = os.rename

    def fails(source: Path, to: Path) -> None:
        if Path(to) == target and (Path(source) / "README.md").read_bytes() != before["README.md"]:
            raise OSError(errno.EIO, "the new one is not put there")
        rename(source, to)

    monkeypatch.setattr("grid.export.os.rename", fails)
    with pytest.raises(StoreError, match="input/output error"):
        export(study, study.cells[1], target, force=True)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_link_to_a_model_is_replaced_where_it_leads(place: Path, tmp_path: Path) -> None:
    study = load(place)
    export(study, study.cells[0], tmp_path / "model")
    (link := tmp_path / "link").symlink_to("model")
    assert export(study, study.cells[1], link, force=True) == tmp_path / "model"
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "model"]
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["model_type"] == "xlm-roberta-xl"


def test_what_is_not_finished_is_not_exported(place: Path, tmp_path: Path) -> None:
    result = run_grid(
        "export", "norms.yaml", 1, tmp_path / "new", "cell.pretraining.updates=3", cwd=place
    )
    assert result.returncode == 2
    message = result.stderr.decode()
    assert "no pretraining, evaluation. This fills it: " in message
    assert "python -m grid run norms.yaml cell.pretraining.updates=3\n" in message
    assert not (tmp_path / "new").exists()


def test_a_milestone_is_exported(place: Path, tmp_path: Path) -> None:
    result = run_grid("export", "norms.yaml", 1, tmp_path / "1", "--milestone", 1, cwd=place)
    assert result.returncode == 0, result.stderr.decode()
    text = (tmp_path / "1" / "README.md").read_text(encoding="utf-8")
    assert "These are its weights after 1 of 2 updates" in text
    weights = [folder / "model.safetensors" for folder in (tmp_path / "1", place / "exported")]
    assert weights[0].read_bytes() != weights[1].read_bytes()
    study = load(place)
    with pytest.raises(InputError, match="weights after 7 updates, found 1; pretraining"):
        export(study, study.cells[0], tmp_path / "7", milestone=7)


def test_a_damaged_artifact_is_not_exported(place: Path, tmp_path: Path) -> None:
    store = shutil.copytree(place / "runs", tmp_path / "runs")
    study = grid.load(place / "norms.yaml", store=store)
    stage = study.graph().cells[study.cells[0].id]["pretraining"]
    file = study.open_store().path(*stage) / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(StoreError, match=r"is damaged: .*model\.safetensors: expected"):
        export(study, study.cells[0], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_published_model_scores_as_it_did_and_is_trained_on(place: Path, tmp_path: Path) -> None:
    result = run_grid("import", "exported", cwd=place)
    assert result.returncode == 0, result.stderr.decode()
    lines = yaml.safe_load(result.stdout)
    wanted = yaml.safe_load(FROM)
    assert lines["cell"]["encoder"] == wanted["cell"]["encoder"]
    assert lines["cell"]["tokenizer"] == {"kind": "unigram", "vocab_size": 200}
    assert lines["locations"] == {"exported": str(place / "exported")}
    weights = read_header(place / "exported" / "model.safetensors").values()
    numbers = sum(math.prod(tensor.shape) for tensor in weights)
    assert f"post-LN, {numbers:,} parameters" in result.stdout.decode()

    result = run_grid("run", "from.yaml", "--workers", "2", cwd=place)
    assert result.returncode == 0, result.stderr.decode()
    study = grid.load(place / "from.yaml", store=place / "runs")
    frame = study.results().filter(metric="bits_per_byte")
    own = load(place).results().filter(metric="bits_per_byte", cell=load(place).cells[0].id)
    as_it_is, more = (frame.filter(cell=cell.id) for cell in study.cells)
    assert as_it_is["value"].to_list() == own["value"].to_list()
    assert as_it_is["seen"].to_list() == [None, None], "what it was trained on is not known"
    assert more["value"].to_list() != own["value"].to_list()
    assert set(more["seen"]) <= {True, None}

    again = export(study, study.cells[0], tmp_path / "again")
    for name in ("model.safetensors", "tokenizer.json", "sentencepiece.bpe.model"):
        assert (again / name).read_bytes() == (place / "exported" / name).read_bytes()
    text = (export(study, study.cells[1], tmp_path / "more") / "README.md").read_text("utf-8")
    assert "It started from the published model `model`" in text


@pytest.mark.parametrize("command", ["run", "plan"])
def test_another_architecture_is_refused_at_plan_time(command: str, place: Path) -> None:
    result = run_grid(command, "from.yaml", "cell.encoder.heads=4", cwd=place)
    assert result.returncode == 2
    assert "encoder.heads: 4, the checkpoint has 2" in result.stderr.decode()


def test_import_tells_what_is_wrong(place: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(place / "exported", tmp_path / "broken")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    result = run_grid("import", folder, cwd=place)
    assert result.returncode == 2 and result.stdout == b""
    assert "expected a whole safetensors file" in result.stderr.decode()
