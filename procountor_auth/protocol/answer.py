"""Reading what a token endpoint answered: a token, an API key, or a refusal (RFC 6749, sections 5.1 and 5.2).

An answer is untrusted until every field has been looked at. Each reader returns a result or raises one of our
errors, and none of its frames holds a secret in a local when it does.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc6749 import OAuth2Token
from pydantic import SecretStr

from procountor_auth.claims import unverified_claims
from procountor_auth.errors import (
    CredentialsRefused,
    InvalidClient,
    InvalidGrant,
    ProcountorAuthError,
    ServiceUnavailable,
    UnexpectedAnswer,
)
from procountor_auth.protocol.ending import Ending, read_ending
from procountor_auth.protocol.excerpt import excerpt
from procountor_auth.token import Token

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Request, Response

DEFAULT_LIFETIME: Final = 3600.0
"""Seconds that an access token lives if the answer and the token itself say nothing: what the vendor documents."""

LONGEST_LIFETIME: Final = 366 * 86_400.0
"""No access token lives longer than this many seconds; an answer that says so is refused."""

LONGEST_WAIT: Final = 86_400.0
"""A `Retry-After` of more seconds than this counts as this much."""

LONGEST_SECRET: Final = 65_536

_SECONDS: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")

_CHECK_HOST: Final = "Check PROCOUNTOR_BASE_URL and PROCOUNTOR_API_VERSION."
_CHECK_CLIENT: Final = "Check PROCOUNTOR_CLIENT_ID and PROCOUNTOR_CLIENT_SECRET."
_TRY_LATER: Final = "Nothing needs to be changed here; try again later."

_TEMPORARY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

_BY_ERROR_CODE: Final[dict[str, type[CredentialsRefused]]] = {
    "invalid_grant": InvalidGrant,
    "invalid_client": InvalidClient,
    "unauthorized_client": InvalidClient,
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, with what a refusal of it means.

    Attributes:
        request: What was sent.
        response: What came back.
        what: The request in words, for the errors, such as `the client credentials grant`.
        hint: What to do if the grant is refused.
    """

    request: Request
    response: Response
    what: str
    hint: str


def read_token(exchange: Exchange, *, strategy: str, asked_at: float, previous: SecretStr | None = None) -> Token:
    """Return the token of an answer.

    Args:
        exchange: The request and its answer.
        strategy: The name of the strategy that asked.
        asked_at: When it asked, in Unix seconds.
        previous: The refresh token to keep if the answer has none.

    Raises:
        CredentialsRefused: The server said no.
        ServiceUnavailable: It can't answer now.
        UnexpectedAnswer: The answer is not one that the protocol knows.
    """
    refuse_errors(exchange)
    token = _token(exchange, strategy, asked_at, previous)
    if isinstance(token, ProcountorAuthError):
        raise token
    return token


def read_api_key(exchange: Exchange) -> SecretStr:
    """Return the API key of an answer of `oauth/key`. Raises what `read_token` raises."""
    refuse_errors(exchange)
    fields = exchange.response.json_object() or {}
    if not _is_credential(fields.get("api_key")):
        fields.clear()
        raise UnexpectedAnswer(f"The answer to {exchange.what} has no API key in it.", hint=_CHECK_HOST)
    return SecretStr(fields["api_key"])


def read_logout(exchange: Exchange) -> None:
    """Accept that a token is no longer valid: the server ended it now, or did not know it any more.

    Raises:
        ServiceUnavailable: The server can't answer now.
        UnexpectedAnswer: It answered something else.
    """
    status = exchange.response.status
    if status != HTTPStatus.UNAUTHORIZED and not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        refuse_errors(exchange)


def refuse_errors(exchange: Exchange) -> None:
    """Raise the error that the answer says, if it says one."""
    error = _error(exchange)
    if error is not None:
        raise error


def is_temporary(status: int) -> bool:
    """Whether a status says that the server can't answer now, and may later."""
    return status in _TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _error(exchange: Exchange) -> ProcountorAuthError | None:
    status = exchange.response.status
    what = exchange.what
    fields = exchange.response.json_object()
    code, said = _refusal(fields or {}, exchange.request)
    if is_temporary(status) or code in _TEMPORARY_CODES:
        return _unavailable(exchange.response, what)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return UnexpectedAnswer(
            f"The server redirected {what} (status {status}). It was not followed: secrets go to the configured "
            "host only.",
            hint=_CHECK_HOST,
        )
    if code is not None or said:
        kind = _BY_ERROR_CODE.get(code or "", CredentialsRefused)
        words = ": ".join(part for part in (code, said) if part)
        refusal = kind(
            f"The server refused {what} (status {status}): {words}.".replace("..", "."),
            hint=_CHECK_CLIENT if kind is InvalidClient else exchange.hint,
        )
        refusal.error = code
        return refusal
    if status == HTTPStatus.OK:
        if fields is None:
            return UnexpectedAnswer(
                f"The server answered {what} with {_kind(exchange.response)} instead of JSON.",
                hint=_CHECK_HOST,
            )
        return None
    if status == HTTPStatus.UNAUTHORIZED:
        return CredentialsRefused(f"The server refused {what} (status {status}).", hint=exchange.hint)
    return UnexpectedAnswer(
        f"The server answered {what} with status {status} and {_kind(exchange.response)}.", hint=_CHECK_HOST
    )


_TEMPORARY_CODES: Final = frozenset({"temporarily_unavailable", "server_error"})

_KNOWN_CODES: Final = frozenset(
    {"invalid_request", "unsupported_grant_type", "invalid_scope", *_BY_ERROR_CODE, *_TEMPORARY_CODES}
)
"""RFC 6749, sections 4.1.2.1 and 5.2."""


def _refusal(fields: dict[str, Any], request: Request) -> tuple[str | None, str]:
    """Read the two shapes of a refusal: the standard's `error`, and the API's own `errors` list."""
    if "error" in fields:
        # A code that the standards know is not a secret, though a short secret may happen to be in it.
        said = fields["error"]
        code = said if isinstance(said, str) and said in _KNOWN_CODES else excerpt(said, request)
        error = OAuth2Error(error=code or "an error without a name")
        return error.error, excerpt(fields.get("error_description"), request)
    listed = fields.get("errors")
    if listed:
        messages = [
            excerpt(entry.get("message"), request)
            for entry in (listed if isinstance(listed, list) else [])
            if isinstance(entry, dict)
        ]
        return None, "; ".join(message for message in messages[:3] if message) or "no reason given"
    return None, ""


def _unavailable(response: Response, what: str) -> ServiceUnavailable:
    status = HTTPStatus.SERVICE_UNAVAILABLE if response.status < HTTPStatus.BAD_REQUEST else response.status
    wait = retry_after(response.header("retry-after"), response.header("date"))
    reason = "too many requests" if status == HTTPStatus.TOO_MANY_REQUESTS else "the service is unavailable"
    error = ServiceUnavailable(
        f"The server can't answer {what} now (status {status}: {reason}).",
        hint=_TRY_LATER if wait is None else f"It asks to wait {wait:.0f} seconds before the next try.",
    )
    error.retry_after = wait
    return error


def retry_after(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds that a `Retry-After` header asks to wait (RFC 9110, section 10.2.3), or None.

    A date is compared with the answer's own `Date`, so that a wrong clock here does not matter. Nonsense is None,
    the past is 0, and more than a day is a day.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), LONGEST_WAIT)
    try:
        until, now = parsedate_to_datetime(value), parsedate_to_datetime(date or "")
        wait = (until - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)


def _token(
    exchange: Exchange, strategy: str, asked_at: float, previous: SecretStr | None
) -> Token | ProcountorAuthError:
    fields = exchange.response.json_object() or {}
    what = f"The answer to {exchange.what}"
    if not _is_credential(fields.get("access_token")):
        return UnexpectedAnswer(f"{what} has no usable access token.", hint=_CHECK_HOST)
    token_type = fields.get("token_type")
    if token_type is not None and (not isinstance(token_type, str) or token_type.lower() != "bearer"):
        return UnexpectedAnswer(f"{what} has a token of an unknown type.", hint=_CHECK_HOST)
    refresh_token = fields.get("refresh_token")
    if refresh_token in (None, ""):
        refresh_token = previous.get_secret_value() if previous else None
    elif not _is_credential(refresh_token):
        return UnexpectedAnswer(f"{what} has an unusable refresh token.", hint=_CHECK_HOST)
    lifetime = _lifetime(fields)
    if lifetime is None:
        return UnexpectedAnswer(
            f"{what} has an `expires_in` that is not a number of seconds that a token can live.",
            hint=_CHECK_HOST,
        )
    parsed = _authlib_reads(fields, asked_at + lifetime)
    ending = read_ending(exchange.response.combined) or Ending()
    return Token(
        access_token=parsed["access_token"],
        issued_at=asked_at,
        expires_at=asked_at + lifetime,
        strategy=strategy,
        refresh_token=refresh_token,
        deprecated_at=ending.deprecated_at,
        sunset_at=ending.sunset_at,
    )


def _authlib_reads(fields: dict[str, Any], expires_at: float) -> dict[str, Any]:
    # Authlib counts from the machine's clock; ours is passed in, so it is told the result.
    token: dict[str, Any] = OAuth2Token.from_dict({**fields, "expires_at": expires_at})  # type: ignore[no-untyped-call]
    return token


def _is_credential(value: object) -> bool:
    """Whether it can stand in a header or a form (RFC 6750, section 2.1): visible ASCII, no white space."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_SECRET
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )


def _lifetime(fields: dict[str, Any]) -> float | None:
    """Return the seconds that the access token lives, or None for an impossible `expires_in`."""
    expires_in = fields.get("expires_in")
    if expires_in is None:
        claims = unverified_claims(fields["access_token"])
        issued, expiry = claims.get("iat"), claims.get("exp")
        if not (isinstance(issued, int) and isinstance(expiry, int) and 0 < expiry - issued <= LONGEST_LIFETIME):
            return DEFAULT_LIFETIME
        return float(expiry - issued)
    if isinstance(expires_in, str):
        # `float` alone would take "3_600", " 3600" and the digits of other scripts.
        expires_in = float(expires_in) if _SECONDS.fullmatch(expires_in) else None
    if not isinstance(expires_in, int | float) or isinstance(expires_in, bool):
        return None
    # Compared before it is converted: an integer may be too large for a float.
    if not 0 < expires_in <= LONGEST_LIFETIME or not math.isfinite(expires_in):
        return None
    return float(expires_in)


def _kind(response: Response) -> str:
    if response.is_html:
        return "a web page"
    return "an empty body" if not response.body.strip() else "something unreadable"
