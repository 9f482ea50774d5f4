"""What a person pastes: lines of standard input, with a time limit."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from typing import Final

_TURN: Final = 0.5
"""Seconds of one wait: on Windows, a wait without an end does not hear Ctrl-C."""

_LONGEST: Final = 65_536


class PastedLines:
    """The lines of standard input.

    They are read on a thread, past Python's own buffer: a thread that waits in that one breaks the interpreter's end.
    """

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="procountor-auth-pasted", daemon=True).start()

    def next(self, deadline: float) -> str | None:
        """Return the next line without white space around it, or None at the end of the input.

        Args:
            deadline: Until when to wait for it, by `time.monotonic`.

        Raises:
            TimeoutError: There was none until then.
        """
        while (left := deadline - time.monotonic()) > 0:
            try:
                return self._lines.get(timeout=min(left, _TURN))
            except queue.Empty:
                continue
        raise TimeoutError

    def _read(self) -> None:
        pending = b""
        try:
            source = sys.stdin.fileno()
            while read := os.read(source, _LONGEST):
                *lines, pending = (pending + read).split(b"\n")
                for line in lines:
                    self._lines.put(_text(line))
                pending = pending[-_LONGEST:]
        except (OSError, ValueError, AttributeError):  # there is no standard input, or it is no file
            pending = b""
        if pending:
            self._lines.put(_text(pending))
        self._lines.put(None)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip()
