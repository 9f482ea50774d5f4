"""Whether what somebody else's strategy or store returned is a token, with nothing else's methods in it."""

from __future__ import annotations

import math
from typing import TypeGuard

from procountor_auth.protocol.token import Token


def is_plain_token(value: object) -> TypeGuard[Token]:
    """Whether a value is a token whose fields are what they should be.

    Args:
        value: The value.
    """
    # No subclass: its methods would be somebody else's, and run wherever a field is used.
    return (
        type(value) is Token
        and _is_sendable(value.access_token)
        and type(value.strategy) is str
        and (value.refresh_token is None or _is_sendable(value.refresh_token))
        and _is_time(value.issued_at)
        and _is_time(value.expires_at)
        and (value.deprecated_at is None or _is_time(value.deprecated_at))
        and (value.sunset_at is None or _is_time(value.sunset_at))
    )


def _is_sendable(value: object) -> bool:
    """Whether it can stand in a header or a form as it is."""
    return type(value) is str and value != "" and value.isascii() and value.isprintable()


def _is_time(value: object) -> bool:
    return (type(value) is int or type(value) is float) and math.isfinite(value)
