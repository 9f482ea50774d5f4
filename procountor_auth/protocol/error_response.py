"""Reads error responses (RFC 6749, section 5.2) in both formats of the service, and the error pages of gateways."""

from __future__ import annotations

from dataclasses import dataclass, field
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
from procountor_auth.protocol.availability import is_temporary, retry_after
from procountor_auth.protocol.endpoints import CHECK_HOST
from procountor_auth.protocol.json_object import is_json_array, is_json_object
from procountor_auth.protocol.redaction import safe_excerpt
from procountor_auth.protocol.refusal import About
from procountor_auth.protocol.reply import is_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from procountor_auth.protocol.flow import Request, Response
    from procountor_auth.protocol.reply import Reply

_CHECK_CLIENT: Final = "Check PROCOUNTOR_CLIENT_ID and PROCOUNTOR_CLIENT_SECRET."

_OR_THE_CLIENT: Final = "If that is right, check PROCOUNTOR_CLIENT_ID and PROCOUNTOR_CLIENT_SECRET."

_CHECK_REDIRECT_URI: Final = (
    "Check PROCOUNTOR_REDIRECT_URI: it must be exactly the one that is registered for PROCOUNTOR_CLIENT_ID."
)

_TRY_LATER: Final = "You don't need to change anything: try again later."


@dataclass(frozen=True, slots=True)
class _Said:
    """The content of an error response, in either format.

    Attributes:
        code: The standard's `error`, safe to show.
        words: The description, safe to show.
        raw: All of its text, which must not be shown.
        statuses: The statuses in an `errors` list.
    """

    code: str | None
    words: str
    raw: str = field(repr=False)
    statuses: tuple[int, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether it means that the server may serve the request later."""
        code = self.code or refusal.standard_code(self.raw)
        if code in refusal.KNOWN_CODES:
            return code in refusal.TEMPORARY_CODES
        return (bool(self.statuses) and all(map(is_temporary, self.statuses))) or refusal.passes(self.raw)


def error_in(reply: Reply) -> ProcountorAuthError:
    """Return the error for a reply that is not a success."""
    status = reply.response.status
    what = reply.what
    fields = reply.response.json_object()
    said = _said(fields or {}, reply.request)
    if is_temporary(status) or (said is not None and status in refusal.REFUSING and said.passes):
        return _unavailable(reply.response, what)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return UnexpectedResponse(
            f"The server redirected {what} (status {status}). The redirect was not followed, because secrets are sent "
            "only to the configured host.",
            hint=CHECK_HOST,
        )
    if said is not None:
        return _refused(reply, said)
    if status == HTTPStatus.OK:
        return UnexpectedResponse(
            f"The server responded to {what} with {_kind(reply.response)} instead of JSON.", hint=CHECK_HOST
        )
    if status == HTTPStatus.UNAUTHORIZED and reply.response.is_html:
        return CredentialsRefused(f"The server rejected {what} (status {status}).", hint=reply.hint)
    if status == HTTPStatus.UNAUTHORIZED or (
        status == HTTPStatus.BAD_REQUEST and not reply.response.is_html and refusal.refreshes(reply.request)
    ):
        return _refused(reply, _Said(None, "", ""))
    return UnexpectedResponse(
        f"The server responded to {what} with status {status} and {_kind(reply.response)}.", hint=CHECK_HOST
    )


def _refused(reply: Reply, said: _Said) -> CredentialsRefused:
    status = reply.response.status
    meant = said.statuses[0] if status == HTTPStatus.OK and said.statuses else status
    judgement = refusal.judge(meant, said.code, said.raw, reply.request)
    words = ": ".join(part for part in (said.code, said.words) if part)
    message = f"The server rejected {reply.what} (status {status}){': ' if words else ''}{words}."
    error = judgement.kind(message.replace("..", "."), hint=_hint(reply, judgement))
    error.error = said.code or judgement.code
    error.definite = judgement.definite
    return error


def _hint(reply: Reply, judgement: refusal.Judgement) -> str:
    about = judgement.about
    if judgement.kind is InvalidClient:
        return _CHECK_CLIENT
    if about == frozenset({About.REDIRECT_URI}):
        return _CHECK_REDIRECT_URI
    hints = [reply.hint]
    if About.CLIENT in about or (not about and judgement.code is None and refusal.authenticates(reply.request)):
        hints.append(_OR_THE_CLIENT)
    if About.REDIRECT_URI in about:
        hints.append(_CHECK_REDIRECT_URI)
    return " ".join(hints)


def _said(fields: dict[str, Any], request: Request) -> _Said | None:
    """Read an error in either format."""
    if not is_error(fields):
        return None
    listed = fields.get("errors")
    if fields.get("error") is not None or not listed:
        # A standard code is not withheld, even if it happens to contain a short secret.
        said, described = fields.get("error"), fields.get("error_description")
        code = said if isinstance(said, str) and said in refusal.KNOWN_CODES else safe_excerpt(said, request)
        return _Said(
            code or "an error without a name", safe_excerpt(described, request), " ".join(_texts((said, described)))
        )
    # An entry may be its message alone, and the list its only entry: they tell which credential was refused.
    listed = listed if is_json_array(listed) else [listed]
    listed = [{"message": each} if isinstance(each, str) else each for each in listed]
    entries = [each for each in listed if is_json_object(each)]
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
        f"The server can't serve {what} at the moment (status {status}: {reason}).",
        hint=_TRY_LATER if wait is None else f"Wait {wait:.0f} seconds before the next attempt, as it requests.",
    )
    error.retry_after = wait
    return error


def _kind(response: Response) -> str:
    if response.is_html:
        return "a web page"
    return "an empty body" if not response.body.strip() else "something unreadable"
