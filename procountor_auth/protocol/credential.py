"""What a credential may look like: it stands in a header or a form, so it is visible ASCII."""

from __future__ import annotations

from typing import Final, TypeGuard

MAX_LENGTH: Final = 65_536
"""A token or key of more characters than this is refused."""


def is_credential(value: object) -> TypeGuard[str]:
    """Whether it can stand in an `Authorization` header or a form (RFC 6750, section 2.1): ASCII, no white space."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_LENGTH
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )
