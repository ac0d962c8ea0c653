"""The exception for a figure that cannot be drawn from what was given."""

from model.errors import InputError


class FigureError(InputError):
    """The message says what the figure needs, what was found and what to do."""
