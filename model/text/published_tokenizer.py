"""Stage `checkpoint_tokenizer`: a published model's SentencePiece file as a tokenizer of ours."""

import json
from pathlib import Path

from model.context import Context
from model.encoder.published import located
from model.stages import CheckpointTokenizerStage
from model.text.tokenizer_files import read_checked


def run(
    config: CheckpointTokenizerStage, inputs: dict[str, Path], output: Path, context: Context
) -> None:
    """Writes what the stage `tokenizer` writes. Nothing is trained."""
    (file,) = located([config.file], context)
    content = file.read_bytes()
    model = read_checked(content)
    pieces = [text for text, _, _ in model.pieces]
    info = {
        "config": {"kind": model.kind, "pre_tokenize": "none", "vocab_size": len(pieces)},
        "languages": {},
        "rows": len(pieces) + 2,
        "pieces": len(pieces),
        "covered_characters": "".join(sorted(piece for piece in pieces if len(piece) == 1)),
    }
    (output / "sentencepiece.model").write_bytes(content)
    (output / "tokenizer.json").write_text(
        json.dumps(info, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
