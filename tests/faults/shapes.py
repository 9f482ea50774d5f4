"""Refusals in the service's two shapes: `{"error": …}` as in RFC 6749, and `{"errors": […]}` as in the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from procountor_auth.errors import (
    CredentialsRefused,
    InvalidClient,
    InvalidGrant,
    ServiceUnavailable,
    UnexpectedResponse,
)

from .acts import GOOD, answer, errors
from .fault import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .acts import Act
    from .server import Visit

_GRANT: Final = Refused(InvalidGrant, login=True)
_UNCLEAR: Final = Refused(CredentialsRefused, login=True)
_NO_LOGIN: Final = Refused(CredentialsRefused)
"""Refused, but not because of the refresh token: a new login would be refused in the same way."""

_CLIENT: Final = Refused(InvalidClient)
_WAITS: Final = Refused(ServiceUnavailable, retryable=True)
_DOWN: Final = Refused(ServiceUnavailable, retryable=True, safe=3, once=1)
_BUSY: Final = Refused(ServiceUnavailable, retryable=True, safe=3, once=3)


def _oauth(_: int, code: str) -> Mapping[str, Any]:
    return {"error": code}


_SHAPES: Final[tuple[tuple[str, Callable[[int, str], Mapping[str, Any]]], ...]] = (("oauth", _oauth), ("api", errors))

_CODES: Final = (
    (400, "invalid_client", _CLIENT),
    (400, "invalid_request", _NO_LOGIN),
    (400, "unauthorized_client", _CLIENT),
    (400, "unsupported_grant_type", _NO_LOGIN),
    (400, "invalid_scope", _NO_LOGIN),
    (400, "server_error", _WAITS),
    (400, "temporarily_unavailable", _WAITS),
    (401, "invalid_grant", _GRANT),
    (403, "invalid_grant", _GRANT),
    (429, "invalid_grant", _BUSY),
    (500, "invalid_grant", _DOWN),
    (503, "invalid_client", _BUSY),
)
"""What each code means, in either shape: a temporary status outweighs it, any other one does not."""

_LISTED: Final = (
    ("redirect-uri-as-grant", 400, errors(400, "invalid_grant: redirect_uri mismatch"), _NO_LOGIN),
    ("in-words-user-locked", 401, errors(401, "The user account is locked."), _GRANT),
    ("in-words-token-expired", 400, errors(400, "The refresh token has expired."), _UNCLEAR),
    ("in-words-denied", 403, errors(403, "Access denied."), _NO_LOGIN),
    ("in-words-for-now", 403, errors(403, "The service is temporarily unavailable."), _WAITS),
    ("inner-status-503", 400, errors(503, "Sorry."), _WAITS),
    ("inner-status-503-with-a-code", 400, errors(503, "invalid_grant"), _GRANT),
    ("inner-statuses-differ", 400, {"errors": [*errors(503, "a")["errors"], *errors(400, "b")["errors"]]}, _UNCLEAR),
    ("both-shapes", 400, {"error": "invalid_grant", **errors(400, "invalid_client")}, _GRANT),
    ("nulls-beside-it", 400, {"error": None, "error_description": None, **errors(400, "invalid_client")}, _CLIENT),
    ("no-message", 401, {"errors": [{"status": 401}]}, _UNCLEAR),
    ("message-null", 401, {"errors": [{"status": 401, "message": None}]}, _UNCLEAR),
    ("message-of-numbers", 401, {"errors": [{"status": "401", "message": 7}]}, _UNCLEAR),
    ("entry-null", 401, {"errors": [None]}, _UNCLEAR),
    ("entry-text", 401, {"errors": ["invalid_client"]}, _CLIENT),
    ("object", 401, {"errors": {"status": 401, "message": "invalid_client"}}, _CLIENT),
    ("text", 401, {"errors": "invalid_client"}, _CLIENT),
    ("huge-message", 400, errors(400, "invalid_grant " + "x" * 60_000), _GRANT),
    ("many-entries", 400, {"errors": errors(400, "invalid_grant")["errors"] * 1_000}, _GRANT),
)


def _echo(shape: Callable[[int, str], Mapping[str, Any]]) -> Act:
    """Refuse, and repeat all that was sent: as it was, and decoded."""

    def act(visit: Visit) -> None:
        sent = visit.asked.body
        answer(400, shape(400, f"invalid_grant for {sent} and {unquote_plus(sent)}"))(visit)

    return act


SHAPES: Final = (
    *(
        Fault("shape", f"{status}-{code}-{name}", expected, answer(status, shape(status, code)))
        for status, code, expected in _CODES
        for name, shape in _SHAPES
    ),
    *(Fault("shape", f"api-{name}", expected, answer(status, body)) for name, status, body, expected in _LISTED),
    Fault("shape", "api-echo", _GRANT, _echo(errors)),
    Fault(
        "shape",
        "oauth-echo",
        _GRANT,
        _echo(lambda _, text: {"error": "invalid_grant", "error_description": text}),
    ),
)
"""What means the same at both endpoints."""

TOKEN_SHAPES: Final = (
    Fault("shape", "api-404", _NO_LOGIN, answer(404, errors(404, "Not found."))),
    Fault("shape", "api-empty-list", Refused(UnexpectedResponse, login=True), answer(400, {"errors": []})),
    Fault("shape", "api-with-200", _GRANT, answer(200, errors(400, "invalid_grant"))),
    Fault("shape", "api-with-200-for-now", _WAITS, answer(200, errors(503, "Down for maintenance."))),
    Fault("shape", "api-beside-a-token", _GRANT, answer(200, {**GOOD, **errors(400, "invalid_grant")})),
)
