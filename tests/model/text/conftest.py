"""Real corpora, tokenizers and shards in a temporary folder, made by the stages themselves."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from model.config import HeldOutConfig, TokenizerConfig
from model.context import Context
from model.stages import CorpusStage, ShardsStage, SourceFile, TokenizerStage
from model.text import corpus as corpus_stage
from model.text import shards as shards_stage
from model.text import sources
from model.text import tokenizer as tokenizer_stage

ALPHABETS = {"en": "abcdefghijklmnopqrstuvwxyz", "ru": "абвгдежзийклмнопрстуфхцчшщыэюя"}


def make_documents(language: str, count: int, seed: int = 0) -> list[list[str]]:
    """Documents of two to nine lines in words of an invented vocabulary."""
    rng = np.random.default_rng([seed, *language.encode()])
    letters = list(ALPHABETS.get(language, ALPHABETS["en"]))
    words = ["".join(rng.choice(letters, rng.integers(2, 8))) for _ in range(400)]
    return [
        [" ".join(rng.choice(words, rng.integers(3, 12))) + "." for _ in range(rng.integers(2, 10))]
        for _ in range(count)
    ]


class Workshop:
    """Runs the text stages over files in `text`, each into a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = folder / "text"
        self.text.mkdir()
        self.context = Context(work=folder, locations={"books": str(self.text)})
        self._made = 0

    def write(self, language: str, documents: list[list[str]]) -> Path:
        path = self.text / f"{language}.txt"
        path.write_text("\n\n".join("\n".join(lines) for lines in documents) + "\n", "utf-8")
        return path

    def output(self) -> Path:
        self._made += 1
        path = self.folder / f"artifact{self._made}"
        path.mkdir()
        return path

    def stage(self, language: str, **held_out: float) -> CorpusStage:
        files = [
            SourceFile(
                name=path.relative_to(self.text).as_posix(),
                bytes=path.stat().st_size,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in sources.find_files("books", self.text, language)
        ]
        return CorpusStage(
            language=language,
            source="books",
            synthetic=None,
            files=files,
            held_out=HeldOutConfig(**held_out),  # type: ignore[arg-type]
        )

    def corpus(self, language: str, **held_out: float) -> Path:
        output = self.output()
        corpus_stage.run(self.stage(language, **held_out), {}, output, self.context)
        return output

    def open(self, artifact: Path) -> corpus_stage.Corpus:
        return corpus_stage.open_corpus(artifact, self.context.locations)

    def tokenizer(self, corpora: dict[str, Path], **config: object) -> Path:
        output = self.output()
        inputs = {f"corpus/{language}": path for language, path in corpora.items()}
        stage = TokenizerStage(
            tokenizer=TokenizerConfig(languages=sorted(corpora), **config)  # type: ignore[arg-type]
        )
        tokenizer_stage.run(stage, inputs, output, self.context)
        return output

    def shards(self, language: str, corpus_artifact: Path, tokenizer_artifact: Path) -> Path:
        output = self.output()
        inputs = {"corpus": corpus_artifact, "tokenizer": tokenizer_artifact}
        shards_stage.run(ShardsStage(language=language), inputs, output, self.context)
        return output


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def documents():
    """The function that invents documents: language, number of documents, seed."""
    return make_documents


@pytest.fixture
def real_text() -> Path:
    """The folder of real text (GRID_TEST_DATA, or shared/data beside the repository)."""
    root = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("GRID_TEST_DATA", root.parent / "shared" / "data"))
    if not (folder / "corpus_a").is_dir():
        pytest.skip(f"NO REAL TEXT: {folder}/corpus_a is not there; set GRID_TEST_DATA to try it")
    return folder
