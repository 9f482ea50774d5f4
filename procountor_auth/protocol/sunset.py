"""Reads a server's announcements: `Deprecation` (RFC 9745), `Sunset` and `rel="sunset"` (RFC 8594)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from procountor_auth.protocol.importing import importing

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_TIME: Final = 253_402_300_799
"""The last second that `datetime` can represent."""

_MAX_LINK_LENGTH: Final = 500

_NAME: Final = r"[a-zA-Z0-9!#$&+.^_`|~*-]+"
_VALUE: Final = r"(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\";,]+))"
_PARAMETER: Final = rf"\s*;\s*(?:({_NAME})(?:\s*=\s*{_VALUE})?)?"
_LINK: Final = rf"<([^<>]*)>((?:{_PARAMETER})*)"
"""One link of a `Link` header, and its parameters: some have no value, some are quoted (RFC 8288, section 3)."""


HEADERS: Final = frozenset({"deprecation", "sunset", "link"})
"""The headers that may contain an announcement. Few responses have one."""


@dataclass(frozen=True, slots=True)
class SunsetNotice:
    """The announced deprecation or sunset of the requested resource.

    Attributes:
        deprecated_at: When its deprecation starts or started, in Unix seconds, if the server says so.
        sunset_at: When it stops responding, in Unix seconds, if the server says so.
        link: The URL of a page about it, if the server names one. It comes from the server: display it, but don't fetch
            it.
    """

    deprecated_at: float | None = None
    sunset_at: float | None = None
    link: str | None = None

    def __str__(self) -> str:
        parts: list[str] = []
        if self.deprecated_at is not None:
            parts.append(f"deprecated as of {day(self.deprecated_at)}")
        if self.sunset_at is not None:
            parts.append(f"removed as of {day(self.sunset_at)}")
        if self.link is not None:
            parts.append(f"see {self.link}")
        return ", ".join(parts)


def read_sunset_notice(header: Callable[[str], str | None]) -> SunsetNotice | None:
    """Return the announcement in a response's headers, or None. Invalid headers are ignored.

    Args:
        header: Returns the value of a header, or None.
    """
    deprecation, sunset, link = header("deprecation"), header("sunset"), header("link")
    if deprecation is None and sunset is None and link is None:
        return None  # nearly always, so this comes first
    found = SunsetNotice(_deprecation(deprecation), _date(sunset), _sunset_link(link))
    return found if found != SunsetNotice() else None


def day(time: float) -> str:
    """Return the UTC date of a time in Unix seconds."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


def _deprecation(value: str | None) -> float | None:
    # The standard has @ and Unix seconds; its drafts had an HTTP date.
    if value is None:
        return None
    # Parameters may follow, though none are defined (RFC 9651, section 3.3).
    seconds = re.fullmatch(r"@(-?[0-9]{1,15})\s*(?:;.*)?", value.strip())
    return _in_range(float(seconds[1])) if seconds else _date(value)


def _date(value: str | None) -> float | None:
    if value is None:
        return None
    with importing():
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few responses have a date
    try:
        date = parsedate_to_datetime(value.strip())
        # An HTTP date is in GMT, even if it does not say so (RFC 9110, section 5.6.7).
        return _in_range((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None


def _in_range(time: float) -> float | None:
    return time if 0 <= time <= _MAX_TIME else None


def _sunset_link(value: str | None) -> str | None:
    for link in re.finditer(_LINK, (value or "")[: 8 * _MAX_LINK_LENGTH]):
        if "sunset" in _relations(link[2]) and _is_harmless(link[1]):
            return link[1]
    return None


def _relations(parameters: str) -> list[str]:
    """Return the link's relations to the requested resource; a second `rel` is ignored (RFC 8288, section 3.3)."""
    found: dict[str, str] = {}
    for name, quoted, plain in re.findall(_PARAMETER, parameters):
        found.setdefault(name.lower(), quoted or plain)
    # A link with an anchor is about another resource.
    return [] if "anchor" in found else found.get("rel", "").lower().split()


def _is_harmless(link: str) -> bool:
    """Whether a link is safe to show: a web address without a user name or control characters."""
    return (
        len(link) <= _MAX_LINK_LENGTH
        and link.isascii()
        and link.isprintable()
        and re.fullmatch(r"https?://[^/@\s]+(?:/\S*)?", link, re.IGNORECASE) is not None
    )
