"""The application: every endpoint of the sandbox, at every path that clients use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import flask
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map

from procountor_auth.sandbox.behaviour.faults import API_VERSION, area_of

from . import administration, dashboard, fault_injection, resources
from . import login_pages as pages
from . import oauth_endpoints as endpoints
from .notes import note_refusal
from .oauth_server import parameters
from .ownership import owner_of
from .request_recorder import is_listed, record
from .responses import json_error
from .routes import route_answer

if TYPE_CHECKING:
    from werkzeug.routing import RuleFactory

    from procountor_auth.sandbox.client_settings import ClientSettings
    from procountor_auth.sandbox.state.service import Service

_ADMINISTRATION = f"{administration.PREFIX}/"


class _ApiVersion(BaseConverter):
    regex = API_VERSION


class _Rules(Map):
    """The rules of all sandboxes of this process: they are equal, and compiling them takes most of the start."""

    def __init__(self) -> None:
        # Clients call with and without a trailing slash; a redirect would turn their POST into something else.
        super().__init__(strict_slashes=False, merge_slashes=False, converters={"api_version": _ApiVersion})
        self.is_complete = False

    def add(self, rulefactory: RuleFactory) -> None:
        """Add a rule of the first sandbox; those of all others are there already."""
        if not self.is_complete:
            super().add(rulefactory)


_RULES: Final = _Rules()
_RULES_LOCK: Final = threading.Lock()


class _App(flask.Flask):
    def __init__(self) -> None:
        super().__init__(__name__, static_folder=None)
        self.url_map = _RULES


def create_app(service: Service, client_settings: ClientSettings) -> flask.Flask:
    """Return the WSGI application of one sandbox.

    Args:
        service: The state of the sandbox.
        client_settings: The settings that the dashboard shows to developers.
    """
    app = _App()
    in_order = DefaultJSONProvider(app)
    in_order.sort_keys = False
    app.json = in_order
    with _RULES_LOCK:
        _add_endpoints(app, service, client_settings)
        _RULES.is_complete = True
    _add_hooks(app, service)
    return app


def _add_endpoints(app: flask.Flask, service: Service, client_settings: ClientSettings) -> None:
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
        # Every version of the API authenticates in the same way: the endpoints ignore the version.
        if values:
            values.pop("version", None)

    app.register_blueprint(administration.blueprint(service))
    app.register_blueprint(dashboard.blueprint(service, client_settings))


def _add_hooks(app: flask.Flask, service: Service) -> None:
    @app.before_request
    def receive() -> flask.Response | None:
        return _receive(service, flask.request)

    @app.after_request
    def send(response: flask.Response) -> flask.Response:
        response.headers.setdefault("Cache-Control", "no-store")
        # Reading the log does not change it.
        if not flask.g.is_administration:
            _announce(service, response)
            record(service, response)
        return response

    @app.errorhandler(HTTPException)
    def explain(error: HTTPException) -> flask.Response:
        note_refusal(error.name)
        response = json_error(error.code or 500, error.name)
        if error.get_response().headers.get("Allow"):
            response.headers["Allow"] = error.get_response().headers["Allow"]
        return response


def _receive(service: Service, request: flask.Request) -> flask.Response | None:
    g = flask.g
    g.at = service.true_time()
    g.is_administration = request.path.startswith(_ADMINISTRATION) or request.path == administration.PREFIX
    if g.is_administration:
        return administration.guard(service)
    g.area = area_of(request.path)
    if not is_listed(request):
        return None
    if g.area in {"token", "oauth"}:
        # Now: a fault may replace the endpoint's response.
        g.grant_type = parameters(request).get("grant_type")
    # Now: a code is invalid once it is used.
    g.owner = owner_of(service, request)
    faulty = fault_injection.inject_faults(service, g.area)
    if faulty is not None:
        return faulty
    routed = route_answer(service, request)
    g.is_routed = routed is not None
    return routed


def _announce(service: Service, response: flask.Response) -> None:
    if flask.g.area is not None:
        for name, value in service.faults.announcements():
            response.headers[name] = value
