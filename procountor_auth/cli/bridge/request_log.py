"""The log of a bridge: a line for each request and event, as text or as JSON.

A separate thread writes the lines: a stopped terminal (Ctrl-S) or a full pipe must not delay a response.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from queue import Queue
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.cli.message import say
from procountor_auth.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_MAX_WAITING: Final = 10_000
"""How many lines can wait to be written; further ones are dropped."""

_QUIET: Final = frozenset({"bridge_login", "bridge_login_refused"})
"""Events that the text format leaves out, as the line of their request says the same."""


@contextmanager
def written(kind: str) -> Generator[Callable[[], None]]:
    """Write the log to stderr, from the first call of what this yields: what happens before waits until then.

    What other libraries report is a line of it too. Tracebacks are not: they could contain what was sent.

    A bridge calls it when its start is on the screen, so that no line of the log gets between those of the start.

    Args:
        kind: `text`, `json` or `none`.
    """
    queue: Queue[Any] = Queue(_MAX_WAITING)
    listener = QueueListener(queue, _Lines(as_json=kind == "json"))
    # Without a handler, Python would write any library's warnings itself, in a format of its own.
    handler = logging.NullHandler() if kind == "none" else _Waiting(queue)
    every, ours = logging.getLogger(), logging.getLogger("procountor_auth")
    before, level = every.handlers[:], ours.level
    every.handlers = [handler]
    if not ours.isEnabledFor(logging.INFO):
        ours.setLevel(logging.INFO)
    begun = False

    def begin() -> None:
        nonlocal begun
        if not begun:
            begun = True
            listener.start()

    try:
        yield begin
    finally:
        begin()  # a bridge that could not start has logged why
        listener.stop()
        ours.setLevel(level)
        every.handlers = before


class _Waiting(QueueHandler):
    """Queues records; drops them while the queue is full."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record unchanged: it is not pickled."""
        return record

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Drop it."""


class _Lines(logging.Handler):
    """Writes to stderr."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        values: dict[str, Any] = getattr(record, "procountor_request", None) or getattr(record, "procountor_event", {})
        if self._as_json:
            line = _json_line(record, values)
        elif values.get("event") in _QUIET:
            return
        else:
            at = time.strftime("%H:%M:%S", time.localtime(record.created))
            line = f"{at} {printable(record.getMessage())}"
        try:
            if self._as_json and sys.stderr is not None:
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()
            else:
                say(line)
        except (OSError, ValueError):
            pass  # the terminal is gone; the bridge keeps running


def _json_line(record: logging.LogRecord, values: dict[str, Any]) -> str:
    fields = {"level": record.levelname.lower(), "message": printable(record.getMessage()), "at": record.created}
    return json.dumps(fields | values)
