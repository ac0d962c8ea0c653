"""The keys that must not change unnoticed: `python -m tests.grid.golden_keys` writes them anew.

A changed key is a decision: everything that was computed under the old one is computed again.
Explain it in the commit that changes tests/golden/keys.json.
"""

import json
from pathlib import Path

from grid.graph import Stage
from grid.pipeline import stages_of
from grid.programs import Program
from grid.store import Store
from model.config import (
    CellConfig,
    CommandConfig,
    CorpusConfig,
    EncoderConfig,
    EvaluationConfig,
    PretrainingConfig,
    SamplingConfig,
    SyntheticConfig,
    TokenizerConfig,
)
from model.task_config import TaskConfig

FILE = Path(__file__).parents[1] / "golden" / "keys.json"


def cells() -> dict[str, CellConfig]:
    """Cells that between them set every part of a configuration."""
    return {
        "defaults": CellConfig(languages=["en"]),
        "small": CellConfig(
            languages=["en", "fr", "sw"],
            corpus=CorpusConfig(synthetic=SyntheticConfig(profile="cc100", size=50_000)),
            tokenizer=TokenizerConfig(vocab_size=1000, languages=["en", "sw"], kind="bpe"),
            sampling=SamplingConfig(alpha=0.7, unit="tokens", batches="monolingual"),
            encoder=EncoderConfig(layers=2, width=64, heads=2, norm="pre", max_positions=64),
            pretraining=PretrainingConfig(
                updates=100,
                counted_languages=["en", "sw"],
                batch_size=8,
                sequence_length=64,
                precision="fp32",
            ),
            evaluation=EvaluationConfig(languages=["en", "sw"], max_bytes=1000),
            tasks={"xnli": TaskConfig(train_examples=100, max_length=64)},
            seed=3,
        ),
        "own trainer": CellConfig(
            languages=["en", "fr"],
            commands={
                "mine": CommandConfig(
                    takes=["tokenizer", "shards"],
                    replaces_pretraining=True,
                    settings={"rate": 0.1, "steps": [1, 2]},
                )
            },
        ),
    }


PROGRAMS = {"mine": Program(run=("train",), version="1", folder="/")}


def stages(config: CellConfig, store: Path) -> dict[str, Stage]:
    """The stages of a cell by role."""
    return stages_of(config, locations={}, store=Store(store), programs=PROGRAMS)


def keys(store: Path) -> dict[str, dict[str, str]]:
    """The key of every stage of every cell, by role."""
    return {
        name: {role: stage.key for role, stage in stages(config, store).items()}
        for name, config in cells().items()
    }


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(keys(Path("runs")), indent=1, sort_keys=True) + "\n")
    print(FILE)
