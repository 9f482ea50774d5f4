"""Whether a server is only temporarily unavailable, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from procountor_auth.protocol.importing import importing

MAX_WAIT: Final = 86_400.0
"""The longest `Retry-After` that is honoured, in seconds; longer ones count as this."""

_TEMPORARY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

_LASTING: Final = frozenset(
    {
        HTTPStatus.NOT_IMPLEMENTED,
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
        HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED,
    }
)
"""Permanent failures, and networks that require the user to log in first (RFC 6585, section 6)."""


def is_temporary(status: int) -> bool:
    """Whether a status means that the server may serve the request later."""
    return status in _TEMPORARY or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _LASTING)


def retry_after(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds to wait according to a `Retry-After` header (RFC 9110, section 10.2.3), or None.

    A date is compared with the response's `Date`, so that a wrong local clock does not matter; without a `Date`, it is
    compared with the local clock. An invalid value is None, a date in the past is 0, and more than a day is a day.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), MAX_WAIT)
    with importing():
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few servers send a date
    try:
        until = parsedate_to_datetime(value)
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        wait = (until - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), MAX_WAIT)
