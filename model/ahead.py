"""Imports what stages would import only as they run: 2.8 s of a core (2026-11-30).

A server does so once, before it forks them.
"""

from contextlib import suppress

with suppress(ImportError):
    import torch._inductor  # noqa: F401  # torch.use_deterministic_algorithms()
with suppress(ImportError):
    import deepspeed.runtime.zero.muon.muon_optimizer  # noqa: F401  # any optimizer of ZeRO's
with suppress(ImportError):
    import sklearn.metrics  # noqa: F401  # the scores of tasks
