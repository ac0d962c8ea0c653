"""The DeepSpeed engine around a model: one optimiser step with clipping, and its state.

DeepSpeed is started without a launcher, without a TCP port and without a compiler; everything that
depends on it stands in this file, so that layers or ZeRO stages are changed in one place.
"""

import atexit
import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.config import PretrainingConfig
from model.training.memory import keep_freed_memory

ZERO_STAGE = 1
"""For both precisions: with bf16, stage 0 is wrong, and with fp32 it hides the gradient norm."""


def prepare(device: str, threads: int) -> None:
    """Sets what must be set before the first tensor: threads, memory, determinism."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling every new tensor with NaN finds bugs, and costs a tenth of a small model's step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    else:
        keep_freed_memory()


def _import_deepspeed(device: str) -> Any:
    """DeepSpeed, quiet, on the accelerator that the stage was given and without its compiler."""
    os.environ["DS_ACCELERATOR"] = "cuda" if device.startswith("cuda") else "cpu"
    warnings.filterwarnings("ignore", module="deepspeed")
    import deepspeed
    import deepspeed.ops

    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    # None of its own operators is used. Asked which ones fit, it would call a compiler, and then
    # build one for CPU communication for half a minute.
    deepspeed.ops.__compatible_ops__ = {}
    return deepspeed


def _join_process_group(device: str) -> None:
    """A group of one process, in memory: two workers on one machine cannot collide on a port.

    It is left once, at exit, for DeepSpeed keeps references to its groups from engine to engine.
    """
    if torch.distributed.is_initialized():
        return
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")):
        os.environ.setdefault(name, value)
    backend = "nccl" if device.startswith("cuda") else "gloo"
    torch.distributed.init_process_group(
        backend, store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    atexit.register(torch.distributed.destroy_process_group)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices with weight decay; norms and biases without."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


class Engine:
    """A model in training. Use as a context manager: leaving it takes DeepSpeed's hooks away."""

    def __init__(
        self,
        model: nn.Module,
        config: PretrainingConfig,
        *,
        device: str = "cpu",
        micro_batches: int = 1,
    ) -> None:
        deepspeed = _import_deepspeed(device)
        _join_process_group(device)
        deepspeed.init_distributed(verbose=False)
        optimizer = torch.optim.AdamW(
            parameter_groups(model.to(device), config.weight_decay),
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            eps=config.epsilon,
            fused=True,
        )
        self.device = device
        self.micro_batches = micro_batches
        self.engine, *_ = deepspeed.initialize(
            model=model,
            optimizer=optimizer,
            config={
                "train_micro_batch_size_per_gpu": 1,
                "gradient_accumulation_steps": micro_batches,
                "gradient_clipping": config.clip,
                # Its overflow check passes over every gradient; pretraining watches the loss.
                "bf16": {"enabled": config.precision == "bf16", "check_grad_overflow": False},
                # Without a copy of each gradient into a bucket a small model's step is 4 % faster.
                "zero_optimization": {"stage": ZERO_STAGE, "contiguous_gradients": False},
                "zero_allow_untested_optimizer": True,
                "wall_clock_breakdown": False,
                "steps_per_print": None,
            },
        )
        self.engine.train()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.destroy()

    def step(self, parts: Sequence[tuple[Tensor, ...]], rate: float) -> Tensor:
        """One update of learning rate `rate` from `micro_batches` parts (the model's arguments).

        Parts end with their targets and weigh by the number of these. Returns the loss, detached.
        """
        for group in self.engine.optimizer.param_groups:
            group["lr"] = rate
        total = max(1, sum(len(part[-1]) for part in parts))
        losses = []
        for part in parts:
            loss = self.engine(*(tensor.to(self.device, non_blocking=True) for tensor in part))
            weight = len(part[-1]) / total
            # DeepSpeed divides by the number of parts, we weigh by their share of the targets.
            self.engine.backward(loss if len(parts) == 1 else loss * (weight * len(parts)))
            self.engine.step()
            losses.append(loss.detach() * weight)
        return torch.stack(losses).sum() if len(losses) > 1 else losses[0]

    @property
    def gradient_norm(self) -> float:
        """Norm of the last update's gradient, before clipping."""
        return float(self.engine.get_global_grad_norm())

    def weights(self) -> dict[str, Tensor]:
        """The whole fp32 parameters by name, on the CPU: the optimiser's copy, not bf16's.

        Raises RuntimeError if one is not finite: no loss would show what the last update broke.
        """
        from deepspeed.utils import safe_get_full_fp32_param

        weights = {
            name: safe_get_full_fp32_param(parameter).detach().float().cpu().clone()
            for name, parameter in self.engine.module.named_parameters()
        }
        broken = [name for name, value in weights.items() if not value.isfinite().all()]
        if broken:
            raise RuntimeError(
                f"{len(broken)} of {len(weights)} weights are not finite after the last update, "
                f"{broken[0]} among them: the run has diverged; try a lower learning_rate, a "
                "longer warmup or fp32"
            )
        return weights

    def save(self, folder: Path) -> None:
        """Writes model and optimiser into `folder`, for `restore` in an equal engine only."""
        self.engine.save_checkpoint(str(folder), tag="state", save_latest=False)

    def restore(self, folder: Path) -> None:
        """Reads what `save` wrote. The caller has verified that the files are whole."""
        path, _ = self.engine.load_checkpoint(str(folder), tag="state")
        if path is None:
            raise RuntimeError(f"DeepSpeed could not load its checkpoint in {folder}")
