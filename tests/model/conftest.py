"""A small real world for tests of training and tasks: two languages, through every text stage."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from model.config import HeldOutConfig, SyntheticConfig, TokenizerConfig
from model.context import Context
from model.stages import CorpusStage, ShardsStage, TaskDataStage, TokenizerStage

LANGUAGES = ["en", "sw"]
SYNTHETIC = SyntheticConfig(size=60_000, smallest=20_000)


@dataclass(kw_only=True)
class World:
    """Artifacts of the text stages by stage input name."""

    corpora: dict[str, Path]
    shards: dict[str, Path]
    tokenizer: Path
    small_tokenizer: Path
    task: Path

    @property
    def pretraining_inputs(self) -> dict[str, Path]:
        shards = {f"shards/{code}": path for code, path in self.shards.items()}
        return {"tokenizer": self.tokenizer, **shards}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    from model.tasks import data
    from model.text import corpus, shards, tokenizer

    root = tmp_path_factory.mktemp("world")

    def folder(name: str) -> Path:
        path = root / name
        path.mkdir(parents=True)
        return path

    context = Context(work=folder("work"))
    corpora = {code: folder(f"corpus-{code}") for code in LANGUAGES}
    for code, path in corpora.items():
        stage = CorpusStage(
            language=code,
            source="synthetic",
            synthetic=SYNTHETIC,
            files=None,
            held_out=HeldOutConfig(),
        )
        corpus.run(stage, {}, path, context)
    inputs = {f"corpus/{code}": path for code, path in corpora.items()}
    tokenizers = {}
    for size in (300, 150):
        tokenizers[size] = folder(f"tokenizer-{size}")
        config = TokenizerConfig(languages=LANGUAGES, vocab_size=size, sample_bytes=100_000)
        tokenizer.run(TokenizerStage(tokenizer=config), inputs, tokenizers[size], context)
    streams = {code: folder(f"shards-{code}") for code in LANGUAGES}
    for code, path in streams.items():
        parts = {"corpus": corpora[code], "tokenizer": tokenizers[300]}
        shards.run(ShardsStage(language=code), parts, path, context)
    task = folder("task")
    stage_of_task = TaskDataStage(
        task="xnli", source="synthetic", synthetic=SYNTHETIC, languages=LANGUAGES, files=None
    )
    data.run(stage_of_task, {}, task, context)
    return World(
        corpora=corpora,
        shards=streams,
        tokenizer=tokenizers[300],
        small_tokenizer=tokenizers[150],
        task=task,
    )
