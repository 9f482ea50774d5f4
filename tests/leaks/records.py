"""What a test has said, written and passed on: texts by the place where they turned up."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .canaries import Canaries

PLACES: Final = (
    "stdout",
    "stderr",
    "log",
    "str",
    "repr",
    "validation",
    "locals",
    "chain",
    "warning",
    "pickle",
    "vars",
    "argv",
    "environment",
    "file",
    "event",
    "sandbox log",
)
"""The sixteen places. `chain` is `__cause__` and `__context__`; `validation` is `errors()` and `json()`."""

_OWN_WORDS: Final = frozenset({"str", "repr", "validation", "locals", "chain", "warning", "vars", "event"})

_MOST: Final = 400_000
"""Characters that are kept for one place of one test."""


class Records:
    """The texts of one test. Safe for many threads; a text that comes twice is kept once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: dict[tuple[str, bool], dict[str, None]] = {}
        self._sizes: dict[tuple[str, bool], int] = {}

    def add(self, place: str, text: str, *, own_words: bool | None = None) -> None:
        """Keep a text until the test's end.

        Args:
            place: One of `PLACES`.
            text: What was said.
            own_words: Whether the library itself said it; by default what the place says.
        """
        key = (place, place in _OWN_WORDS if own_words is None else own_words)
        with self._lock:
            texts = self._texts.setdefault(key, {})
            if text not in texts and self._sizes.get(key, 0) < _MOST:
                texts[text] = None
                self._sizes[key] = self._sizes.get(key, 0) + len(text)

    def hits(self, canaries: Canaries) -> set[tuple[str, str, str]]:
        """Return the place, the kind and the encoding of everything that leaked."""
        with self._lock:
            joined = [(place, own, "\n".join(texts)) for (place, own), texts in self._texts.items()]
        return {
            (place, found.kind, found.encoding)
            for place, own, text in joined
            for found in canaries.search(text, own_words=own)
        }
