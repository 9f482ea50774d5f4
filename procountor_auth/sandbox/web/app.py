"""The application: every endpoint of the sandbox, at every path that clients use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from procountor_auth.sandbox.behaviour.faults import API_VERSION, area_of

from . import administration, dashboard, fault_injection, resources
from . import login_pages as pages
from . import oauth_endpoints as endpoints
from .oauth_server import parameters
from .responses import json_error

if TYPE_CHECKING:
    from procountor_auth.sandbox.state.service import Service

_ADMINISTRATION = f"{administration.PREFIX}/"


class _ApiVersion(BaseConverter):
    regex = API_VERSION


def create_app(service: Service) -> flask.Flask:
    """Return the WSGI application of one sandbox."""
    app = flask.Flask(__name__, static_folder=None)
    in_order = DefaultJSONProvider(app)
    in_order.sort_keys = False
    app.json = in_order
    # Clients call with and without a trailing slash; a redirect would turn their POST into something else.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters["api_version"] = _ApiVersion

    api = flask.Blueprint("api", __name__)
    api.register_blueprint(endpoints.blueprint(service))
    api.register_blueprint(resources.blueprint(service))
    app.register_blueprint(api, url_prefix="/api")
    app.register_blueprint(api, url_prefix="/<api_version:version>/api", name="versioned")
    logout = resources.logout_blueprint(service)
    app.register_blueprint(logout)
    app.register_blueprint(logout, url_prefix="/<api_version:version>", name="versioned_logout")
    app.register_blueprint(pages.blueprint(service))

    @app.url_value_preprocessor
    def drop_version(_endpoint: str | None, values: dict[str, object] | None) -> None:
        # Every version of the API authenticates alike: the endpoints need not know which one was requested.
        if values:
            values.pop("version", None)

    app.register_blueprint(administration.blueprint(service))
    app.register_blueprint(dashboard.blueprint(service))

    _add_hooks(app, service)
    return app


def _add_hooks(app: flask.Flask, service: Service) -> None:
    @app.before_request
    def receive() -> flask.Response | None:
        request, g = flask.request, flask.g
        g.at = service.true_time()
        g.is_administration = request.path.startswith(_ADMINISTRATION) or request.path == administration.PREFIX
        if g.is_administration:
            return administration.guard(service)
        g.area = area_of(request.path)
        if g.area in {"token", "oauth"}:
            # Now: a fault may answer instead of the endpoint.
            g.grant_type = parameters(request).get("grant_type")
        return fault_injection.inject_faults(service, g.area)

    @app.after_request
    def send(response: flask.Response) -> flask.Response:
        response.headers.setdefault("Cache-Control", "no-store")
        request, g = flask.request, flask.g
        # Looking at the log leaves it as it is.
        if g.is_administration:
            return response
        if g.area is not None:
            for name, value in service.faults.announcements():
                response.headers[name] = value
        service.log.add(
            method=request.method,
            path=request.path,
            status=0 if g.get("is_lost") else response.status_code,
            grant_type=g.get("grant_type"),
            at=g.at,
            # The page that a redirect leads to has the code in its address, as the standard wants it.
            query_names=[] if request.endpoint == "pages.copy_address" else request.args,
            fault=g.get("fault"),
        )
        return response

    @app.errorhandler(HTTPException)
    def explain(error: HTTPException) -> flask.Response:
        response = json_error(error.code or 500, error.name)
        if error.get_response().headers.get("Allow"):
            response.headers["Allow"] = error.get_response().headers["Allow"]
        return response
