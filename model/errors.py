"""The exception for a mistake in what a user gave: shown as a message, never as a traceback."""


class InputError(Exception):
    """Bad input: the message says what was expected, what was found, where, and what to do."""
