"""What a Procountor token says about itself.

The tokens are signed with a secret that only the server has (HS256), so a client can't verify them: the claims
help a person to see which company a token is for; they never decide anything.
"""

from __future__ import annotations

from typing import Any, Final

import jwt

LONGEST: Final = 16_384
"""Tokens over this many characters are not looked into."""


def unverified_claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT without verifying anything, or `{}` for whatever is not a JWT. Never raises."""
    if len(token) > LONGEST or token.count(".") != 2:  # noqa: PLR2004 - header, payload, signature
        return {}
    try:
        # Verifying anything would also refuse an integer `sub`, which the vendor's own samples have.
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return {}
    return claims
