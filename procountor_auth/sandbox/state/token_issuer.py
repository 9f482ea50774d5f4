"""The tokens: JSON Web Tokens in the shape of the documentation's samples."""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, Any, Literal, get_args

import jwt

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox.behaviour.quirks import Quirks

Kind = Literal["access", "refresh", "api_key"]

_ALGORITHM = "HS256"
#: The claim that has the company if `cid` is omitted; no client reads it.
_HIDDEN = "ctx"
#: Characters of a ``jti`` that identify the session: half of a UUID.
_SESSION_ID = len("00000000-0000-4000")


class TokenIssuer:
    """Signs and reads tokens with a secret that never leaves this object.

    Real clients can't verify Procountor's tokens either: only the server has the key. Each kind of
    token has its own key, as an access token and its refresh token have the same claims.

    Args:
        issuer: The claim ``iss``: the sandbox's host, without a path.
        clock: Returns the Unix time in seconds.
        quirks: Returns the current quirks.
    """

    def __init__(self, issuer: str, clock: Callable[[], float], quirks: Callable[[], Quirks]) -> None:
        self.issuer = issuer
        self._clock = clock
        self._quirks = quirks
        self._keys: dict[Kind, bytes] = {kind: secrets.token_bytes(32) for kind in get_args(Kind)}

    @staticmethod
    def new_id(session_id: str | None = None) -> str:
        """Return a new ``jti``. An access token and its refresh token share one.

        Args:
            session_id: The session that the token belongs to; None starts a new one.
        """
        jti = str(uuid.uuid4())
        # Its first half identifies the session, so no table of tokens is needed.
        return jti if session_id is None else session_id + jti[len(session_id) :]

    @staticmethod
    def session_id(jti: str) -> str:
        """Return the part of the ``jti`` that all tokens of one session share."""
        return jti[:_SESSION_ID]

    def access_token(
        self, jti: str, client_id: str, user_id: int, company_id: int, auth_time: int, *, machine: bool
    ) -> str:
        """Return an access token; ``machine`` adds the claim ``scope`` of machine-to-machine tokens."""
        now = int(self._clock())
        claims = {
            **self._identity(client_id, user_id, company_id),
            "jti": jti,
            "auth_time": auth_time,
            "iat": now,
            "exp": now + self._quirks().access_token_lifetime,
        }
        if machine:
            claims["scope"] = "m2m"
        return self._sign("access", claims)

    def refresh_token(self, jti: str, client_id: str, user_id: int, company_id: int, auth_time: int) -> str:
        """Return a refresh token, which expires a fixed time after the user's login."""
        claims = {
            **self._identity(client_id, user_id, company_id),
            "jti": jti,
            "auth_time": auth_time,
            "iat": int(self._clock()),
            "exp": auth_time + self._quirks().refresh_token_lifetime,
        }
        return self._sign("refresh", claims)

    def api_key(self, jti: str, client_id: str, user_id: int, company_id: int) -> str:
        """Return an API key: the same claims, but without a login and an expiry."""
        claims = {
            **self._identity(client_id, user_id, company_id),
            "iat": int(self._clock()),
            "jti": jti,
        }
        return self._sign("api_key", claims)

    def read(self, token: str, kind: Kind, *, even_expired: bool = False) -> dict[str, Any] | None:
        """Return the claims of a token of this kind, signed here and not expired, else None.

        The times are compared here and not by PyJWT, which would use the machine's clock instead of
        ours, and rejects an integer ``sub``, which the documentation's samples have.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys[kind],
                algorithms=[_ALGORITHM],
                options={
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_sub": False,
                },
            )
        except (jwt.InvalidTokenError, ValueError):
            return None
        if _HIDDEN in claims:
            claims["cid"] = int(claims.pop(_HIDDEN), 16)
        if not even_expired and "exp" in claims and self._clock() >= claims["exp"]:
            return None
        return claims

    def _identity(self, client_id: str, user_id: int, company_id: int) -> dict[str, Any]:
        subject = user_id if self._quirks().subject == "integer" else str(user_id)
        company = {"cid": company_id} if self._quirks().company == "claim" else {_HIDDEN: f"{company_id:x}"}
        return {"iss": self.issuer, "aud": client_id, "sub": subject, **company}

    def _sign(self, kind: Kind, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._keys[kind], algorithm=_ALGORITHM)
