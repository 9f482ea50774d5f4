"""Quick faults: the most common faults, each under one name that sets all the switches it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .switch import nearest, parse_assignments, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .switch import Value

#: The switches for single requests. A quick fault of requests replaces all of them.
REQUEST_SWITCHES = ("where", "times", "latency", "status", "retry_after", "reset", "body")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickFault:
    """A name for the values of several switches.

    Attributes:
        name: The name on the command line and in forms.
        label: The text of its button.
        help: One sentence about it.
        values: The values by the names of the switches.
    """

    name: str
    label: str
    help: str
    values: Mapping[str, Value]

    @property
    def hits_requests(self) -> bool:
        """Whether it affects single requests, and so replaces another one that does. Conditions add up."""
        return not self.values.keys().isdisjoint(REQUEST_SWITCHES)

    @property
    def lasts(self) -> bool:
        """Whether it lasts until it is ended; the others end after a number of requests."""
        return "times" not in self.values

    @property
    def changes(self) -> dict[str, Value]:
        """The values of the switches that it sets, and of those that it resets."""
        return (dict.fromkeys(REQUEST_SWITCHES) if self.hits_requests else {}) | dict(self.values)

    @property
    def end(self) -> dict[str, Value]:
        """The defaults of the same switches."""
        return dict.fromkeys(self.changes)

    def is_active(self, values: Mapping[str, Value]) -> bool:
        """Return whether all its switches have its values, except for the number of remaining requests."""
        return all(values.get(name) == value for name, value in self.values.items() if name != "times")


#: In the order of the buttons.
QUICK_FAULTS: tuple[QuickFault, ...] = (
    QuickFault(
        name="429-once",
        label="429 once",
        help="Responds to the next token request with 429 and Retry-After: 2.",
        values={"where": "token", "times": 1, "status": 429, "retry_after": "2"},
    ),
    QuickFault(
        name="503-three-times",
        label="503 × 3",  # noqa: RUF001 - a multiplication sign is meant
        help="Responds to the next three token requests with 503.",
        values={"where": "token", "times": 3, "status": 503},
    ),
    QuickFault(
        name="slow-5s",
        label="slow 5 s",
        help="Delays every response by 5 seconds.",
        values={"where": "all", "latency": 5.0},
    ),
    QuickFault(
        name="connection-reset",
        label="reset",
        help="Resets the connection of the next request before the response.",
        values={"where": "all", "times": 1, "reset": "before"},
    ),
    QuickFault(
        name="key-revoked",
        label="key revoked",
        help="Rejects every API key as if it were revoked.",
        values={"revoked_keys": True},
    ),
    QuickFault(
        name="legacy-removed",
        label="legacy removed",
        help="Removes the legacy login: oauth/authz responds with 404.",
        values={"legacy_removed": "404"},
    ),
    QuickFault(
        name="token-ends-in-10s",
        label="tokens last 10 s",
        help="Issues access tokens that expire after 10 seconds.",
        values={"access_token_lifetime": 10},
    ),
)

_BY_NAME = {each.name: each for each in QUICK_FAULTS}


def find_quick_fault(name: str) -> QuickFault:
    """Return the quick fault with this name.

    Raises:
        ValueError: There is none; the message lists the names.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(f"this {_is_none(name)}") from None


def _is_none(name: str) -> str:
    """Return what is wrong with a name that no quick fault has, and which one was probably meant."""
    meant = nearest(name, _BY_NAME)
    near = f": did you mean {meant}?" if meant else "."
    return f"is neither NAME=VALUE nor a quick fault{near} The quick faults are {', '.join(_BY_NAME)}"


def parse_changes(words: Iterable[str]) -> dict[str, Value]:
    """Return the values of arguments that are quick faults or ``NAME=VALUE``, by the names of the switches.

    A later argument overrides an earlier one.

    Raises:
        ValueError: An argument is neither, its name is unknown, or its value is invalid.
    """
    values: dict[str, Value] = {}
    for word in words:
        name = word.strip()
        if "=" in name:
            values |= parse_assignments([word])
        elif name in _BY_NAME:
            values |= _BY_NAME[name].changes
        else:
            raise ValueError(f"{shown(name)} {_is_none(name)}")
    return values
