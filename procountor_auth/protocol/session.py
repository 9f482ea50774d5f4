"""Asking the API whom a token is for: `GET sessioninfo`, the authoritative way to learn the company [C]."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ProcountorAuthError, UnexpectedAnswer
from procountor_auth.protocol.answer import Exchange, is_temporary, refuse_errors
from procountor_auth.protocol.excerpt import excerpt
from procountor_auth.protocol.flow import Repeat, Request

if TYPE_CHECKING:
    from procountor_auth.protocol.endpoints import Endpoints
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.token import Token

_NO_RIGHTS: Final = "Check in Procountor that the token's user may use the API in this company."

_LONGEST_ID: Final = 18


@dataclass(frozen=True, slots=True)
class Session:
    """Whom the API takes the bearer of a token for.

    Attributes:
        company_id: The number of the company.
        company_name: Its name, if the answer has one. It comes from the server: show it, don't run it.
        user_id: The number of the user, if the answer has one.
        user_name: The user's name, if the answer has one.
    """

    company_id: int
    company_name: str | None = None
    user_id: int | None = None
    user_name: str | None = None


def read_session(endpoints: Endpoints, token: Token) -> Flow[Session]:
    """Ask the API whom a token is for.

    Raises:
        CredentialsRefused: The token is not taken (401), or its user has no right to ask (403).
        UnexpectedAnswer: The answer names no company.
        ProcountorAuthError: Whatever else goes wrong.
    """
    request = Request("GET", f"{endpoints.api}/sessioninfo", bearer=token.access_token, repeat=Repeat.SAFE)
    response = yield request
    found = _session(Exchange(request, response, "GET sessioninfo", _NO_RIGHTS))
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
        ServiceUnavailable: The server can't answer now.
        ProcountorAuthError: Whatever else kept the answer from coming.
    """
    request = Request("GET", f"{endpoints.api}/{path}", bearer=token.access_token, repeat=Repeat.SAFE)
    response = yield request
    if is_temporary(response.status):
        refuse_errors(Exchange(request, response, f"GET {path}", _NO_RIGHTS))
    return HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES


def _session(exchange: Exchange) -> Session | ProcountorAuthError:
    refuse_errors(exchange)
    fields = exchange.response.json_object() or {}
    company = _number(fields.get("companyId"))
    if company is None:
        return UnexpectedAnswer(
            "The answer to GET sessioninfo names no company.", hint="Check PROCOUNTOR_BASE_URL and the API's version."
        )
    return Session(
        company,
        excerpt(fields.get("name"), exchange.request) or None,
        _number(fields.get("userId")),
        excerpt(fields.get("userName"), exchange.request) or None,
    )


def _number(value: object) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID else None
