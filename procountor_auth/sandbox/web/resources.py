"""The resources behind a bearer token: ``sessioninfo``, ``users`` and ``logout``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flask

from .responses import json_error

if TYPE_CHECKING:
    from procountor_auth.sandbox.state.directory import Company, User
    from procountor_auth.sandbox.state.service import Service


@dataclass(frozen=True, slots=True)
class _Caller:
    claims: dict[str, Any]
    user: User
    company: Company


def blueprint(service: Service) -> flask.Blueprint:
    """Return the API resources, relative to an API base."""
    routes = flask.Blueprint("resources", __name__)

    @routes.get("/sessioninfo")
    def sessioninfo() -> flask.Response:
        caller = _caller(service)
        if caller is None:
            return _unauthorized()
        if not service.world.directory.may_read(caller.user.id, caller.company.id, "sessioninfo"):
            return _forbidden()
        return flask.jsonify(
            companyId=caller.company.id,
            name=caller.company.name,
            country=caller.company.country,
            productVersion="sandbox",
            userId=caller.user.id,
            userName=caller.user.name,
        )

    @routes.get("/users")
    def users() -> flask.Response:
        caller = _caller(service)
        if caller is None:
            return _unauthorized()
        if not service.world.directory.may_read(caller.user.id, caller.company.id, "users"):
            return _forbidden()
        return flask.jsonify(userId=caller.user.id, userName=caller.user.name)

    return routes


def logout_blueprint(service: Service) -> flask.Blueprint:
    """Return ``POST logout``, relative to the host."""
    routes = flask.Blueprint("logout", __name__)

    @routes.post("/logout")
    def logout() -> flask.Response:
        caller = _caller(service)
        if caller is None:
            return _unauthorized()
        service.world.sessions.log_out(caller.claims)
        return flask.Response(status=204)

    return routes


def _caller(service: Service) -> _Caller | None:
    # Only the header counts: a token in the query string is refused like a missing one.
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    claims = service.token_issuer.read(token.strip(), "access")
    if claims is None:
        return None
    user = service.world.directory.user(int(claims["sub"]))
    company = service.world.directory.company(claims["cid"])
    if user is None or company is None or not service.world.directory.has_access(user.id, company.id):
        return None
    if service.world.sessions.is_logged_out(claims["jti"]):
        return None
    return _Caller(claims, user, company)


def _forbidden() -> flask.Response:
    return json_error(403, "The user has no right to this in the company.")


def _unauthorized() -> flask.Response:
    response = json_error(401, "The access token is missing, invalid or expired.")
    response.headers["WWW-Authenticate"] = "Bearer"
    return response
