"""The error response (RFC 6749, section 5.2), in the two shapes that the service has, and what gateways say instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from authlib.oauth2.base import OAuth2Error

from procountor_auth.errors import (
    CredentialsRefused,
    InvalidClient,
    InvalidGrant,
    ProcountorAuthError,
    ServiceUnavailable,
    UnexpectedResponse,
)
from procountor_auth.protocol.redaction import safe_excerpt
from procountor_auth.protocol.unpicklable import Unpicklable

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Request, Response

MAX_WAIT: Final = 86_400.0
"""A `Retry-After` of more seconds than this counts as this much."""

CHECK_HOST: Final = "Check PROCOUNTOR_BASE_URL and PROCOUNTOR_API_VERSION."

_CHECK_CLIENT: Final = "Check PROCOUNTOR_CLIENT_ID and PROCOUNTOR_CLIENT_SECRET."

_TRY_LATER: Final = "Nothing needs to be changed here; try again later."

_TEMPORARY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

_BY_ERROR_CODE: Final[dict[str, type[CredentialsRefused]]] = {
    "invalid_grant": InvalidGrant,
    "invalid_client": InvalidClient,
    "unauthorized_client": InvalidClient,
}

_REFUSING: Final = frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""Statuses with which a server refuses: those of RFC 6749, section 5.2, and two that servers have used instead."""

_ABOUT_CREDENTIALS: Final = re.compile(
    r"\b(invalid|incorrect|wrong|unknown|expired|revoked|denied|unauthori[sz]ed"
    r"|not (valid|found|allowed|authori[sz]ed))(\b|_)",
    re.IGNORECASE,
)
"""What the API's own shape, which has no codes, says of credentials [C]; not that something is being maintained."""

_TEMPORARY_CODES: Final = frozenset({"temporarily_unavailable", "server_error"})

_KNOWN_CODES: Final = frozenset(
    {"invalid_request", "unsupported_grant_type", "invalid_scope", *_BY_ERROR_CODE, *_TEMPORARY_CODES}
)
"""RFC 6749, sections 4.1.2.1 and 5.2."""


@dataclass(frozen=True, slots=True)
class Reply(Unpicklable):
    """One request and its response, with what a rejection of it means.

    Attributes:
        request: What was sent.
        response: What came back.
        what: The request in words, for the errors, such as `the client credentials grant`.
        hint: What to do if the grant is rejected.
    """

    request: Request
    response: Response
    what: str
    hint: str


def refuse_errors(reply: Reply) -> None:
    """Raise the error that the response is, if it is one."""
    error = _error(reply)
    if error is not None:
        raise error


def is_temporary(status: int) -> bool:
    """Whether a status says that the server can't serve the request now, and may later."""
    return status in _TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _error(reply: Reply) -> ProcountorAuthError | None:
    status = reply.response.status
    what = reply.what
    fields = reply.response.json_object()
    code, said = _refusal(fields or {}, reply.request)
    if is_temporary(status) or code in _TEMPORARY_CODES:
        return _unavailable(reply.response, what)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return UnexpectedResponse(
            f"The server redirected {what} (status {status}). It was not followed: secrets go to the configured "
            "host only.",
            hint=CHECK_HOST,
        )
    if code is not None or said:
        refusing = status in _REFUSING
        kind = _BY_ERROR_CODE.get(code or "", CredentialsRefused) if refusing else CredentialsRefused
        words = ": ".join(part for part in (code, said) if part)
        refusal = kind(
            f"The server refused {what} (status {status}): {words}.".replace("..", "."),
            hint=_CHECK_CLIENT if kind is InvalidClient else reply.hint,
        )
        refusal.error = code
        if code is None:
            refusal.definite = refusing and _ABOUT_CREDENTIALS.search(said) is not None
        return refusal
    if status == HTTPStatus.OK:
        if fields is None:
            return UnexpectedResponse(
                f"The server answered {what} with {_kind(reply.response)} instead of JSON.",
                hint=CHECK_HOST,
            )
        return None
    if status == HTTPStatus.UNAUTHORIZED:
        return CredentialsRefused(f"The server refused {what} (status {status}).", hint=reply.hint)
    return UnexpectedResponse(
        f"The server answered {what} with status {status} and {_kind(reply.response)}.", hint=CHECK_HOST
    )


def _refusal(fields: dict[str, Any], request: Request) -> tuple[str | None, str]:
    """Read the two shapes of a rejection: the standard's `error`, and the API's own `errors` list."""
    if "error" in fields:
        # A code that the standards know is not a secret, though a short secret may happen to be in it.
        said = fields["error"]
        code = said if isinstance(said, str) and said in _KNOWN_CODES else safe_excerpt(said, request)
        error = OAuth2Error(error=code or "an error without a name")
        return error.error, safe_excerpt(fields.get("error_description"), request)
    listed = fields.get("errors")
    if listed:
        messages = [
            safe_excerpt(entry.get("message"), request)
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
    """Return the seconds that a `Retry-After` header demands to wait (RFC 9110, section 10.2.3), or None.

    A date is compared with the response's own `Date`, so that a wrong clock here does not matter. Nonsense is None,
    the past is 0, and more than a day is a day.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), MAX_WAIT)
    try:
        until, now = parsedate_to_datetime(value), parsedate_to_datetime(date or "")
        wait = (until - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), MAX_WAIT)


def _kind(response: Response) -> str:
    if response.is_html:
        return "a web page"
    return "an empty body" if not response.body.strip() else "something unreadable"
