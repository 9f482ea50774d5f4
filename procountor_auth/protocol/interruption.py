"""Ctrl-C, as which an error may have begun."""

from __future__ import annotations


def interruption(error: BaseException) -> KeyboardInterrupt | None:
    """Return the Ctrl-C that has become another error, or None.

    It may come at any moment. Up to Python 3.11, one in `__set_name__`, while a class is made, becomes a RuntimeError;
    so does one in a wait that has just released its lock, which `with` then fails to release.

    Args:
        error: The other error.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__ or cause.__context__
    return cause
