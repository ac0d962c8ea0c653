"""Fine-tuning against transformers: the same weights, order and settings give the same losses.

Ours is the stage's own loop. Theirs is a plain loop over their model with PyTorch's AdamW and their
linear schedule, which is what Trainer does; Trainer itself is in benchmarks/finetuning.py.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from model.config import EncoderConfig, PretrainingConfig
from model.context import Context
from model.encoder.encoder import build
from model.encoder.files import Description, read_encoder, write_model
from model.encoder.huggingface import to_config
from model.task_config import TaskConfig
from model.tasks.catalogue import TASKS
from model.tasks.finetuned_model import renamed
from model.tasks.forms import form_of
from model.tasks.forms.form import Sequences
from model.tasks.task_batches import batches, padded
from model.tasks.task_model import TaskModel
from model.tasks.task_training import Loop, Training
from model.training.engine import parameter_groups

STEPS = 50
KINDS = {
    "xnli": "SequenceClassification",
    "pos": "TokenClassification",
    "xquad": "QuestionAnswering",
}
ROWS = 97


def random_sequences(task: str) -> Sequences:
    """240 sequences of 5 to 30 tokens with targets of the task's form."""
    rng = np.random.default_rng(5)
    found = Sequences()
    labels = len(TASKS[task].labels or ())
    for owner in range(240):
        length = int(rng.integers(5, 31))
        found.tokens.append([0, *rng.integers(4, ROWS, length - 2).tolist(), 2])
        if task == "xnli":
            found.targets.append(int(rng.integers(labels)))
        elif task == "pos":
            tags = rng.integers(labels, size=length)
            found.targets.append(np.where(rng.random(length) < 0.6, tags, -100).tolist())
        else:
            found.targets.append(tuple(sorted(rng.integers(0, length, 2).tolist())))
        found.owners.append(owner)
    return found


@pytest.fixture(scope="module", params=["post", "pre"])
def pretrained(request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained")
    config = EncoderConfig(
        layers=2,
        width=32,
        heads=2,
        max_positions=32,
        norm=request.param,
        dropout=0.0,
        attention_dropout=0.0,
        init_std=0.1,
    )
    description = Description(encoder=config, rows=ROWS, sequence_length=32)
    write_model(folder, build(config, ROWS, 1).named_parameters(), description)
    return folder


def their_losses(model, training: Training, config: TaskConfig) -> list[float]:
    recipe = PretrainingConfig()
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config.weight_decay),
        lr=config.learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.epsilon,
    )
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, 0, training.total)
    found = []
    sequences = training.sequences
    lengths = [len(tokens) for tokens in sequences.tokens]
    for epoch in range(config.epochs):
        for chosen in batches(lengths, config.batch_size, training.seed, epoch):
            tokens, keep = padded([sequences.tokens[index] for index in chosen])
            keep = torch.ones_like(tokens) if keep is None else keep.long()
            targets = training.form.stacked(
                [sequences.targets[index] for index in chosen], tokens.shape[1]
            )
            given = {"labels": targets}
            if KINDS["xquad"] in type(model).__name__:
                given = {"start_positions": targets[:, 0], "end_positions": targets[:, 1]}
            loss = model(input_ids=tokens, attention_mask=keep, **given).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            found.append(loss.item())
    return found


@pytest.mark.parametrize("task", sorted(KINDS))
def test_the_first_fifty_losses_are_theirs(task: str, pretrained: Path, tmp_path: Path) -> None:
    config = TaskConfig(
        epochs=2,
        batch_size=8,
        learning_rate=1e-3,
        warmup=0.0,
        weight_decay=0.1,
        precision="fp32",
        max_length=32,
    )
    form = form_of(TASKS[task], config)
    sequences = random_sequences(task)
    training = Training(
        config=config,
        form=form,
        seed=3,
        sequences=sequences,
        rows=[None] * len(sequences.tokens),
        validate=None,
    )
    model = TaskModel(read_encoder(pretrained), form, 1)
    kind = KINDS[task]
    prefix = "XLMRobertaXL" if model.encoder.norm is not None else "XLMRoberta"
    values = to_config(model.encoder.config, model.encoder.rows)
    labels = len(TASKS[task].labels or (0, 1))
    their_config = getattr(transformers, f"{prefix}Config")(**values, num_labels=labels)
    theirs = getattr(transformers, f"{prefix}For{kind}")(their_config)
    given = {
        name: value.clone()
        for name, value in renamed(TASKS[task], pretrained, model.state_dict()).items()
    }
    missing, unexpected = theirs.load_state_dict(given, strict=False)
    assert not unexpected and all("position_ids" in name for name in missing)

    expected = their_losses(theirs.train(), training, config)
    loop = Loop(training, config.learning_rate, Context(work=tmp_path))
    outcome = loop.run(model)
    assert len(loop.watch.recent) == training.total == 60
    assert loop.watch.recent[:STEPS] == pytest.approx(expected[:STEPS], abs=1e-4)
    trained = renamed(TASKS[task], pretrained, outcome.weights)
    for name, value in theirs.state_dict().items():
        if name in trained:
            assert (value - trained[name]).abs().max() < 1e-3, name
    head = next(name for name in given if name.startswith(("classifier", "qa_outputs")))
    assert (trained[head] - given[head]).abs().max() > 1e-2
