"""The gateway in front of the service: HTML where JSON was promised, and delay."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import flask

if TYPE_CHECKING:
    from .service import Service


def html_error(status: int) -> flask.Response:
    """Return an error page such as an application gateway sends."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    return html_page("gateway.html", status, phrase=phrase, code=status)


def html_page(template: str, status: int = 200, **values: object) -> flask.Response:
    """Return a page that keeps nothing, runs nothing and cannot be framed."""
    response = flask.make_response(flask.render_template(template, **values), status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    # No form-action: browsers apply it to the redirect after the form as well, and the client's
    # redirect URI may be on any host or scheme.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def delay(service: Service) -> None:
    """Wait for the quirks' latency, or until the sandbox stops."""
    if service.quirks.latency:
        service.stopping.wait(service.quirks.latency)


def json_error(status: int, message: str) -> flask.Response:
    """Return an error in the API's own shape."""
    response = flask.jsonify({"errors": [{"status": status, "message": message}]})
    response.status_code = status
    return response
