"""What waits until a renewal is done: lines of the log and listeners, which somebody else's code receives.

On the thread of a renewal a handler or filter would otherwise run in the middle of it: while the store's lock is held,
or between the answer and the write of the only refresh token that works.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

LOGGERS: Final = ("procountor_auth", "filelock")
"""The loggers whose records wait: ours, and that of the lock, which logs while it is taken and released."""


_waiting: Final[ContextVar[list[Callable[[], object]] | None]] = ContextVar("waiting", default=None)
"""What waits for the renewal that runs here. A thread begins with an empty context, so each renewal has its own."""


@contextmanager
def deferring(calls: list[Callable[[], object]]) -> Generator[None]:
    """Have everything that is deferred on this thread until the end of the block wait in a list.

    Args:
        calls: The list.
    """
    for name in LOGGERS:
        filters = logging.getLogger(name).filters
        # Each time, as a program's logging configuration may have dropped it; and first, before others' filters.
        if filters[:1] != [_is_now]:
            filters[:] = [_is_now, *(each for each in filters if each is not _is_now)]
    reset = _waiting.set(calls)
    try:
        yield
    finally:
        _waiting.reset(reset)


def defer(call: Callable[[], object]) -> None:
    """Call something once this thread's renewal is done; at once where there is none.

    Args:
        call: What is called, with the context variables of now.
    """
    waiting = _waiting.get()
    if waiting is None:
        call()
    else:
        context = copy_context()
        context.run(_waiting.set, None)
        waiting.append(partial(context.run, call))


def _is_now(record: logging.LogRecord) -> bool:
    """Whether a record is to be handled at once; if not, it is handled later."""
    if _waiting.get() is None:
        return True
    defer(partial(logging.getLogger(record.name).handle, record))
    return False
