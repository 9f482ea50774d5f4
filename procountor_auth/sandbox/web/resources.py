"""The resources behind a bearer token: ``sessioninfo``, ``users`` and ``logout``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask

from .caller import caller_of, forbidden, unauthorized

if TYPE_CHECKING:
    from procountor_auth.sandbox.state.service import Service


def blueprint(service: Service) -> flask.Blueprint:
    """Return the API resources, relative to an API base."""
    routes = flask.Blueprint("resources", __name__)

    @routes.get("/sessioninfo")
    def sessioninfo() -> flask.Response:
        caller = caller_of(service, flask.request)
        if caller is None:
            return unauthorized()
        if not service.world.directory.may_read(caller.user.id, caller.company.id, "sessioninfo"):
            return forbidden()
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
        caller = caller_of(service, flask.request)
        if caller is None:
            return unauthorized()
        if not service.world.directory.may_read(caller.user.id, caller.company.id, "users"):
            return forbidden()
        first, _, last = caller.user.name.partition(" ")
        return flask.jsonify(
            id=caller.user.id,
            username=caller.user.username,
            companyId=caller.company.id,
            countryCode=caller.company.country,
            firstName=first,
            lastName=last,
            email=caller.user.username,
            loginMethod="PASSWORD",
        )

    return routes


def logout_blueprint(service: Service) -> flask.Blueprint:
    """Return ``POST logout``, relative to the host."""
    routes = flask.Blueprint("logout", __name__)

    @routes.post("/logout")
    def logout() -> flask.Response:
        caller = caller_of(service, flask.request)
        if caller is None:
            return unauthorized()
        service.world.sessions.log_out(caller.claims)
        return flask.Response(status=204)

    return routes
