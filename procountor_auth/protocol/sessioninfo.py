"""Whom a token is for, as the API says: `GET sessioninfo`, the authoritative way to learn the company [C]."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ProcountorAuthError, UnexpectedResponse
from procountor_auth.protocol.claims import read_id
from procountor_auth.protocol.error_response import Reply, is_temporary, refuse_errors
from procountor_auth.protocol.flow import Repeat, Request
from procountor_auth.protocol.redaction import safe_excerpt

if TYPE_CHECKING:
    from procountor_auth.protocol.endpoints import Endpoints
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token

_NO_RIGHTS: Final = "Check in Procountor that the token's user may use the API in this company."


@dataclass(frozen=True, slots=True)
class Session:
    """Whom the API takes the bearer of a token for.

    Attributes:
        company_id: The number of the company.
        company_name: Its name, if the response has one. It comes from the server: show it, don't run it.
        user_id: The number of the user, if the response has one.
        user_name: The user's name, if the response has one.
    """

    company_id: int
    company_name: str | None = None
    user_id: int | None = None
    user_name: str | None = None


def read_session(endpoints: Endpoints, token: Token) -> Flow[Session]:
    """Request from the API whom a token is for.

    Raises:
        CredentialsRefused: The token is rejected (401), or its user has no right to this (403).
        UnexpectedResponse: The response names no company.
        ProcountorAuthError: Whatever else goes wrong.
    """
    request = Request("GET", f"{endpoints.api}/sessioninfo", bearer=token.access_token, repeat=Repeat.SAFE)
    response = yield request
    found = _session(Reply(request, response, "GET sessioninfo", _NO_RIGHTS))
    if isinstance(found, ProcountorAuthError):
        raise found
    return found


def may_get(endpoints: Endpoints, token: Token, path: str) -> Flow[bool]:
    """Return whether the token's user may read a resource of the API: whether `GET path` is answered with 2xx.

    Args:
        endpoints: The host.
        token: The token.
        path: The resource, relative to the API's base, such as `users`.

    Raises:
        ServiceUnavailable: The server can't serve the request now.
        ProcountorAuthError: Whatever else kept the response from coming.
    """
    request = Request("GET", f"{endpoints.api}/{path}", bearer=token.access_token, repeat=Repeat.SAFE)
    response = yield request
    if is_temporary(response.status):
        refuse_errors(Reply(request, response, f"GET {path}", _NO_RIGHTS))
    return HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES


def _session(reply: Reply) -> Session | ProcountorAuthError:
    refuse_errors(reply)
    fields = reply.response.json_object() or {}
    company = read_id(fields.get("companyId"))
    if company is None:
        return UnexpectedResponse(
            "The answer to GET sessioninfo names no company.", hint="Check PROCOUNTOR_BASE_URL and the API's version."
        )
    return Session(
        company,
        safe_excerpt(fields.get("name"), reply.request) or None,
        read_id(fields.get("userId")),
        safe_excerpt(fields.get("userName"), reply.request) or None,
    )
