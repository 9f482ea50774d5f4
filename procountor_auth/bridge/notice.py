"""The headers that say that the legacy login ends: `Deprecation` (RFC 9745), `Sunset` (RFC 8594), a page about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from procountor_auth.protocol.pages import MIGRATION

DEPRECATED_AT: Final = int(datetime(2021, 4, 1, tzinfo=UTC).timestamp())
"""The vendor's release notes of API version 21.04 say that the legacy login is removed from production."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What each answer of a bridge announces.

    Attributes:
        sunset: When the bridge ends, if its operator has decided that.
    """

    sunset: datetime | None = None

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers."""
        found = [("Deprecation", f"@{DEPRECATED_AT}"), ("Link", f'<{MIGRATION}>; rel="deprecation"; type="text/html"')]
        if self.sunset is not None:
            found.append(("Sunset", format_datetime(self.sunset.astimezone(UTC), usegmt=True)))
        return found
