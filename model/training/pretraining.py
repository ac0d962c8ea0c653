"""Stage `pretraining`: a masked language model on the mixed shards of a cell's languages.

Writes model.safetensors (fp32), model.json, exposure.json and curve.json. A killed run goes on
from its last checkpoint in `context.work` and ends with the same bytes as an undisturbed one.
"""

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.config import EncoderConfig, PretrainingConfig
from model.context import Context
from model.encoder.encoder import MaskedLanguageModel, build, derived_seed
from model.encoder.files import Description, write_model
from model.errors import InputError
from model.stages import PretrainingStage
from model.text import tokenizer as tokenizers
from model.text.batches import Batch, Batches
from model.text.sampling import probabilities
from model.training import checkpoint, distributed
from model.training.engine import Engine, prepare
from model.training.schedule import learning_rate, total_updates

PROGRESS_SECONDS = 0.5
CURVE_POINTS = 100
"""Points of the learning curve: each is the mean loss over a hundredth of the run."""
MICRO_BATCH_TOKENS = {"cpu": 1 << 15, "cuda": 1 << 17}
"""Tokens that go through the model at once; a larger batch is accumulated."""
MICRO_BATCH_SCORES = {"cpu": 1 << 28, "cuda": 1 << 31}
"""Scores of the head (masked places times vocabulary) at once, each of 10 to 12 bytes: with 250,000
pieces they, and not the layers, are what fills the memory."""


def run(config: PretrainingStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Trains the encoder of one cell. Raises InputError for inputs that cannot be trained on."""
    prepare(context.device, context.threads)
    distributed.join(context)
    recipe = config.pretraining
    languages = sorted(config.languages)
    tokenizer = tokenizers.load(inputs["tokenizer"])
    shards = {code: inputs[f"shards/{code}"] for code in languages}
    facts = {code: _read_json(shards[code] / "shards.json") for code in languages}
    unit = config.sampling.unit
    shares = probabilities({code: facts[code][unit] for code in languages}, config.sampling.alpha)
    updates = total_updates(recipe.updates, shares, recipe.counted_languages)

    batches = Batches(
        shards,
        shares,
        batch_size=recipe.batch_size,
        sequence_length=recipe.sequence_length,
        mask_probability=recipe.mask_probability,
        mixing=config.sampling.batches,
        rows=tokenizer.rows,
        mask_id=tokenizer.mask,
        seed=derived_seed("batches", config.seed),
        word_starts=tokenizer.word_starts() if recipe.mask_unit == "word" else None,
    )
    model = build(
        config.encoder,
        tokenizer.rows,
        config.seed,
        languages=len(languages),
        group=distributed.tensor_parallel_group(),
    )
    record = Record(languages=languages, total=updates)
    trained = updates > 0
    weights = _train(config, model, batches, record, context) if trained else _initial(model)
    if not distributed.is_first():
        return
    description = Description(
        encoder=config.encoder,
        rows=tokenizer.rows,
        sequence_length=recipe.sequence_length,
        languages=languages if config.encoder.language_embeddings else None,
    )
    write_model(output, weights, description)
    tokens = {code: facts[code]["tokens"] for code in languages}
    _write_json(output / "exposure.json", record.exposure(recipe.sequence_length, tokens))
    _write_json(output / "curve.json", record.curve_with_tokens(recipe))


class Record:
    """What a run counts: sequences of each language, and the mean loss over each stretch."""

    def __init__(self, *, languages: list[str], total: int) -> None:
        self.languages = languages
        self.total = total
        self.step = 0
        self.sequences = [0] * len(languages)
        self.curve: list[list[float]] = []
        self.stretch_sum = 0.0
        self.stretch_steps = 0
        self.last_loss = math.nan

    def drawn(self, languages_B: np.ndarray) -> None:
        counts = np.bincount(languages_B, minlength=len(self.languages))
        self.sequences = [a + int(b) for a, b in zip(self.sequences, counts, strict=True)]

    def add_losses(self, losses: list[float]) -> None:
        """Takes the next updates' losses, one by one: the sums do not depend on the grouping."""
        stretch = max(1, self.total // CURVE_POINTS)
        for loss in losses:
            self.step += 1
            if not math.isfinite(loss):
                raise RuntimeError(
                    f"the loss of update {self.step} of {self.total} is {loss}: the run has "
                    "diverged; try a lower pretraining.learning_rate, a longer warmup or fp32"
                )
            self.stretch_sum += loss
            self.stretch_steps += 1
            if self.stretch_steps == stretch or self.step == self.total:
                self.curve.append([self.step, self.stretch_sum / self.stretch_steps])
                self.stretch_sum, self.stretch_steps = 0.0, 0
            self.last_loss = loss

    def state(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "total"}

    def load(self, state: dict[str, Any]) -> None:
        for key in self.state():
            setattr(self, key, state[key])

    def exposure(self, sequence_length: int, shard_tokens: dict[str, int]) -> dict[str, Any]:
        """Tokens drawn of each language (without <s> and </s>), sequences, and epochs."""
        inner = sequence_length - 2
        languages = {
            code: {
                "sequences": sequences,
                "tokens": sequences * inner,
                "epochs": sequences * inner / shard_tokens[code],
            }
            for code, sequences in zip(self.languages, self.sequences, strict=True)
        }
        tokens = sum(language["tokens"] for language in languages.values())
        return {"languages": languages, "updates": self.step, "tokens": tokens}

    def curve_with_tokens(self, recipe: Any) -> list[list[float]]:
        """[update, mean loss in nats since the last point, tokens seen], ends included."""
        inner = recipe.batch_size * (recipe.sequence_length - 2)
        return [[int(step), loss, int(step) * inner] for step, loss in self.curve]


def sequences_at_once(recipe: PretrainingConfig, vocabulary: int, device: str) -> int:
    """Sequences of a micro-batch, by its tokens and by its scores; one at least."""
    kind = "cuda" if device.startswith("cuda") else "cpu"
    scores = recipe.mask_probability * recipe.sequence_length * vocabulary
    by_tokens = MICRO_BATCH_TOKENS[kind] // recipe.sequence_length
    return max(1, min(by_tokens, int(MICRO_BATCH_SCORES[kind] / scores)))


def _initial(model: MaskedLanguageModel) -> dict[str, Tensor]:
    """The whole weights as they were drawn, on rank 0; nothing on the others."""
    found = {
        name: distributed.whole_on_first(value.detach(), model.splits.get(name))
        for name, value in model.named_parameters()
    }
    return {name: value for name, value in found.items() if value is not None}


def _train(
    config: PretrainingStage,
    model: MaskedLanguageModel,
    batches: Batches,
    record: Record,
    context: Context,
) -> dict[str, Tensor]:
    recipe = config.pretraining
    """The whole weights after the last update, on rank 0; nothing on the others."""
    rows = context.micro_batch or sequences_at_once(recipe, len(model.lm_head.bias), context.device)
    each = -(-recipe.batch_size // distributed.data_parallel())
    micro_batches = -(-each // rows)
    with Engine(model, recipe, context=context, micro_batches=micro_batches) as engine:
        state = checkpoint.restore(context.work, engine)
        if state is not None:
            record.load(state)
        _loop(config, engine, batches, record, context)
        return dict(engine.weights())


def _loop(
    config: PretrainingStage,
    engine: Engine,
    batches: Batches,
    record: Record,
    context: Context,
) -> None:
    """Updates from `record.step` on. Losses stay on the device between reports."""
    recipe = config.pretraining
    total = record.total
    batch_tokens = recipe.batch_size * recipe.sequence_length
    pending: list[Tensor] = []
    parts = engine.micro_batches * distributed.data_parallel()
    copy = (distributed.data_rank(),) if distributed.data_rank() else ()
    pace = checkpoint.Pace(context.checkpoint_seconds)
    reported = time.monotonic()
    context.progress(record.step, total)
    for step in range(record.step, total):
        batch = batches.batch(step)
        record.drawn(batch.languages)
        # Dropout is a function of (seed, step), so that a resumed run draws the same masks. Copies
        # of the model see other rows, and drop other values.
        torch.manual_seed(derived_seed("dropout", config.seed, step, *copy))
        rate = learning_rate(step, peak=recipe.learning_rate, warmup=recipe.warmup, total=total)
        pending.append(engine.step(parts_of(batch, parts, config.encoder), rate))
        now = time.monotonic()
        last = step + 1 == total
        due, report = distributed.decide(pace.due(), now - reported >= PROGRESS_SECONDS)
        if not (last or due or report):
            continue
        speed = len(pending) * batch_tokens / max(1e-9, now - reported)
        record.add_losses(torch.stack(pending).tolist())
        pending.clear()
        context.progress(step + 1, total, loss=record.last_loss, tokens_per_s=speed)
        reported = now
        if due and not last:
            began = time.monotonic()
            checkpoint.save(context.work, step + 1, engine, record.state())
            pace.saved(began)
            reported = time.monotonic()


def parts_of(batch: Batch, count: int, encoder: EncoderConfig) -> list[tuple[Tensor | None, ...]]:
    """The batch in `count` parts, as even as can be: the arguments of the language model.

    A batch of fewer sequences than parts is filled up with a sequence without targets.
    """
    tokens, positions, targets, languages = (
        torch.from_numpy(array)
        for array in (batch.tokens, batch.positions, batch.targets, batch.languages)
    )
    rows, length = tokens.shape
    edges = [-(-rows * part // count) for part in range(count + 1)]
    cuts = torch.searchsorted(positions, torch.tensor(edges) * length).tolist()
    parts: list[tuple[Tensor | None, ...]] = []
    for part in range(count):
        first, last = edges[part], max(edges[part] + 1, edges[part + 1])
        first = min(first, rows - 1)
        chosen = slice(cuts[part], cuts[part + 1])
        table = languages[first:last] if encoder.language_embeddings else None
        parts.append(
            (tokens[first:last], positions[chosen] - first * length, targets[chosen], table)
        )
    return parts


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected the shards' description, found {error}") from error


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
