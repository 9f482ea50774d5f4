"""Reads the response of a token endpoint: a token, an API key, or an error (RFC 6749, sections 5.1 and 5.2).

A response is untrusted until every field has been checked. Each function returns a result or raises one of our errors,
without secrets in the local variables of its frames.
"""

from __future__ import annotations

import math
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import SecretStr

from procountor_auth.errors import ProcountorAuthError, UnexpectedResponse
from procountor_auth.protocol.claims import unverified_claims
from procountor_auth.protocol.credential import is_credential
from procountor_auth.protocol.endpoints import CHECK_HOST
from procountor_auth.protocol.importing import importing
from procountor_auth.protocol.success import refuse_errors
from procountor_auth.protocol.sunset import SunsetNotice, read_sunset_notice
from procountor_auth.protocol.token import Token

if TYPE_CHECKING:
    from procountor_auth.protocol.reply import Reply

DEFAULT_LIFETIME: Final = 3600.0
"""The lifetime of an access token in seconds, if neither the response nor the token has one, as documented [D]."""

MAX_LIFETIME: Final = 366 * 86_400.0
"""The longest lifetime of an access token, in seconds; a response with a longer one is rejected."""

_SECONDS: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def read_token(reply: Reply, *, strategy: str, asked_at: float, previous: SecretStr | None = None) -> Token:
    """Return the token of a response.

    Args:
        reply: The request and its response.
        strategy: The name of the strategy that sent the request.
        asked_at: When the request was sent, in Unix seconds.
        previous: The refresh token to keep if the response has none.

    Raises:
        CredentialsRefused: The server rejected the request.
        ServiceUnavailable: The server can't serve it at the moment.
        UnexpectedResponse: The response is not what the protocol defines.
    """
    refuse_errors(reply)
    token = _token(reply, strategy, asked_at, previous)
    if isinstance(token, ProcountorAuthError):
        raise token
    return token


def read_api_key(reply: Reply) -> SecretStr:
    """Return the API key in a response of `oauth/key`. Raises what `read_token` raises."""
    refuse_errors(reply)
    fields = reply.response.json_object() or {}
    if not is_credential(fields.get("api_key")):
        fields.clear()
        raise UnexpectedResponse(f"The response to {reply.what} contains no API key.", hint=CHECK_HOST)
    return SecretStr(fields["api_key"])


def read_logout(reply: Reply) -> None:
    """Check that a token is no longer valid: the server has revoked it, or rejects it as already invalid.

    Raises:
        ServiceUnavailable: The server can't serve the request at the moment.
        UnexpectedResponse: The server responded with something else.
    """
    status = reply.response.status
    if status != HTTPStatus.UNAUTHORIZED and not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        refuse_errors(reply)


def _token(reply: Reply, strategy: str, asked_at: float, previous: SecretStr | None) -> Token | ProcountorAuthError:
    fields = reply.response.json_object() or {}
    what = f"The response to {reply.what}"
    if not is_credential(fields.get("access_token")):
        return UnexpectedResponse(f"{what} has no usable access token.", hint=CHECK_HOST)
    token_type = fields.get("token_type")
    if token_type is not None and (not isinstance(token_type, str) or token_type.lower() != "bearer"):
        return UnexpectedResponse(f"{what} has a token of an unknown type.", hint=CHECK_HOST)
    refresh_token = fields.get("refresh_token")
    if refresh_token in (None, ""):
        refresh_token = previous.get_secret_value() if previous else None
    elif not is_credential(refresh_token):
        return UnexpectedResponse(f"{what} has an unusable refresh token.", hint=CHECK_HOST)
    lifetime = _lifetime(fields)
    if lifetime is None:
        return UnexpectedResponse(
            f"{what} has an invalid `expires_in`: it is not a possible lifetime in seconds.",
            hint=CHECK_HOST,
        )
    parsed = _parse_with_authlib(fields, asked_at + lifetime)
    notice = read_sunset_notice(reply.response.combined) or SunsetNotice()
    return Token(
        access_token=parsed["access_token"],
        issued_at=asked_at,
        expires_at=asked_at + lifetime,
        strategy=strategy,
        refresh_token=refresh_token,
        deprecated_at=notice.deprecated_at,
        sunset_at=notice.sunset_at,
    )


def _parse_with_authlib(fields: dict[str, Any], expires_at: float) -> dict[str, Any]:
    with importing("authlib.oauth2"):
        from authlib.oauth2.rfc6749 import OAuth2Token  # noqa: PLC0415 - only for a response
    # Authlib uses the system clock. Ours is passed in, so Authlib gets the computed time.
    return cast(
        "dict[str, Any]",
        OAuth2Token.from_dict({**fields, "expires_at": expires_at}),  # type: ignore[no-untyped-call]
    )


def _lifetime(fields: dict[str, Any]) -> float | None:
    """Return the lifetime of the access token in seconds, or None if `expires_in` is invalid."""
    expires_in = fields.get("expires_in")
    if expires_in is None:
        claims = unverified_claims(fields["access_token"])
        issued, expiry = claims.get("iat"), claims.get("exp")
        if not (isinstance(issued, int) and isinstance(expiry, int) and 0 < expiry - issued <= MAX_LIFETIME):
            return DEFAULT_LIFETIME
        return float(expiry - issued)
    if isinstance(expires_in, str):
        # `float` alone would accept "3_600", " 3600" and the digits of other scripts.
        expires_in = float(expires_in) if _SECONDS.fullmatch(expires_in) else None
    if not isinstance(expires_in, int | float) or isinstance(expires_in, bool):
        return None
    # Compared before the conversion: an integer may be too large for a float.
    if not 0 < expires_in <= MAX_LIFETIME or not math.isfinite(expires_in):
        return None
    return float(expires_in)
