"""What docs/faults.md says about what lies between: written by tests/faults/page.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.faults.fault import Accepted, Refused

from .storage import CHANGES
from .ways import WAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .case import Told

_HEAD: Final = """
## Between the program and the service

These tables list what proxies, gateways, networks and the lookup of names do between a program and the service, and
what happens to the servers of a store during a failover. The checks are the same. Each case of the first table runs
with an API key and with a refresh token, through `token()` and through `atoken()`. The numbers are the token requests
that arrive.
"""

_STORES: Final = """
### Stores that change

Each case runs with real servers: two of a kind, behind an address that leads to one of them. The service replaces each
refresh token that is used. The last two columns are for the program that has the newest refresh token in memory, and
for one that starts afterwards. Three more calls follow each login that is required, and each sends one request at most.

| What happens | Stores | With an API key | With a refresh token | Another program |
|---|---|---|---|---|
"""

_TIMES: Final = 4
"""Two grants, two calls."""


def summary() -> list[tuple[str, int, int, int]]:
    """Return for each table its name, its cases, and how many of them are accepted and refused."""
    rows = []
    for family in dict.fromkeys(way.family for way in WAYS):
        ways = [way for way in WAYS if way.family == family]
        accepted = sum(isinstance(each, Accepted) for way in ways for each in (way.expected, way.once or way.expected))
        rows.append((f"between: {family}", len(ways) * _TIMES, accepted * 2, len(ways) * _TIMES - accepted * 2))
    told = [each for change in CHANGES for _ in change.stores for each in (change.key, change.same, change.other)]
    accepted = sum(each.accepts for each in told)
    return [*rows, ("between: stores", len(told), accepted, len(told) - accepted)]


def lines() -> Iterator[str]:
    """Return the section of the page."""
    yield _HEAD
    yield "\n| What lies between | Outcome | Requests |\n|---|---|---|\n"
    for way in WAYS:
        outcome = _words(way.expected)
        if way.once is not None:
            outcome += f"; a refresh token: {_words(way.once)}"
        yield f"| {way.family}: {way.name} | {outcome} | {way.expected.safe}, {(way.once or way.expected).once} |\n"
    yield _STORES
    for change in CHANGES:
        told = " | ".join(_told(each) for each in (change.key, change.same, change.other))
        yield f"| {change.name} | {', '.join(change.stores)} | {told} |\n"


def _words(expected: Accepted | Refused) -> str:
    if isinstance(expected, Accepted):
        return "a token"
    return f"`{expected.error.__name__}`{', retryable' if expected.retryable else ''}"


def _told(told: Told) -> str:
    if told.accepts:
        return "a token"
    return f"`{told.error}`{', retryable' if told.retryable else ''}"
