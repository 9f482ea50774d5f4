"""The caller: the user and company of a request's access token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.sandbox.behaviour.faults import API_VERSION
from procountor_auth.sandbox.web.notes import note_refusal
from procountor_auth.sandbox.web.responses import json_error
from procountor_auth.sandbox.web.token_refusal import why_not_access_token

if TYPE_CHECKING:
    import flask

    from procountor_auth.sandbox.state.directory import Company, User
    from procountor_auth.sandbox.state.service import Service

API_BASE: Final = rf"(?:/(?:{API_VERSION}))?/api"
"""A pattern for the beginning of the API's paths."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The user and the company that a token is for."""

    claims: dict[str, Any]
    user: User
    company: Company


def caller_of(service: Service, request: flask.Request) -> Caller | None:
    """Return the owner of a request's token, or None if it is missing, invalid, expired or logged out."""
    # Only the header counts: a token in the query string is rejected like a missing one.
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        note_refusal("There is no access token in the header Authorization.")
        return None
    found = _caller(service, token.strip())
    if found is None:
        note_refusal(why_not_access_token(service, token.strip()))
    return found


def _caller(service: Service, token: str) -> Caller | None:
    claims = service.token_issuer.read(token, "access")
    if claims is None:
        return None
    user = service.world.directory.user(int(claims["sub"]))
    company = service.world.directory.company(claims["cid"])
    if user is None or company is None or not service.world.directory.has_access(user.id, company.id):
        return None
    if service.world.sessions.is_logged_out(claims["jti"]):
        return None
    return Caller(claims, user, company)


def forbidden() -> flask.Response:
    """Return the response to a user without the right."""
    message = "The user has no right to this in the company."
    note_refusal(message)
    return json_error(403, message)


def unauthorized() -> flask.Response:
    """Return the response to a request without a valid token."""
    response = json_error(401, "The access token is missing, invalid or expired.")
    response.headers["WWW-Authenticate"] = "Bearer"
    return response
