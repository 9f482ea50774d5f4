"""What is looked at while a call runs: where bytes go, what is said, and how long it takes."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import time
import traceback
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BEAT: Final = 0.02


class Pulse:
    """Finds out how long this machine has stood still: its delays are not the library's."""

    def __init__(self) -> None:
        self._lost: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(BEAT):
            now = time.monotonic()
            if now - last > 2 * BEAT:
                self._lost.append((now, now - last - BEAT))
            last = now

    def lost_since(self, moment: float) -> float:
        """Return the seconds for which nothing ran since `moment`."""
        return sum(seconds for when, seconds in self._lost if when >= moment)


class Clock:
    """The monotonic clock, on which waiting takes no time.

    Attributes:
        waited: How long the waits would have been, in seconds.
    """

    def __init__(self) -> None:
        self.waited = 0.0

    def monotonic(self) -> float:
        """Return the seconds on this clock."""
        return time.monotonic() + self.waited

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.waited += max(0.0, seconds)


class _Addresses:
    """Hears from the interpreter to which addresses sockets connect, and which names are looked up."""

    def __init__(self) -> None:
        self.heard: set[tuple[Any, ...]] | None = None
        self._installed = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.heard is None:
            return
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            self.heard.add((str(arguments[1][0]), int(arguments[1][1])))
        elif event == "socket.getaddrinfo":
            host = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0])
            self.heard.add((host, int(arguments[1] or 0)))

    @contextmanager
    def listening(self) -> Iterator[set[tuple[Any, ...]]]:
        """Return the addresses that are met until the end of the block."""
        if not self._installed:
            sys.addaudithook(self._hear)  # there is no way to remove one
            self._installed = True
        heard: set[tuple[Any, ...]] = set()
        self.heard = heard
        try:
            yield heard
        finally:
            self.heard = None


ADDRESSES: Final = _Addresses()


class Witness:
    """Hears the logs of every library at DEBUG, and every warning, until the end of the block."""

    def __init__(self) -> None:
        self._said = io.StringIO()
        self._handler = logging.StreamHandler(self._said)
        self._handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)r"))
        self._warnings = warnings.catch_warnings(record=True)
        self._caught: list[warnings.WarningMessage] = []

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self._handler)
        root.setLevel(logging.DEBUG)
        self._caught = self._warnings.__enter__() or []
        warnings.simplefilter("always")
        return self

    def __exit__(self, *_: object) -> None:
        self._warnings.__exit__(None, None, None)
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)

    @property
    def warnings(self) -> list[str]:
        """The warnings."""
        return [str(each.message) for each in self._caught]

    @property
    def said(self) -> str:
        """Everything that was logged or warned of."""
        return self._said.getvalue() + "\n".join(self.warnings)


def shown(error: BaseException) -> str:
    """Return everything that a program could show of an error: texts, attributes, causes, frames with their locals."""
    parts: list[str] = []
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        each = queue.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        parts += [str(each), repr(each), repr(each.args), repr(vars(each))]
        parts += traceback.TracebackException.from_exception(each, capture_locals=True).format()
        queue += [each.__cause__, each.__context__]
    return "\n".join(parts)


def hidden_in(text: str, secrets: Iterable[str]) -> list[str]:
    """Return those secrets that stand in a text, as they are or as something would have written them."""
    return [
        secret
        for secret in secrets
        if any(form in text for form in {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]})
    ]
