"""The corpus stage: what is held out, what is left out, and that training never sees it."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import HeldOutConfig, SyntheticConfig
from model.errors import InputError
from model.stages import CorpusStage
from model.text import corpus
from model.text.held_out import Candidates, text_hash


def contents(artifact: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(artifact.iterdir())}


def check_split(found: corpus.Corpus, distinct: list[list[str]], budget: int) -> None:
    """Held-out text is within its budget, nothing else is lost, and nothing leaks."""
    train, held = list(found.train()), found.held_out
    held_lines = {line for unit in held for line in unit}
    assert train and held
    assert not any(line in held_lines for document in train for line in document)
    kept = [[line for line in document if line not in held_lines] for document in distinct]
    assert train == [document for document in kept if document]
    assert held_lines <= {line for document in distinct for line in document}
    size = sum(len(line.encode()) for unit in held for line in unit)
    assert size <= budget or len(held) == 1
    assert found.info["held_out"] == {
        "documents": len(held),
        "sentences": sum(map(len, held)),
        "bytes": size,
        "characters": sum(len(line) for unit in held for line in unit),
    }
    assert found.info["train"] == {
        "documents": len(train),
        "sentences": sum(map(len, train)),
        "bytes": sum(len(line.encode()) for document in train for line in document),
        "characters": sum(len(line) for document in train for line in document),
    }


def test_split_by_document(workshop, documents) -> None:
    text = documents("ru", 600)
    workshop.write("ru", text)
    found = workshop.open(workshop.corpus("ru", fraction=0.05))
    size = found.info["bytes"]
    check_split(found, text, int(0.05 * size))
    assert found.info["block_sentences"] == 0
    assert found.info["documents"] == 600
    assert found.info["held_out"]["bytes"] > 0.04 * size
    numbers = np.load(workshop.folder / "artifact1" / "held_out.npy")[:, 0]
    assert numbers.min() < 100 and numbers.max() > 500, "drawn over the whole of the source"


def test_held_out_bytes_are_limited(workshop, documents) -> None:
    text = documents("en", 600)
    workshop.write("en", text)
    check_split(workshop.open(workshop.corpus("en", fraction=0.5, max_bytes=3000)), text, 3000)


def test_no_held_out_line_is_in_training(workshop, documents) -> None:
    """A line that many documents share is in training only if no held-out document has it."""
    text = documents("en", 400)
    for number, lines in enumerate(text):
        lines.append(f"All rights reserved {number % 40}.")
    workshop.write("en", text)
    found = workshop.open(workshop.corpus("en"))
    check_split(found, text, int(0.05 * found.info["bytes"]))
    shared = {line for unit in found.held_out for line in unit if line.startswith("All")}
    assert shared, "the test must have shared lines in the held-out part"


def test_duplicate_documents_count_once(workshop, documents) -> None:
    text = documents("en", 300)
    workshop.write("en", text + text[10:250] + [text[5]])
    found = workshop.open(workshop.corpus("en"))
    assert found.info["documents"] == 300
    assert found.info["duplicate_documents"] == 241
    check_split(found, text, int(0.05 * found.info["bytes"]))
    workshop.write("en", text)
    plain = workshop.open(workshop.corpus("en"))
    for key in ("documents", "sentences", "bytes", "train", "held_out", "held_out_threshold"):
        assert found.info[key] == plain.info[key]


def test_held_out_part_does_not_depend_on_the_order(workshop, documents) -> None:
    text = documents("en", 300)
    workshop.write("en", text)
    first = sorted(workshop.open(workshop.corpus("en")).held_out)
    workshop.write("en", text[::-1])
    assert sorted(workshop.open(workshop.corpus("en")).held_out) == first


def test_same_text_gives_the_same_bytes(workshop, documents) -> None:
    workshop.write("en", documents("en", 200))
    assert contents(workshop.corpus("en")) == contents(workshop.corpus("en"))


@pytest.mark.parametrize("count", [1, 3])
def test_few_documents_are_split_by_blocks_of_lines(workshop, documents, count: int) -> None:
    lines = [line for document in documents("en", 200) for line in document]
    step = len(lines) // count
    text = [lines[start : start + step] for start in range(0, len(lines), step)]
    workshop.write("en", text)
    found = workshop.open(workshop.corpus("en", fraction=0.05))
    assert found.info["block_sentences"] >= 1
    check_split(found, text, int(0.05 * found.info["bytes"]))
    assert found.info["train"]["bytes"] > 0.9 * found.info["bytes"]
    assert found.info["train"]["documents"] == len(text), "documents stay whole in training"


def test_two_lines_are_the_least(workshop) -> None:
    workshop.write("en", [["one line", "and another"]])
    found = workshop.open(workshop.corpus("en"))
    assert sorted([*found.train(), *found.held_out]) == [["and another"], ["one line"]]
    workshop.write("en", [["one line"]])
    with pytest.raises(InputError, match=r"en\.txt: the text of 'en' has 1 sentence, too few"):
        workshop.corpus("en")
    workshop.write("en", [["one line", "one line", "one line"]])
    with pytest.raises(InputError, match="too few"):
        workshop.corpus("en")


def test_blank_corpus(workshop) -> None:
    path = workshop.write("en", [["  "], ["\t"]])
    with pytest.raises(InputError, match="found blank lines only") as caught:
        workshop.corpus("en")
    assert str(path) in str(caught.value) and "'en'" in str(caught.value)


def test_several_files(workshop, documents) -> None:
    text = documents("en", 300)
    (workshop.text / "en").mkdir()
    for part in range(3):
        lines = "\n\n".join("\n".join(d) for d in text[100 * part : 100 * part + 100])
        (workshop.text / "en" / f"{part}.txt").write_text(lines, "utf-8")
    found = workshop.open(workshop.corpus("en"))
    assert [file["name"] for file in found.info["files"]] == ["en/0.txt", "en/1.txt", "en/2.txt"]
    check_split(found, text, int(0.05 * found.info["bytes"]))


def test_file_that_changed_after_planning(workshop, documents) -> None:
    text = documents("en", 50)
    path = workshop.write("en", text)
    stage = workshop.stage("en")
    artifact = workshop.corpus("en")
    swapped = path.read_text("utf-8")[::-1]
    path.write_text(swapped, "utf-8")
    with pytest.raises(InputError, match=r"expected SHA-256 .* changed after it was planned"):
        corpus.run(stage, {}, workshop.output(), workshop.context)
    path.write_text(swapped + "more", "utf-8")
    with pytest.raises(InputError, match=r"expected \d+ bytes, found \d+"):
        workshop.open(artifact)
    path.unlink()
    with pytest.raises(InputError, match="this file of the corpus is missing") as caught:
        workshop.open(artifact)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match=r"locations\.books=FOLDER"):
        corpus.open_corpus(artifact, {})


def test_synthetic_corpus_is_generated_into_the_artifact(workshop) -> None:
    stage = CorpusStage(
        language="sw",
        source="synthetic",
        synthetic=SyntheticConfig(size=40_000, smallest=30_000),
        files=None,
        held_out=HeldOutConfig(),
    )
    output = workshop.output()
    corpus.run(stage, {}, output, workshop.context)
    found = corpus.open_corpus(output, {})
    assert found.info["synthetic"] is True
    assert [file["name"] for file in found.info["files"]] == ["text.txt"]
    held_lines = {line for unit in found.held_out for line in unit}
    assert held_lines.isdisjoint(line for document in found.train() for line in document)
    again = workshop.output()
    corpus.run(stage, {}, again, workshop.context)
    assert contents(output) == contents(again)


def test_description_is_plain_json(workshop, documents) -> None:
    path = workshop.write("en", documents("en", 200))
    info = json.loads((workshop.corpus("en") / "corpus.json").read_text("utf-8"))
    assert info["language"] == "en" and info["source"] == "books" and info["format"] == "text"
    assert info["files"][0]["bytes"] == path.stat().st_size
    assert str(workshop.text) not in json.dumps(info), "a location is never part of an artifact"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=5), st.integers(1, 60)), min_size=1),
    st.integers(1, 100),
    st.randoms(),
)
def test_candidates_do_not_depend_on_their_order(units, limit: int, random) -> None:
    def choose(ordered: list[tuple[str, int]]) -> list[str]:
        candidates = Candidates(2 * limit)
        for number, (text, size) in enumerate(ordered):
            candidates.offer(number, 0, [text], size, text_hash(text))
        chosen = candidates.choose(limit)
        assert sum(unit.bytes for unit in chosen) <= limit or len(chosen) == 1
        return [unit.lines[0] for unit in chosen]

    distinct = list(dict(units).items())
    shuffled = random.sample(distinct, len(distinct))
    assert choose(distinct) == choose(shuffled)
    assert choose(distinct)
