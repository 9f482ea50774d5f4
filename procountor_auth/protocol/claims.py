"""What a Procountor token says about itself.

The tokens are signed with a secret that only the server has (HS256), so a client can't verify them: the claims
help a user to see which company a token is for. They can only forbid: nothing is allowed because of them.
"""

from __future__ import annotations

from typing import Any, Final

import jwt

MAX_LENGTH: Final = 16_384
"""Tokens over this many characters are not looked into."""

MAX_DIGITS: Final = 18
"""An ID or a time of more digits than this is none."""


def unverified_claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT without verifying anything, or `{}` for whatever is not a JWT. Never raises."""
    if len(token) > MAX_LENGTH or token.count(".") != 2:  # noqa: PLR2004 - header, payload, signature
        return {}
    try:
        # Verifying anything would also refuse an integer `sub`, which the vendor's own samples have.
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return {}
    return claims


def read_id(claim: object) -> int | None:
    """Return a claim that is the ID of a company or a user, or None for whatever else a server put there.

    The documentation's samples have integers, real keys have strings of digits.
    """
    number = read_time(claim)
    return int(number) if number is not None and number == int(number) else None


def read_time(claim: object) -> int | float | None:
    """Return a claim that is a time in Unix seconds (RFC 7519, section 2), or None for whatever else is there."""
    if isinstance(claim, str):
        return int(claim) if claim.isascii() and claim.isdigit() and len(claim) <= MAX_DIGITS else None
    if isinstance(claim, int | float) and not isinstance(claim, bool) and 0 <= claim < 10**MAX_DIGITS:
        return claim
    return None
