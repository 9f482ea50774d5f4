"""What a server announces about its own end: `Deprecation` (RFC 9745), `Sunset` and `rel="sunset"` (RFC 8594)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_TIME: Final = 253_402_300_799
"""The last second that `datetime` knows."""

_MAX_LINK_LENGTH: Final = 500

_NAME: Final = r"[a-zA-Z0-9!#$&+.^_`|~*-]+"
_VALUE: Final = r"(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\";,]+))"
_PARAMETER: Final = rf"\s*;\s*(?:({_NAME})(?:\s*=\s*{_VALUE})?)?"
_LINK: Final = re.compile(rf"<([^<>]*)>((?:{_PARAMETER})*)")
"""One link of a `Link` header, and its parameters: some have no value, some are quoted (RFC 8288, section 3)."""


@dataclass(frozen=True, slots=True)
class SunsetNotice:
    """The announced end of what was requested.

    Attributes:
        deprecated_at: Since when, or from when on, it is deprecated, in Unix seconds, if that was said.
        sunset_at: When it stops to respond, in Unix seconds, if that was said.
        link: A page about it, if one was named; it may be all that was said. It comes from the server: show it, don't
            fetch it.
    """

    deprecated_at: float | None = None
    sunset_at: float | None = None
    link: str | None = None

    def __str__(self) -> str:
        parts = []
        if self.deprecated_at is not None:
            parts.append(f"deprecated from {day(self.deprecated_at)} on")
        if self.sunset_at is not None:
            parts.append(f"gone from {day(self.sunset_at)} on")
        if self.link is not None:
            parts.append(f"see {self.link}")
        return ", ".join(parts)


def read_sunset_notice(header: Callable[[str], str | None]) -> SunsetNotice | None:
    """Return what the headers of one response announce, or None. Headers that say nothing readable count as absent.

    Args:
        header: Returns the value of a header, or None.
    """
    found = SunsetNotice(_deprecation(header("deprecation")), _date(header("sunset")), _sunset_link(header("link")))
    return found if found != SunsetNotice() else None


def day(time: float) -> str:
    """Return the day of a time in Unix seconds, in UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


def _deprecation(value: str | None) -> float | None:
    # The standard's form is @ and Unix seconds; drafts of it had an HTTP date.
    if value is None:
        return None
    # Parameters, of which none is defined, may follow (RFC 9651, section 3.3).
    seconds = re.fullmatch(r"@(-?[0-9]{1,15})\s*(?:;.*)?", value.strip())
    return _in_range(float(seconds[1])) if seconds else _date(value)


def _date(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        date = parsedate_to_datetime(value.strip())
        # An HTTP date is in GMT, even where it does not say so (RFC 9110, section 5.6.7).
        return _in_range((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None


def _in_range(time: float) -> float | None:
    return time if 0 <= time <= _MAX_TIME else None


def _sunset_link(value: str | None) -> str | None:
    for link in _LINK.finditer((value or "")[: 8 * _MAX_LINK_LENGTH]):
        if "sunset" in _relations(link[2]) and _is_harmless(link[1]):
            return link[1]
    return None


def _relations(parameters: str) -> list[str]:
    """Return the link's relations to what was requested; a second `rel` does not count (RFC 8288, section 3.3)."""
    found: dict[str, str] = {}
    for name, quoted, plain in re.findall(_PARAMETER, parameters):
        found.setdefault(name.lower(), quoted or plain)
    # With an anchor it is about something else.
    return [] if "anchor" in found else found.get("rel", "").lower().split()


def _is_harmless(link: str) -> bool:
    """Whether it can be shown: a web address, without a user's name in it or anything that a terminal would obey."""
    return (
        len(link) <= _MAX_LINK_LENGTH
        and link.isascii()
        and link.isprintable()
        and re.fullmatch(r"https?://[^/@\s]+(?:/\S*)?", link, re.IGNORECASE) is not None
    )
