"""Silence in other libraries' logs while a token is fetched.

At DEBUG, httpcore logs the headers of a response, and the legacy login's code stands in one. Its loggers, and
httpx's, get a filter that drops their records in the thread or task that is fetching a token, and nowhere else.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGGERS: Final = tuple(
    name
    for library in ("", "2")
    for name in (
        f"httpx{library}",
        *(f"httpcore{library}.{module}" for module in ("connection", "http11", "http2", "proxy", "socks")),
    )
)
"""The loggers that are silenced. A filter works on the logger that it is put on, not on its children."""

_fetching: ContextVar[bool] = ContextVar("procountor_auth_fetching", default=False)


def _is_heard(_record: logging.LogRecord) -> bool:
    return not _fetching.get()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what happens inside out of the HTTP library's logs."""
    for name in LOGGERS:
        # Each time: a program's logging configuration may have dropped it. Adding it again changes nothing.
        logging.getLogger(name).addFilter(_is_heard)
    before = _fetching.set(True)
    try:
        yield
    finally:
        _fetching.reset(before)
