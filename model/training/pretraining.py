"""Stage `pretraining`: a masked language model on the mixed shards of a cell's languages.

It starts from a random initialisation, or from the weights of the input `checkpoint`. Writes
model.safetensors (fp32), model.json, exposure.json, curve.json and, where milestones are asked for,
milestones/<update>/model.safetensors. A killed run goes on from its
last checkpoint in `context.work` and ends with the same bytes as an undisturbed one.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from model.context import Context
from model.encoder.description import Description
from model.encoder.encoder import MaskedLanguageModel, build, derived_seed
from model.encoder.files import Weights, load_weights, write_model
from model.errors import InputError
from model.stages import PretrainingStage
from model.text import tokenizer as tokenizers
from model.text.batches import Batches
from model.text.sampling import probabilities
from model.training import checkpoint, distributed, milestones, monitor
from model.training.divergence import LossWatch
from model.training.engine import Engine, prepare
from model.training.loop import Loop, wanted_milestones
from model.training.micro_batch import sequences_at_once
from model.training.record import Record
from model.training.schedule import total_updates

ADVICE = (
    "Try a lower pretraining.learning_rate, a longer pretraining.warmup, a smaller "
    "pretraining.clip (0 is none), or pretraining.precision fp32."
)


def run(config: PretrainingStage, inputs: dict[str, Path], output: Path, context: Context) -> None:
    """Trains the encoder of one cell. Raises InputError for inputs that cannot be trained on."""
    monitor.check(context)
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
    if "checkpoint" in inputs:
        load_weights(model, inputs["checkpoint"])
    targets = recipe.batch_size * (recipe.sequence_length - 2) * recipe.mask_probability
    watch = LossWatch(spike=context.spike, targets=targets, name="pretraining", advice=ADVICE)
    record = Record(languages=languages, total=updates, watch=watch)
    steps = wanted_milestones(config, updates)
    description = Description(
        encoder=config.encoder,
        rows=tokenizer.rows,
        sequence_length=recipe.sequence_length,
        languages=languages if config.encoder.language_embeddings else None,
    )
    if updates > 0:
        _train(config, model, batches, record, description, output, context)
    else:
        _write(output, _initial(model), description)
    if not distributed.is_first():
        return
    milestones.publish(context.work, output, steps)
    tokens = {code: facts[code]["tokens"] for code in languages}
    exposure = record.exposure(recipe.sequence_length, tokens)
    if "checkpoint" in inputs:
        exposure["published"] = True  # what it saw before is not known
    _write_json(output / "exposure.json", exposure)
    _write_json(output / "curve.json", record.curve_with_tokens(recipe))


def _initial(model: MaskedLanguageModel) -> Iterator[tuple[str, Tensor]]:
    """The whole weights as they were drawn, on rank 0; nothing on the others."""
    for name, value in model.named_parameters():
        whole = distributed.whole_on_first(value.detach(), model.splits.get(name))
        if whole is not None:
            yield name, whole


def _write(output: Path, weights: Weights, description: Description) -> None:
    distributed.first_takes(weights, lambda found: write_model(output, found, description))


def _train(
    config: PretrainingStage,
    model: MaskedLanguageModel,
    batches: Batches,
    record: Record,
    description: Description,
    output: Path,
    context: Context,
) -> None:
    """Trains to the last update and writes the model."""
    recipe = config.pretraining
    # Of the fullest rank: all must cut the batch alike, and shards may differ by a row.
    vocabulary = -(-model.encoder.rows // distributed.tensor_parallel())
    rows = context.micro_batch or sequences_at_once(recipe, vocabulary, context.device)
    each = -(-recipe.batch_size // distributed.data_parallel())
    micro_batches = -(-each // rows)
    with Engine(model, recipe, context=context, micro_batches=micro_batches) as engine:
        with checkpoint.understood(context.work):
            state = checkpoint.restore(context.work, engine)
            if state is not None:
                record.load(state)
        Loop(config, engine, batches, record, description, context).run()
        _write(output, engine.weights(), description)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected the shards' description, found {error}") from error


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
