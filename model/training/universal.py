"""Runs DeepSpeed's converter of checkpoints: `python -m model.training.universal OPTIONS`.

In a process of its own, for it takes the process's ranks and accelerator for its own.
"""

import logging

from deepspeed.checkpoint import ds_to_universal

from model.training.unpickling import allow_deepspeed

if __name__ == "__main__":
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    allow_deepspeed()
    ds_to_universal.main(ds_to_universal.parse_arguments())
