"""When the refresh token of a login ends, after which a user has to log in again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from procountor_auth.protocol.token import Token

REFRESH_WARNING: Final = 30 * 86_400.0
"""Seconds before the expiry of a refresh token from which on every new token comes with a warning."""


def days_left(token: Token, now: float) -> int | None:
    """Return the days that are left of a login that ends soon, or None."""
    expiry = token.refresh_expires_at
    if expiry is None or expiry - now >= REFRESH_WARNING:
        return None
    return max(0, int((expiry - now) // 86_400))
