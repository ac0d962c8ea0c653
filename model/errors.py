"""The exceptions that end a stage with a message and without a traceback."""


class InputError(Exception):
    """Bad input: the message says what was expected, what was found, where, and what to do."""


class DivergenceError(InputError):
    """A training whose loss left all bounds: its recipe asks for what cannot be trained."""


class Stopped(Exception):  # noqa: N818  # not an error
    """A stage was asked to stop and has saved its state: the next attempt goes on from there."""
