"""The labels of profiles, counts and times in the output of `procountor-auth migrate`."""

from __future__ import annotations

from typing import Final

from procountor_auth.cli.screen import BAD, GOOD
from procountor_auth.errors import printable

STATES: Final = {"done": "done", "can_switch": "can switch", "blocked": "blocked"}
"""The words for the states of `ProfileStatus`."""

STATE_STYLES: Final = {"done": GOOD, "can_switch": GOOD, "blocked": BAD}


def label(profile: str | None) -> str:
    """Return a profile's label."""
    return "this configuration" if profile is None else printable(profile)


def count(number: int) -> str:
    """Return a number of profiles, in words."""
    return f"{number} profile" if number == 1 else f"{number} profiles"


def age(seconds: float) -> str:
    """Return how long ago something was."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"
