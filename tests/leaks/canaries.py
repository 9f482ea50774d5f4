"""The secrets that must not turn up anywhere, and the search for all of them at once."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import Final, Literal, get_args

from .encodings import forms

Kind = Literal[
    "password",
    "username",
    "company",
    "client_secret",
    "api_key",
    "code",
    "state",
    "verifier",
    "access_token",
    "refresh_token",
]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

WIDTH: Final = 12
"""Characters of a form that are looked for. A leak of half a secret is one, too."""

_SHORTEST_WORD: Final = 5
_JWT_PARTS: Final = 3
_WORDS_ONLY: Final = frozenset({"username", "company"})


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in a text. It says which one, never the secret itself."""

    kind: str
    encoding: str


class Canaries:
    """All secrets of the tests so far. Safe for many threads.

    A text is searched in one pass, however many secrets there are: every run of `WIDTH` characters is looked up in one
    set that holds the first and the last ones of each form of each secret.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[tuple[str, str]] = set()
        self._new: list[tuple[Kind, str]] = []
        self._fragments: dict[str, Found] = {}
        self._words: dict[str, Found] = {}
        self._pattern: re.Pattern[str] | None = None

    def add(self, kind: Kind, secret: object) -> None:
        """Look for a secret from now on. What could be any word of a sentence is left out (see docs/leaks.md)."""
        if not isinstance(secret, str) or (kind, secret) in self._known:
            return
        with self._lock:
            self._known.add((kind, secret))
            self._new.append((kind, secret))

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._known.clear()
            self._new.clear()
            self._fragments.clear()
            self._words.clear()
            self._pattern = None

    def search(self, text: str, *, own_words: bool) -> set[Found]:
        """Return what stands in a text.

        Args:
            text: What was printed, logged, written.
            own_words: Whether the library itself said it: then the short secrets are looked for as well.
        """
        self._learn()
        found = set()
        if self._fragments:  # most tests have no secrets at all
            runs = {text[start : start + WIDTH] for start in range(len(text) - WIDTH + 1)}
            found = {self._fragments[fragment] for fragment in runs & self._fragments.keys()}
        if own_words and self._pattern is not None:
            found |= {self._words[word] for word in self._pattern.findall(text)}
        return found

    def _learn(self) -> None:
        with self._lock:
            new, self._new = self._new, []
            words = len(self._words)
            for kind, secret in new:
                if kind in _WORDS_ONLY or len(secret) < WIDTH:
                    if _is_distinctive(secret):
                        self._words.setdefault(secret, Found(kind, "raw"))
                    if kind in _WORDS_ONLY:
                        continue
                for piece in _pieces(secret):
                    for encoding, form in forms(piece):
                        if len(form) >= WIDTH:
                            self._fragments.setdefault(form[:WIDTH], Found(kind, encoding))
                            self._fragments.setdefault(form[-WIDTH:], Found(kind, encoding))
            if len(self._words) != words:
                longest_first = sorted(self._words, key=len, reverse=True)
                words_of = "|".join(re.escape(word) for word in longest_first)
                # Not a part of a longer word, of a number or of an address with a port.
                self._pattern = re.compile(rf"(?<![\w.:])(?:{words_of})(?!\w)")


def _is_distinctive(word: str) -> bool:
    return len(word) >= _SHORTEST_WORD and not word.isalpha() and word.isprintable()


def _pieces(secret: str) -> list[str]:
    """Return what is a secret's own: of the JSON Web Tokens of one sandbox, only the signatures differ for sure."""
    parts = secret.split(".")
    return [parts[2]] if len(parts) == _JWT_PARTS and secret.startswith("eyJ") and len(parts[2]) >= WIDTH else [secret]
