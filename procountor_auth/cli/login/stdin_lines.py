"""The lines of standard input, read with a time limit."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from typing import Final

_POLL_SECONDS: Final = 0.5
"""Seconds of one wait: on Windows, Ctrl-C does not interrupt a wait without a time limit."""

_MAX_LINE: Final = 65_536
"""Bytes of a line; of a longer one, only the end is kept."""


class StdinLines:
    """The lines of standard input.

    A thread reads them, bypassing Python's own buffer: a thread that waits there crashes the interpreter when it
    shuts down.
    """

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="procountor-auth-stdin", daemon=True).start()

    def next(self, deadline: float) -> str | None:
        """Return the next line without surrounding white space, or None at the end of the input.

        Args:
            deadline: When to stop waiting, by `time.monotonic`.

        Raises:
            TimeoutError: No line arrived before the deadline.
        """
        while (left := deadline - time.monotonic()) > 0:
            try:
                return self._lines.get(timeout=min(left, _POLL_SECONDS))
            except queue.Empty:
                continue
        raise TimeoutError

    def _read(self) -> None:
        pending = b""
        try:
            source = sys.stdin.fileno()
            while read := os.read(source, _MAX_LINE):
                *lines, pending = (pending + read).split(b"\n")
                for line in lines:
                    self._lines.put(_text(line))
                pending = pending[-_MAX_LINE:]
        except (OSError, ValueError, AttributeError):  # there is no standard input, or it is not a file
            pending = b""
        if pending:
            self._lines.put(_text(pending))
        self._lines.put(None)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip()
