"""What a figure is made from."""

from dataclasses import dataclass, field

import polars

from plots.measures import Results, prepare


@dataclass(kw_only=True, frozen=True)
class Material:
    """A study's results, the published points beside them, and what the study plans."""

    frame: polars.DataFrame
    """`results.parquet` of one study and scale."""
    published: polars.DataFrame
    """A file of `plots/reference`; empty for a figure that has no published points."""
    plan: polars.DataFrame | None = None
    """`plan.parquet`: with it a figure tells what has not run from what is not in the study."""
    corpora: polars.DataFrame = field(default_factory=polars.DataFrame)
    """Columns cell, language, bytes; only for figures that say that they read it."""
    curves: polars.DataFrame = field(default_factory=polars.DataFrame)
    """Columns cell, update, loss; likewise."""

    def results(self, *, milestones: bool = False) -> Results:
        """The results as figures use them; with `milestones` also the scores along the way."""
        return prepare(self.frame, self.plan, milestones=milestones)
