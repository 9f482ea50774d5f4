"""A rule of conformance, and the tests that hold it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of docs/conformance.md.

    Attributes:
        number: Its number.
        text: What must hold.
        source: Where that is written.
        tests: Files under tests/ and the functions in them that fail if it does not hold.
        note: What is particular about the service, or about this client.
    """

    number: int
    text: str
    source: str
    tests: tuple[tuple[str, str], ...]
    note: str = ""


def rule(number: int, text: str, source: str, *tests: str, note: str = "") -> Rule:
    """Return a row, with the tests of one file as `file::name name`."""
    pairs = []
    for each in tests:
        path, _, names = each.partition("::")
        pairs += [(path, f"test_{name}") for name in names.split()]
    return Rule(number, text, source, tuple(pairs), note)
