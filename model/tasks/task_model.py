"""The encoder with a task's head on it: its loss, and what it predicts."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from model.encoder.encoder import Encoder, derived_seed, initialise
from model.tasks.forms.form import Form, Sequences
from model.tasks.task_batches import PREDICTED_TOKENS, by_length, padded


class TaskModel(nn.Module):
    """An encoder and a head."""

    def __init__(self, encoder: Encoder, form: Form, seed: int) -> None:
        """seed: of the head's initial weights."""
        super().__init__()
        self.encoder = encoder
        self.head = form.head(encoder.config)
        self._form = form
        initialise(self.head, encoder.config, derived_seed("head", seed))

    def scores(
        self, tokens_BT: Tensor, keep_BT: Tensor | None, languages_B: Tensor | None = None
    ) -> Any:
        """What the head says."""
        first = self._form.first_only
        return self.head(self.encoder(tokens_BT, keep_BT, languages_B, first_only=first))

    def forward(
        self,
        tokens_BT: Tensor,
        keep_BT: Tensor | None,
        targets: Tensor,
        languages_B: Tensor | None = None,
    ) -> Tensor:
        """Mean loss in nats; targets as the form stacks them."""
        return self._form.loss(self.scores(tokens_BT, keep_BT, languages_B), targets)


@torch.no_grad()
def predict(
    model: TaskModel,
    form: Form,
    examples: list[Any],
    sequences: Sequences,
    device: str | torch.device,
    language: int | None = None,
    batches: Sequence[list[int]] | None = None,
) -> list[Any]:
    """The answer to each example. language: the text's row of the model's language table.

    batches: sequences that go through the model together, by default as many as fit.
    """
    model.eval()
    kept: list[Any] = [None] * len(sequences.tokens)
    for chosen in batches or by_length(
        [len(tokens) for tokens in sequences.tokens], PREDICTED_TOKENS[torch.device(device).type]
    ):
        tokens, keep = padded([sequences.tokens[index] for index in chosen])
        keep = None if keep is None else keep.to(device)
        languages = rows_of([language] * len(chosen), device)
        scores = model.scores(tokens.to(device), keep, languages)
        found = form.read(scores, [sequences.parts[index] for index in chosen])
        for index, each in zip(chosen, found, strict=True):
            kept[index] = each
    return form.answers(examples, sequences, kept)


def rows_of(rows: Sequence[int | None], device: str | torch.device) -> Tensor | None:
    """Rows of the language table [B], None for a model without one."""
    known = [row for row in rows if row is not None]
    return torch.tensor(known, device=device) if known else None
