"""Weights that are kept from the middle of a run: each written once, whole or not at all.

<work>/milestones/00001000/model.safetensors   while the run goes on, whatever ends it
<output>/milestones/00001000/model.safetensors with the finished model
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from model.encoder.description import Description, milestone_folder
from model.encoder.files import Weights, write_weights
from model.encoder.weights import WEIGHTS

_UNFINISHED = ".unfinished"


def is_kept(work: Path, step: int) -> bool:
    """Whether the weights after `step` updates have been written."""
    return milestone_folder(work, step).is_dir()


def keep(work: Path, step: int, weights: Weights, description: Description) -> None:
    """Writes the weights after `step` updates."""
    final = milestone_folder(work, step)
    unfinished = final.with_name(final.name + _UNFINISHED)
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(parents=True)
    write_weights(unfinished / WEIGHTS, weights, description)
    for path in (unfinished / WEIGHTS, unfinished):
        _sync(path)
    unfinished.rename(final)
    _sync(final.parent)


def publish(work: Path, output: Path, steps: Iterable[int]) -> None:
    """Makes the milestones part of the artifact: linked where the disk allows it, else copied."""
    for step in steps:
        source = milestone_folder(work, step) / WEIGHTS
        target = milestone_folder(output, step) / WEIGHTS
        target.parent.mkdir(parents=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
