"""What every form of task says: examples to sequences, a head, a loss, and scores to answers."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from model.config import EncoderConfig
from model.text.tokenizer import Tokenizer


@dataclass(kw_only=True)
class Sequences:
    """Examples as ids. A long example may be several sequences, none is left out."""

    tokens: list[list[int]] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    """What each sequence is to learn, as its form has it."""
    owners: list[int] = field(default_factory=list)
    """The example that each sequence belongs to."""
    parts: list[Any] = field(default_factory=list)
    """What its form needs to read answers off the sequence's scores."""
    counts: Counter[str] = field(default_factory=Counter)
    """What was encoded, and what of it tokens cannot represent, by kind."""

    def extend(self, others: "Sequences") -> None:
        """Appends other examples; owners go on counting."""
        first = self.owners[-1] + 1 if self.owners else 0
        self.tokens += others.tokens
        self.targets += others.targets
        self.owners += [first + owner for owner in others.owners]
        self.parts += others.parts
        self.counts += others.counts


class Form(Protocol):
    """One form of task. Examples are what `model.tasks.examples` reads for it."""

    first_only: bool
    """Whether its head looks at the vector of <s> alone."""

    def head(self, encoder: EncoderConfig) -> nn.Module:
        """What stands on the encoder, not yet initialised."""

    def encode(self, examples: list[Any], tokenizer: Tokenizer) -> Sequences:
        """The examples as sequences with their targets."""

    def stacked(self, targets: list[Any], length: int) -> Tensor:
        """The targets of sequences that are padded to `length`."""

    def loss(self, scores: Any, targets: Tensor) -> Tensor:
        """Mean loss in nats of the head's scores."""

    def read(self, scores: Any, parts: list[Any]) -> list[Any]:
        """What is kept of a batch's scores, sequence by sequence."""

    def answers(self, examples: list[Any], sequences: Sequences, kept: list[Any]) -> list[Any]:
        """The prediction for each example, a label, tags or a text, from what `read` kept."""
