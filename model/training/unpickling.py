"""Reads DeepSpeed's checkpoints without running what they say.

They are pickles, and a pickle may call any function. A store that is copied from somebody else may
hold checkpoints to go on from, so PyTorch is made to read tensors, plain values and the few classes
below, and nothing else, whatever DeepSpeed asks it for.
"""

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from model.errors import InputError

ONLY_WEIGHTS = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""With it PyTorch overrules `weights_only=False` in its callers."""
ANYTHING = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""Its opposite; PyTorch refuses to have both."""


def allow_deepspeed() -> None:
    """Lets checkpoints hold DeepSpeed's own plain records, from now on in this process."""
    from deepspeed.runtime.fp16.loss_scaler import LossScaler
    from deepspeed.runtime.zero.config import ZeroStageEnum
    from deepspeed.utils.tensor_fragment import fragment_address

    torch.serialization.add_safe_globals([LossScaler, ZeroStageEnum, fragment_address])


@contextmanager
def weights_only(folder: Path) -> Iterator[None]:
    """Within it `torch.load` runs nothing. Raises InputError for a checkpoint that would."""
    allow_deepspeed()
    before = {name: os.environ.pop(name, None) for name in (ONLY_WEIGHTS, ANYTHING)}
    os.environ[ONLY_WEIGHTS] = "1"
    try:
        yield
    except pickle.UnpicklingError as error:
        raise InputError(
            f"checkpoint {folder}: expected tensors and plain values, found what would run a "
            "program when it is read. It was not read. Do not trust where it comes from; remove "
            f"the folder to begin anew ({str(error).splitlines()[0]})"
        ) from None
    finally:
        del os.environ[ONLY_WEIGHTS]
        os.environ.update({name: value for name, value in before.items() if value is not None})
