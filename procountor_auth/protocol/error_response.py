"""The error response (RFC 6749, section 5.2), in the two shapes that the service has, and what gateways say instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import (
    CredentialsRefused,
    InvalidClient,
    ProcountorAuthError,
    ServiceUnavailable,
    UnexpectedResponse,
)
from procountor_auth.protocol import refusal
from procountor_auth.protocol.redaction import safe_excerpt
from procountor_auth.protocol.refusal import About
from procountor_auth.protocol.unpicklable import Unpicklable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from procountor_auth.protocol.flow import Request, Response

MAX_WAIT: Final = 86_400.0
"""A `Retry-After` of more seconds than this counts as this much."""

CHECK_HOST: Final = "Check PROCOUNTOR_BASE_URL and PROCOUNTOR_API_VERSION."

_CHECK_CLIENT: Final = "Check PROCOUNTOR_CLIENT_ID and PROCOUNTOR_CLIENT_SECRET."

_OR_THE_CLIENT: Final = "If that is right, check PROCOUNTOR_CLIENT_ID and PROCOUNTOR_CLIENT_SECRET."

_CHECK_REDIRECT_URI: Final = (
    "Check PROCOUNTOR_REDIRECT_URI: it must be, to the letter, the one that is registered for PROCOUNTOR_CLIENT_ID."
)

_TRY_LATER: Final = "Nothing needs to be changed here; try again later."

_TEMPORARY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

_LASTING: Final = frozenset(
    {
        HTTPStatus.NOT_IMPLEMENTED,
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
        HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED,
    }
)
"""What a server can't do at all, and a network that wants a person to log in first (RFC 6585, section 6)."""


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
    return status in _TEMPORARY or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _LASTING)


@dataclass(frozen=True, slots=True)
class _Said:
    """What an error response says, in either shape.

    Attributes:
        code: The standard's `error`, as it may be repeated.
        words: The rest, as it may be repeated.
        raw: All of its words, for nobody to see.
        statuses: The statuses that an `errors` list has in it.
    """

    code: str | None
    words: str
    raw: str = field(repr=False)
    statuses: tuple[int, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether it says that the server can't serve the request now, and may later."""
        code = self.code or refusal.standard_code(self.raw)
        if code in refusal.KNOWN_CODES:
            return code in refusal.TEMPORARY_CODES
        return (bool(self.statuses) and all(map(is_temporary, self.statuses))) or refusal.passes(self.raw)


def _error(reply: Reply) -> ProcountorAuthError | None:
    status = reply.response.status
    what = reply.what
    fields = reply.response.json_object()
    said = _said(fields or {}, reply.request)
    if is_temporary(status) or (said is not None and status in refusal.REFUSING and said.passes):
        return _unavailable(reply.response, what)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return UnexpectedResponse(
            f"The server redirected {what} (status {status}). It was not followed: secrets go to the configured "
            "host only.",
            hint=CHECK_HOST,
        )
    if said is not None:
        return _refused(reply, said)
    if status == HTTPStatus.OK:
        if fields is None:
            return UnexpectedResponse(
                f"The server answered {what} with {_kind(reply.response)} instead of JSON.",
                hint=CHECK_HOST,
            )
        return None
    if status == HTTPStatus.UNAUTHORIZED and reply.response.is_html:
        return CredentialsRefused(f"The server refused {what} (status {status}).", hint=reply.hint)
    if status == HTTPStatus.UNAUTHORIZED or (
        status == HTTPStatus.BAD_REQUEST and not reply.response.is_html and refusal.refreshes(reply.request)
    ):
        return _refused(reply, _Said(None, "", ""))
    return UnexpectedResponse(
        f"The server answered {what} with status {status} and {_kind(reply.response)}.", hint=CHECK_HOST
    )


def _refused(reply: Reply, said: _Said) -> CredentialsRefused:
    status = reply.response.status
    meant = said.statuses[0] if status == HTTPStatus.OK and said.statuses else status
    judgement = refusal.judge(meant, said.code, said.raw, reply.request)
    words = ": ".join(part for part in (said.code, said.words) if part)
    message = f"The server refused {reply.what} (status {status}){': ' if words else ''}{words}."
    error = judgement.kind(message.replace("..", "."), hint=_hint(reply, judgement))
    error.error = said.code or judgement.code
    error.definite = judgement.definite
    return error


def _hint(reply: Reply, judgement: refusal.Judgement) -> str:
    about = judgement.about
    if judgement.kind is InvalidClient:
        return _CHECK_CLIENT
    if about == {About.REDIRECT_URI}:
        return _CHECK_REDIRECT_URI
    hints = [reply.hint]
    if About.CLIENT in about or (not about and judgement.code is None and refusal.authenticates(reply.request)):
        hints.append(_OR_THE_CLIENT)
    if About.REDIRECT_URI in about:
        hints.append(_CHECK_REDIRECT_URI)
    return " ".join(hints)


def _said(fields: dict[str, Any], request: Request) -> _Said | None:
    """Read the two shapes of an error: the standard's `error`, and the API's own `errors` list."""
    if "error" in fields:
        # A code that the standards know is not a secret, though a short secret may happen to be in it.
        said, described = fields["error"], fields.get("error_description")
        code = said if isinstance(said, str) and said in refusal.KNOWN_CODES else safe_excerpt(said, request)
        return _Said(
            code or "an error without a name", safe_excerpt(described, request), " ".join(_texts((said, described)))
        )
    listed = fields.get("errors")
    if not listed:
        return None
    entries = [each for each in (listed if isinstance(listed, list) else []) if isinstance(each, dict)]
    messages = [message for each in entries if (message := safe_excerpt(each.get("message"), request))]
    return _Said(
        None,
        "; ".join(messages[:3]) or "no reason given",
        " ".join(_texts(each.get("message") for each in entries)),
        tuple(each["status"] for each in entries if type(each.get("status")) is int),
    )


def _texts(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


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

    A date is compared with the response's own `Date`, so that a wrong clock here does not matter; where a gateway sends
    none, with this clock. Nonsense is None, the past is 0, and more than a day is a day.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), MAX_WAIT)
    try:
        until = parsedate_to_datetime(value)
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        wait = (until - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), MAX_WAIT)


def _kind(response: Response) -> str:
    if response.is_html:
        return "a web page"
    return "an empty body" if not response.body.strip() else "something unreadable"
