"""Silences other libraries' logs while a token is requested, or the bridge reads the form of a login.

At DEBUG, httpcore logs the headers of a response, one of which contains the legacy login's code. Its loggers and
httpx's get a filter that drops their records in the thread or task that is requesting a token, and nowhere else.
python-multipart warns of each odd byte, and quotes it.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

LOGGERS: Final = (
    *(
        name
        for library in ("", "2")
        for name in (
            f"httpx{library}",
            *(f"httpcore{library}.{module}" for module in ("connection", "http11", "http2", "proxy", "socks")),
        )
    ),
    "python_multipart.multipart",
)
"""The loggers that are silenced. A filter applies to its own logger, not to its children."""

_fetching: ContextVar[bool] = ContextVar("procountor_auth_fetching", default=False)


def _is_heard(_record: logging.LogRecord) -> bool:
    return not _fetching.get()


@contextmanager
def quiet() -> Generator[None]:
    """Suppress these libraries' logs in the `with` block."""
    for name in LOGGERS:
        # Each time, because the program's logging configuration may have removed it. Adding it again does nothing.
        logging.getLogger(name).addFilter(_is_heard)
    before = _fetching.set(True)
    try:
        yield
    finally:
        _fetching.reset(before)
