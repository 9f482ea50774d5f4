"""The part of docs/faults.md about guests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .table import CELLS, PLACES, SCHEME_CELLS, scheme_outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .table import Outcome

_HEAD = """
## Other people's code inside the library

Listeners, log handlers and filters, metrics, strategies, stores, HTTP transports and secret schemes from other
packages raise every kind of exception, hang, ask for a token in the middle, fork, change what they get, or return
something else. After each case the guest behaves, and the next two calls return tokens, the last of which is in the
store. An exception that is no `Exception`, such as `SystemExit`, reaches the caller where it does not cost a token.

| Guest | It | With an API key | With a refresh token |
|---|---|---|---|
"""


def summary() -> list[tuple[str, int, int, int]]:
    """Return for each kind of guest its name, its cases, and how many of them bring a token and do not."""
    families: dict[str, list[bool]] = {}
    for place, act, grant in CELLS:
        family = families.setdefault(f"guest: {place.name.partition(':')[0].partition(',')[0]}", [])
        family += [place.outcome(act, grant).accepts] * 2  # in a thread, and in an event loop
    families["guest: secret scheme"] = [scheme_outcome(act).accepts for act in SCHEME_CELLS]
    return [(name, len(each), sum(each), each.count(False)) for name, each in families.items()]


def lines() -> Iterator[str]:
    """Return the section."""
    yield _HEAD
    for place in PLACES:
        for kind in dict.fromkeys((*place.key, *place.refresh)):
            told = [_words(row.get(kind)) for row in (place.key, place.refresh)]
            yield f"| {place.name} | {_KINDS[kind]} | {' | '.join(told)} |\n"


_KINDS = {
    "raises": "raises an `Exception`",
    "passes": "raises a `BaseException`",
    "hangs": "hangs",
    "asks": "asks for a token",
    "goes on": "forks, takes the lock as well, or changes what it gets",
    "none": "returns None",
    "garbage": "returns something else",
}


def _words(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    if outcome.passes:
        return "it passes"
    if outcome.error is not None:
        return f"`{outcome.error.__name__}`{', retryable' if outcome.retryable else ''}"
    return "a token" if outcome.kept else "a token, the store keeps the old one"
