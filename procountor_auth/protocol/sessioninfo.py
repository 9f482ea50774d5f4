"""Reads a token's user and company with `GET sessioninfo`, the authoritative source for the company."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ProcountorAuthError, UnexpectedResponse
from procountor_auth.protocol.availability import is_temporary
from procountor_auth.protocol.claims import read_id
from procountor_auth.protocol.flow import Repeat, Request
from procountor_auth.protocol.redaction import safe_excerpt
from procountor_auth.protocol.reply import Reply
from procountor_auth.protocol.success import refuse_errors

if TYPE_CHECKING:
    from procountor_auth.protocol.endpoints import Endpoints
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token

_NO_RIGHTS: Final = "Check in Procountor that the token's user may use the API in this company."


@dataclass(frozen=True, slots=True)
class Session:
    """The user and company of a token, according to the API.

    Attributes:
        company_id: The company's ID.
        company_name: Its name, if the response has one. It comes from the server: only display it.
        user_id: The user's ID, if the response has one.
        user_name: The user's name, if the response has one.
    """

    company_id: int
    company_name: str | None = None
    user_id: int | None = None
    user_name: str | None = None


def read_session(endpoints: Endpoints, token: Token) -> Flow[Session]:
    """Request a token's user and company from the API.

    Raises:
        CredentialsRefused: The token is rejected (401), or its user lacks the permission (403).
        UnexpectedResponse: The response names no company.
        ProcountorAuthError: Any other failure.
    """
    request = Request("GET", f"{endpoints.api}/sessioninfo", bearer=token.access_token, repeat=Repeat.SAFE)
    response = yield request
    found = _session(Reply(request, response, "GET sessioninfo", _NO_RIGHTS))
    if isinstance(found, ProcountorAuthError):
        raise found
    return found


def may_get(endpoints: Endpoints, token: Token, path: str) -> Flow[bool]:
    """Return whether the token's user may read a resource of the API: whether the status of `GET path` is 2xx.

    Args:
        endpoints: The host.
        token: The token.
        path: The resource, relative to the API's base, such as `users`.

    Raises:
        ServiceUnavailable: The server can't serve the request at the moment.
        ProcountorAuthError: There was no response for another reason.
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
            "The response to GET sessioninfo names no company.",
            hint="Check PROCOUNTOR_BASE_URL and PROCOUNTOR_API_VERSION.",
        )
    return Session(
        company,
        safe_excerpt(fields.get("name"), reply.request) or None,
        read_id(fields.get("userId")),
        safe_excerpt(fields.get("userName"), reply.request) or None,
    )
