"""A small published model's folder, in XLM-R's layout, made without transformers."""

import io
import json
from pathlib import Path

import numpy as np
import sentencepiece
from safetensors.numpy import save_file

from model.config import EncoderConfig
from model.encoder.huggingface import parameters, to_config

ENCODER = EncoderConfig(layers=2, width=16, heads=2, max_positions=32, pad_vocab_to=8)
PIECES = 60


def publish(folder: Path, seed: int = 1) -> Path:
    """Writes config.json, model.safetensors with random weights, and sentencepiece.bpe.model."""
    folder.mkdir()
    rows = -(-(PIECES + 2) // 8) * 8
    rng = np.random.default_rng(seed)
    tensors = {
        name: rng.normal(size=(parameter.shape[0] // len(parameter.theirs), *parameter.shape[1:]))
        for parameter in parameters(ENCODER, rows)
        for name in parameter.theirs
    }
    save_file(
        {name: 0.1 * value.astype(np.float32) for name, value in tensors.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    (folder / "config.json").write_text(json.dumps(to_config(ENCODER, rows)), encoding="utf-8")
    model = io.BytesIO()
    syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
    words = [first + second for first in syllables for second in syllables]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(" ".join(words[i : i + 9]) for i in range(0, len(words), 3)),
        model_writer=model,
        vocab_size=PIECES,
        normalization_rule_name="nmt_nfkc",
        minloglevel=4,
    )
    (folder / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    return folder
