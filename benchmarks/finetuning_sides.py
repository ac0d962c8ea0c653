"""The sides of benchmarks/finetuning.py: our own loop, and Trainer with its best settings."""

import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from model.config import PretrainingConfig  # noqa: E402
from model.context import Context  # noqa: E402
from model.encoder.files import read_encoder  # noqa: E402
from model.encoder.huggingface import to_config  # noqa: E402
from model.task_config import TaskConfig  # noqa: E402
from model.tasks.catalogue import TASKS  # noqa: E402
from model.tasks.finetuned_model import renamed  # noqa: E402
from model.tasks.forms.form import Form, Sequences  # noqa: E402
from model.tasks.task_batches import batches, by_length, padded  # noqa: E402
from model.tasks.task_model import TaskModel, predict  # noqa: E402
from model.tasks.task_training import Loop, Training  # noqa: E402
from model.training.engine import parameter_groups  # noqa: E402

KINDS = {"pos": "TokenClassification", "topic": "SequenceClassification"}
CHECKED = 50
"""Losses that are compared."""


@dataclass(kw_only=True)
class Job:
    """One training: of which side, and how."""

    folder: str
    task: str
    size: str
    side: str
    seed: int = 1
    dropout: bool = True
    precision: str = "bf16"
    attention: str = "sdpa"
    own_order: bool = True
    """Trainer's own sampler, which groups by length, instead of our batches."""
    examples: int
    epochs: int
    rate: float = 1e-3
    scored: bool = False


def config_of(job: Job) -> TaskConfig:
    return TaskConfig(
        max_length=128,
        epochs=job.epochs,
        batch_size=32,
        learning_rate=job.rate,
        warmup=0.0,
        precision=job.precision,
        selection="last",
    )


def model_folder(folder: Path, size: str, dropout: bool) -> Path:
    return folder / f"{size.replace(' ', '-')}-{'dropout' if dropout else 'plain'}"


def training_of(job: Job, form: Form, sequences: Sequences) -> Training:
    return Training(
        config=config_of(job),
        form=form,
        seed=job.seed,
        sequences=sequences,
        rows=[None] * len(sequences.tokens),
        validate=None,
    )


def ours(job: Job, form: Form, sequences: Sequences) -> tuple[dict[str, Any], Any]:
    """Losses, times, and a function that predicts."""
    model = start(job, form)
    training = training_of(job, form, sequences)
    with tempfile.TemporaryDirectory() as work:
        loop = Loop(training, job.rate, Context(work=Path(work), checkpoint_seconds=1e9))
        loop.watch.window = training.total  # so that it still has the first ones
        clock, cpu = time.perf_counter(), time.process_time()
        outcome = loop.run(model)
        told = {"wall": time.perf_counter() - clock, "cpu": time.process_time() - cpu}
    told |= {"losses": loop.watch.recent[:CHECKED], "updates": outcome.updates}
    scorer = start(job, form)
    scorer.load_state_dict(outcome.weights)
    return told, lambda examples, encoded: predict(scorer, form, examples, encoded, "cpu")


def start(job: Job, form: Form) -> TaskModel:
    folder = model_folder(Path(job.folder), job.size, job.dropout)
    return TaskModel(read_encoder(folder), form, job.seed)


def theirs(job: Job, form: Form, sequences: Sequences) -> tuple[dict[str, Any], Any]:
    """The same by Trainer."""
    import transformers

    transformers.set_seed(job.seed)
    folder = model_folder(Path(job.folder), job.size, job.dropout)
    first = start(job, form)
    values = to_config(first.encoder.config, first.encoder.rows)
    values["classifier_dropout"] = first.encoder.config.dropout
    labels = len(TASKS[job.task].labels or ())
    model = getattr(transformers, f"XLMRobertaFor{KINDS[job.task]}")._from_config(
        transformers.XLMRobertaConfig(**values, num_labels=labels),
        attn_implementation=job.attention,
    )
    _, unexpected = model.load_state_dict(
        renamed(TASKS[job.task], folder, first.state_dict()), strict=False
    )
    if unexpected:
        raise ValueError(f"transformers has no {unexpected}")
    trainer = None
    with tempfile.TemporaryDirectory() as work:
        clock, cpu = time.perf_counter(), time.process_time()
        trainer = trainer_of(job, model, form, sequences, work)
        trainer.train()
        told = {"wall": time.perf_counter() - clock, "cpu": time.process_time() - cpu}
    told |= {"losses": trainer.losses[:CHECKED], "updates": trainer.state.global_step}

    @torch.no_grad()
    def predicted(examples: list[Any], encoded: Sequences) -> list[Any]:
        model.eval()
        kept: list[Any] = [None] * len(encoded.tokens)
        for chosen in by_length([len(tokens) for tokens in encoded.tokens]):
            tokens, keep = padded([encoded.tokens[index] for index in chosen])
            keep = torch.ones_like(tokens) if keep is None else keep.long()
            scores = model(input_ids=tokens, attention_mask=keep).logits
            for index, found in zip(
                chosen, form.read(scores, [encoded.parts[index] for index in chosen]), strict=True
            ):
                kept[index] = found
        return form.answers(examples, encoded, kept)

    return told, predicted


def arguments_of(job: Job, work: str) -> Any:
    """Trainer's settings: ours where both have them, its best where only it does."""
    import transformers

    config, recipe = config_of(job), PretrainingConfig()
    return transformers.TrainingArguments(
        output_dir=work,
        per_device_train_batch_size=config.batch_size,
        # Our batches come as one long epoch.
        num_train_epochs=job.epochs if job.own_order else 1,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        adam_beta1=recipe.beta1,
        adam_beta2=recipe.beta2,
        adam_epsilon=recipe.epsilon,
        max_grad_norm=recipe.clip,
        lr_scheduler_type="linear",
        warmup_steps=0,
        seed=job.seed,
        bf16=job.precision == "bf16",
        use_cpu=True,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def trainer_of(job: Job, model: Any, form: Form, sequences: Sequences, work: str) -> Any:
    """A Trainer with its best settings: dynamic padding, grouped by length, fused AdamW."""
    import transformers

    config, recipe = config_of(job), PretrainingConfig()

    def collated(items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        tokens, keep = padded([item["input_ids"] for item in items])
        keep = torch.ones_like(tokens) if keep is None else keep.long()
        labels = form.stacked([item["labels"] for item in items], tokens.shape[1])
        return {"input_ids": tokens, "attention_mask": keep, "labels": labels}

    class Watched(transformers.Trainer):
        """Keeps the first losses; takes our batches where it is told to."""

        losses: list[float]

        def compute_loss(self, *given: Any, **named: Any) -> Any:
            loss = super().compute_loss(*given, **named)
            if not job.own_order:
                self.losses.append(float(loss.detach()))
            return loss

        def get_train_dataloader(self) -> Any:
            if job.own_order:
                return super().get_train_dataloader()
            lengths = [len(tokens) for tokens in sequences.tokens]
            epochs = (batches(lengths, 32, job.seed, epoch) for epoch in range(job.epochs))
            return torch.utils.data.DataLoader(
                self.train_dataset,
                batch_sampler=list(chain.from_iterable(epochs)),
                collate_fn=collated,
            )

    rows = [
        {"input_ids": tokens, "labels": tags, "length": len(tokens)}
        for tokens, tags in zip(sequences.tokens, sequences.targets, strict=True)
    ]
    groups = parameter_groups(model, config.weight_decay)
    optimizer = torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.epsilon,
        fused=True,
    )
    trainer = Watched(
        model=model,
        args=arguments_of(job, work),
        train_dataset=rows,
        data_collator=collated,
        optimizers=(optimizer, None),
    )
    trainer.losses = []
    return trainer
