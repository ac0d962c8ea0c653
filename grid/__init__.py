"""Declares, prices, runs and collects studies of multilingual models. Never imports torch.

import grid
study = grid.load("studies/curse_of_multilinguality.yaml", scale="smoke")
study.plan()
study.run()
study.results()
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grid.study import Study

__all__ = ["load"]


def load(
    file: str | Path,
    *overrides: str,
    scale: str | None = None,
    store: str | Path | None = None,
    site: str | Path | None = None,
) -> "Study":
    """Reads and checks a study file; see `grid.study.load` for what the arguments mean.

    Raises grid.errors.StudyError, whose message has the file, the line and the key.
    """
    from grid.study import load as load_study

    return load_study(file, *overrides, scale=scale, store=store, site=site)
