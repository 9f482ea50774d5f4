"""The programs that still log in through the bridge, by their `User-Agent`, and when each was last seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from procountor_auth.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CALLERS: Final = 20
"""How many programs are remembered for one login: the most recent ones."""

MAX_LENGTH: Final = 200
"""Characters of a program's name that are kept."""


RECENT_SECONDS: Final = 31 * 86_400.0
"""Seconds after which a program is no longer counted as active: some run once a month."""


class Caller(NamedTuple):
    """A program that logs in.

    Attributes:
        user_agent: What it calls itself; empty if it says nothing.
        last_login_at: When it last logged in or refreshed its token, in Unix seconds.
        logins: How often it has.
    """

    user_agent: str
    last_login_at: float
    logins: int

    def is_recent(self, now: float) -> bool:
        """Whether it is still to be counted with at `now`, in Unix seconds."""
        return now - self.last_login_at < RECENT_SECONDS


def name_of(user_agent: str) -> str:
    """Return a program's `User-Agent`, as one short line."""
    return printable(user_agent)[:MAX_LENGTH].strip()


def callers_in(fields: dict[str, Any]) -> list[Caller]:
    """Return the callers of a record, the most recent first; what can't be parsed is left out."""
    found = [_caller(each) for each in fields.get("callers") or ()]
    return sorted((each for each in found if each is not None), key=lambda caller: -caller.last_login_at)


def _caller(fields: object) -> Caller | None:
    if not isinstance(fields, list | tuple):
        return None
    values = cast("Sequence[object]", fields)
    if len(values) != len(Caller._fields):
        return None
    user_agent, at, logins = values
    if isinstance(user_agent, str) and isinstance(at, int | float) and isinstance(logins, int):
        return Caller(name_of(user_agent), float(at), logins)
    return None


def seen(callers: object, user_agent: str, now: float) -> list[Caller]:
    """Return the callers of a record with one that has just logged in, the most recent first."""
    known = callers_in({"callers": callers})
    name = name_of(user_agent)
    logins = next((each.logins for each in known if each.user_agent == name), 0)
    return [Caller(name, now, logins + 1), *(each for each in known if each.user_agent != name)]
