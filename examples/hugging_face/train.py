"""A trainer of somebody's own as a stage of the grid: XLM-RoBERTa from Hugging Face transformers.

    python train.py --config command.json --output FOLDER

`command.json` is what the grid writes: the cell, the settings of this program and the folders of
its inputs (here each language's tokens). The scores go to FOLDER/metrics.json. The training loop is
a plain one; transformers' Trainer fits in its place where accelerate is installed.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

BEGIN, PAD, END = 0, 1, 2


def streams(inputs: dict[str, str]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """Each language's tokens, its last twentieth for scoring, and the vocabulary's rows."""
    train, held_out, rows = {}, {}, 0
    for role, folder in inputs.items():
        kind, _, language = role.partition("/")
        if kind == "shards":
            info = json.loads((Path(folder) / "shards.json").read_text())
            tokens = np.fromfile(Path(folder) / "tokens.bin", dtype=info["dtype"])
            cut, rows = len(tokens) * 19 // 20, info["rows"]
            train[language], held_out[language] = tokens[:cut], tokens[cut:]
    return train, held_out, rows


def batch(
    tokens: list[np.ndarray], rows: int, size: int, length: int, draw: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """`size` sequences with 15 % of their tokens masked, and the labels (-100: not scored)."""
    ids = np.full((size, length), END)
    ids[:, 0] = BEGIN
    for row in ids:
        stream = tokens[draw.integers(len(tokens))]
        start = draw.integers(max(1, len(stream) - length + 2))
        piece = stream[start : start + length - 2]
        row[1 : 1 + len(piece)] = piece
    chosen = (draw.random(ids.shape) < 0.15) & (ids > END)
    chosen[:, 1] |= ~chosen.any(1)
    labels = np.where(chosen, ids, -100)
    ids = np.where(chosen, rows - 1, ids)  # the last row is <mask>
    return torch.from_numpy(ids), torch.from_numpy(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains XLM-RoBERTa on the tokens of a cell.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    config = json.loads(options.config.read_text(encoding="utf-8"))
    cell, encoder, recipe = config["cell"], config["cell"]["encoder"], config["cell"]["pretraining"]
    train, held_out, rows = streams(config["inputs"])
    torch.manual_seed(cell["seed"])
    torch.set_num_threads(config["threads"])
    model = XLMRobertaForMaskedLM(
        XLMRobertaConfig(
            vocab_size=rows,
            hidden_size=encoder["width"],
            num_hidden_layers=encoder["layers"],
            num_attention_heads=encoder["heads"],
            intermediate_size=4 * encoder["width"],
            max_position_embeddings=encoder["max_positions"] + 2,
            type_vocab_size=1,
        )
    )
    rate = config["settings"].get("learning_rate", recipe["learning_rate"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    draw, shape = (
        np.random.default_rng(cell["seed"]),
        (recipe["batch_size"], recipe["sequence_length"]),
    )
    for update in range(1, recipe["updates"] + 1):
        ids, labels = batch(list(train.values()), rows, *shape, draw)
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if update % 10 == 0:
            print(f"update {update}: loss {loss.item():.3f}")
    model.eval()
    scores = []
    with torch.no_grad():
        for language, tokens in held_out.items():
            ids, labels = batch([tokens], rows, *shape, np.random.default_rng(0))
            loss = model(input_ids=ids, labels=labels).loss.item()
            scores.append({"metric": "masked_loss", "value": loss, "language": language})
    # config.json is a name that the store keeps for itself, so the model gets a folder of its own.
    model.save_pretrained(options.output / "model")
    (options.output / "metrics.json").write_text(json.dumps(scores), encoding="utf-8")


if __name__ == "__main__":
    main()
