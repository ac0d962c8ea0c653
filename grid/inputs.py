"""The inputs of a stage: other stages by role, sorted and encoded once for all that share them."""

from collections.abc import Mapping
from dataclasses import dataclass

from grid.graph import StageId
from grid.identity import EncodedInputs


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Stages by role, in the order of roles, and their keys as they are hashed.

    Cells share most inputs, and there are hundreds: they are sorted and encoded once.
    """

    stages: Mapping[str, StageId]
    encoded: EncodedInputs

    @classmethod
    def of(cls, stages: Mapping[str, StageId]) -> "Inputs":
        keys = {role: key for role, (_, key) in stages.items()}
        return cls(stages=dict(sorted(stages.items())), encoded=EncodedInputs.of(keys))

    def then(self, other: "Inputs") -> "Inputs":
        """These and the others, all of whose roles sort behind these."""
        return Inputs(
            stages={**self.stages, **other.stages}, encoded=self.encoded.then(other.encoded)
        )
