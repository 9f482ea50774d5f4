"""Reads the claims of a Procountor token, without verifying them.

The tokens are signed with a secret that only the server has (HS256), so a client can't verify them: the claims
show a user which company a token is for. They are used only to reject tokens, never to grant access.
"""

from __future__ import annotations

from typing import Any, Final

from procountor_auth.protocol.importing import importing

MAX_LENGTH: Final = 16_384
"""The longest token that is parsed, in characters."""

MAX_DIGITS: Final = 18
"""The most digits of a valid ID or time."""


def unverified_claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT without verifying anything, or `{}` for other text.

    Raises only what `importing` raises, when the interpreter is shutting down.
    """
    if len(token) > MAX_LENGTH or token.count(".") != 2:  # noqa: PLR2004 - header, payload, signature
        return {}
    with importing():
        import jwt  # noqa: PLC0415 - slow to import, and rarely needed
    try:
        # Any verification would also reject an integer `sub`, which the vendor's samples have.
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return {}
    return claims


def read_id(claim: object) -> int | None:
    """Return a claim that is the ID of a company or a user, or None for other values.

    The documentation's samples have integers [D], real keys have strings of digits [C].
    """
    number = read_time(claim)
    return int(number) if number is not None and number == int(number) else None


def read_time(claim: object) -> int | float | None:
    """Return a claim that is a time in Unix seconds (RFC 7519, section 2), or None for other values."""
    if isinstance(claim, str):
        return int(claim) if claim.isascii() and claim.isdigit() and len(claim) <= MAX_DIGITS else None
    if isinstance(claim, int | float) and not isinstance(claim, bool) and 0 <= claim < 10**MAX_DIGITS:
        return claim
    return None
