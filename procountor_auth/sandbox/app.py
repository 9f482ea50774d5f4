"""The application: every endpoint of the sandbox, at every path that clients use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from . import endpoints, pages, resources
from .gateway import json_error

if TYPE_CHECKING:
    from .service import Service

_ADMINISTRATION = "/_sandbox/"


class _ApiVersion(BaseConverter):
    regex = r"latest|supported|v\d{4}"


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
    app.register_blueprint(resources.logout_blueprint(service))
    app.register_blueprint(pages.blueprint(service))

    @app.url_value_preprocessor
    def drop_version(_endpoint: str | None, values: dict[str, object] | None) -> None:
        # Every version of the API authenticates alike: the endpoints need not know which one was asked.
        if values:
            values.pop("version", None)

    @app.get(f"{_ADMINISTRATION}log")
    def log() -> flask.Response:
        return flask.jsonify(service.log.entries())

    @app.post(f"{_ADMINISTRATION}log/clear")
    def clear_log() -> flask.Response:
        service.log.clear()
        return flask.Response(status=204)

    @app.before_request
    def note_arrival() -> None:
        flask.g.at = service.clock()

    @app.after_request
    def write_log(response: flask.Response) -> flask.Response:
        response.headers.setdefault("Cache-Control", "no-store")
        request = flask.request
        # Looking at the log leaves it as it is.
        if not request.path.startswith(_ADMINISTRATION):
            service.log.add(
                method=request.method,
                path=request.path,
                status=response.status_code,
                grant_type=flask.g.get("grant_type"),
                at=flask.g.get("at") or service.clock(),
                # The page that a redirect ends at has the code in its address, as the standard wants it.
                query_names=[] if request.endpoint == "pages.copy_address" else request.args,
            )
        return response

    @app.errorhandler(HTTPException)
    def explain(error: HTTPException) -> flask.Response:
        response = json_error(error.code or 500, error.name)
        if error.get_response().headers.get("Allow"):
            response.headers["Allow"] = error.get_response().headers["Allow"]
        return response

    return app
