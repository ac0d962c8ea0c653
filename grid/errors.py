"""The grid's exceptions for a user's mistakes: shown as a message, with exit status 2."""

from model.errors import InputError


class StudyError(InputError):
    """A mistake in a study or in the call: says where, what was expected and what was found."""


class StoreError(InputError):
    """A store that cannot be used: missing, read-only, full, or not what it says it is."""


class StageError(Exception):
    """A stage whose processes did not end well: the message says which one, and how.

    kind: the cause, as in `grid.outcome.Outcome`.
    """

    def __init__(self, message: str, kind: str = "crash") -> None:
        super().__init__(message)
        self.kind = kind
