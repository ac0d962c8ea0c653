"""Random numbers that depend on what they are for and on nothing that was drawn before."""

import hashlib

import numpy as np


def generator(*names: object) -> np.random.Generator:
    """A generator of its own for each tuple of names, such as (seed, "lexicon", "sw")."""
    text = "\x1f".join(str(name) for name in names).encode()
    key = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))
