"""The DeepSpeed engine around a model: one optimiser step with clipping, and its state.

DeepSpeed is started without a launcher, without a TCP port and without a compiler. How the ranks
meet stands in distributed.py, how layers are cut in model/encoder/parallel.py.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.config import PretrainingConfig
from model.context import Context
from model.encoder import parallel
from model.encoder.encoder import Encoder, MaskedLanguageModel
from model.errors import DivergenceError
from model.training import distributed
from model.training.lean import spare_copies
from model.training.memory import keep_freed_memory
from model.training.unpickling import weights_only

Part = Sequence[Tensor | None]
"""A model's arguments, of which the third are the targets."""
TARGETS = 2

ZERO_STAGE = 1
"""For both precisions: with bf16, stage 0 is wrong, and with fp32 it hides the gradient norm."""
TAG = "state"
"""DeepSpeed's name for the folder of its files."""


def prepare(device: str, threads: int) -> None:
    """Sets what must be set before the first tensor: threads, memory, determinism."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling every new tensor with NaN finds bugs, and is another pass over each of them.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    else:
        keep_freed_memory()


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices with weight decay; norms and biases without. What ranks hold alike comes first.

    The optimizer updates a group, or a data-parallel rank's part of it, as one vector, whose last
    few values a CPU's scalar code may round otherwise. With the order of the model these were some
    that tensor-parallel ranks hold alike, and which drifted apart. They still may where parts end
    among them: with data parallelism, too, and parameters that cannot be dealt evenly. The groups
    are two for every layout of ranks, since DeepSpeed reads their settings by number.
    """
    splits: Mapping[str, parallel.Split] = getattr(model, "splits", {})
    named = sorted(model.named_parameters(), key=lambda each: each[0] in splits)
    parameters = [p for _, p in named if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


class Engine:
    """A model in training. Use as a context manager: leaving it takes DeepSpeed's hooks away.

    With several ranks every method but `mine` is collective: all ranks call it together.
    """

    def __init__(
        self,
        model: nn.Module,
        config: PretrainingConfig,
        *,
        context: Context | None = None,
        micro_batches: int = 1,
    ) -> None:
        """context: device and ranks, by default one process on the CPU.

        micro_batches: parts of a batch that each data-parallel rank works on, one after another.
        """
        context = context or Context(work=Path())
        deepspeed = distributed.import_deepspeed(context.device)
        distributed.join(context)
        deepspeed.init_distributed(verbose=False)
        self.device = distributed.local_device(context)
        self.micro_batches = micro_batches
        self.losses_N = torch.empty(0)
        """Of the last step: the loss of each target that this rank worked on, detached."""
        self.targets = slice(0, 0)
        """Which of the batch's targets, in its order, these are."""
        self.architecture = _architecture(model)
        """What a checkpoint must have in common with this engine, by name."""
        self.splits: Mapping[str, parallel.Split] = getattr(model, "splits", {})
        if isinstance(model, MaskedLanguageModel):
            model.encoder.activation_checkpointing = context.activation_checkpointing
            model.universal_checkpoint_info = parallel.describe(model)  # type: ignore[assignment]
        optimizer = torch.optim.AdamW(
            parameter_groups(model.to(self.device), config.weight_decay),
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            eps=config.epsilon,
            fused=True,
        )
        self.engine, *_ = deepspeed.initialize(
            model=model,
            optimizer=optimizer,
            # Without it DeepSpeed would take shards for copies, and average them.
            mpu=deepspeed.utils.groups if distributed.tensor_parallel() > 1 else None,
            config={
                "train_micro_batch_size_per_gpu": 1,
                "gradient_accumulation_steps": micro_batches,
                "gradient_clipping": config.clip,
                # Its overflow check passes over every gradient; pretraining watches the loss.
                "bf16": {"enabled": config.precision == "bf16", "check_grad_overflow": False},
                # Spares a copy of each gradient into a bucket.
                "zero_optimization": {"stage": ZERO_STAGE, "contiguous_gradients": False},
                "zero_allow_untested_optimizer": True,
                "wall_clock_breakdown": False,
                "steps_per_print": None,
            },
        )
        spare_copies(
            self.engine.optimizer,
            device=torch.device(self.device).type,
            ranks=context.ranks,
            data_parallel=distributed.data_parallel(),
        )
        self.engine.train()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.destroy()

    def mine(self, parts: Sequence[Part]) -> Sequence[Part]:
        """Which parts of a batch this rank works on."""
        expected = self.micro_batches * distributed.data_parallel()
        if len(parts) != expected:
            raise ValueError(f"a batch has {expected} parts here, found {len(parts)}")
        first = distributed.data_rank() * self.micro_batches
        return parts[first : first + self.micro_batches]

    def step(self, parts: Sequence[Part], rate: float) -> Tensor:
        """One update of learning rate `rate`. Returns the batch's mean loss, detached.

        parts: the whole batch in `micro_batches` parts for each data-parallel rank, the same on
        every rank; each works on its own. Parts weigh by their number of targets.
        """
        for group in self.engine.optimizer.param_groups:
            group["lr"] = rate
        total = max(1, sum(_targets(part) for part in parts))
        losses, each = [], []
        for part in self.mine(parts):
            found = self.engine(*(_to(tensor, self.device) for tensor in part))
            loss, losses_N = found if isinstance(found, tuple) else (found, None)
            if losses_N is not None:
                each.append(losses_N)
            weight = _targets(part) / total
            # DeepSpeed averages over parts and ranks, we weigh by their share of the targets.
            self.engine.backward(loss if len(parts) == 1 else loss * (weight * len(parts)))
            self.engine.step()
            losses.append(loss.detach() * weight)
        self.losses_N = torch.cat(each) if each else torch.empty(0)
        self.targets = self._own_targets(parts)
        loss = torch.stack(losses).sum() if len(losses) > 1 else losses[0]
        return distributed.sum_over_data_parallel(loss)

    def _own_targets(self, parts: Sequence[Part]) -> slice:
        before = distributed.data_rank() * self.micro_batches
        first = sum(_targets(part) for part in parts[:before])
        return slice(first, first + sum(_targets(part) for part in self.mine(parts)))

    @property
    def gradient_norm(self) -> float:
        """Norm of the last update's gradient, before clipping."""
        return float(self.engine.get_global_grad_norm())

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """The whole fp32 parameters by name, on rank 0's CPU: the optimiser's copy, not bf16's.

        Every rank must go through it to its end; it yields nothing on the others. One parameter is
        gathered at a time. Raises DivergenceError at the end, on every rank, if one was not finite:
        no loss would show what the last update broke.
        """
        from deepspeed.utils import safe_get_full_fp32_param

        names, broken = 0, []
        for name, parameter in self.engine.module.named_parameters():
            value = safe_get_full_fp32_param(parameter).detach().float().cpu()
            names += 1
            if not value.isfinite().all():
                broken.append(name)
            whole = distributed.whole_on_first(value, self.splits.get(name))
            if whole is not None:
                yield name, whole
        if distributed.any_rank(bool(broken)):
            found = f"{broken[0]} among them" if broken else "on another rank"
            raise DivergenceError(
                f"{len(broken)} of {names} weights are not finite after the last update, {found}: "
                "the run has diverged; try a lower learning_rate, a longer warmup or fp32"
            )

    def save(self, folder: Path) -> None:
        """Writes model and optimiser into `folder`, each rank its part."""
        self.engine.save_checkpoint(str(folder), tag=TAG, save_latest=False)

    def restore(self, folder: Path, *, universal: bool = False) -> None:
        """Reads what `save` wrote in an equal layout of ranks, or its universal form.

        The caller has verified that the files are whole. Raises InputError for files that would
        run a program when they are read.
        """
        self.engine._config.load_universal_checkpoint = universal
        with weights_only(folder):
            path, _ = self.engine.load_checkpoint(str(folder), tag=TAG)
        if path is None:
            raise RuntimeError(f"DeepSpeed could not load its checkpoint in {folder}")


def _architecture(model: nn.Module) -> dict[str, Any]:
    encoder = model.encoder
    if not isinstance(encoder, Encoder):
        raise TypeError(f"expected a model with an encoder, found {type(model).__name__}")
    heads = sorted(name for name, _ in model.named_children())
    size = {"rows": encoder.rows, "languages": encoder.languages, "parts": heads}
    return asdict(encoder.config) | size


def _targets(part: Part) -> int:
    targets = part[TARGETS]
    if targets is None:
        raise ValueError("a part needs targets")
    return len(targets)


def _to(tensor: Tensor | None, device: str) -> Tensor | None:
    return None if tensor is None else tensor.to(device, non_blocking=True)
