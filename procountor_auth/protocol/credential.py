"""Validates credentials: they are sent in headers or forms, so they must be visible ASCII."""

from __future__ import annotations

from typing import Final, TypeGuard

MAX_LENGTH: Final = 65_536
"""The longest token or key that is accepted, in characters."""


def is_credential(value: object) -> TypeGuard[str]:
    """Whether it can be sent in an `Authorization` header or a form (RFC 6750, section 2.1): ASCII, no white space."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_LENGTH
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )
