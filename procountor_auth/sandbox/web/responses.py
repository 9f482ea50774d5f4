"""Responses: the pages, the API's JSON errors, and the HTML errors of the gateway in front of the service."""

from __future__ import annotations

from http import HTTPStatus

import flask

#: What pages may load: only the sandbox's stylesheets and icons, and no script. No form-action: browsers
#: also apply it to the redirect after the form, and the client's redirect URI may have any host or scheme.
PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"


def html_error(status: int) -> flask.Response:
    """Return an error page like that of an application gateway."""
    return html_page("gateway.html", status, phrase=phrase(status), code=status)


def phrase(status: int) -> str:
    """Return the reason phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def html_page(template: str, status: int = 200, **values: object) -> flask.Response:
    """Return a page that is not cached, runs no scripts and can't be framed."""
    response = flask.make_response(flask.render_template(template, **values), status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def json_error(status: int, message: str) -> flask.Response:
    """Return an error in the API's own format."""
    response = flask.jsonify({"errors": [{"status": status, "message": message}]})
    response.status_code = status
    return response
