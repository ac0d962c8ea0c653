"""The default world, made small, and a way to say one thing in it."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest

from model.config import SyntheticConfig
from model.text.synthetic import world_of
from model.text.synthetic.world import Events, World

_DETAILS = ("person_property", "thing_property", "place", "number")
T = TypeVar("T")


@pytest.fixture(scope="session")
def config() -> SyntheticConfig:
    return SyntheticConfig(size=30_000, smallest=4_000, concepts=120)


@pytest.fixture(scope="session")
def world(config: SyntheticConfig) -> World:
    return world_of(config)


@pytest.fixture(scope="session")
def say(world: World) -> Callable[..., Events]:
    """The function that makes one event. Details are left open unless they are named."""

    def make(**columns: int | bool) -> Events:
        first = {name: world.classes[name].start for name in ("person", "verb", "thing")}
        said = first | dict.fromkeys(_DETAILS, -1) | {"negated": False, "past": False} | columns
        return Events(
            document=np.zeros(1, dtype=int), **{k: np.array([v]) for k, v in said.items()}
        )

    return make
