"""Responses: the pages, the API's JSON errors, and the HTML errors of the gateway in front of the service."""

from __future__ import annotations

from http import HTTPStatus

import flask

#: What pages may load: the sandbox's own stylesheets and icons, and no script. No form-action: browsers
#: apply it to the redirect after the form as well, and the client's redirect URI may be on any host or scheme.
PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"


def html_error(status: int) -> flask.Response:
    """Return an error page such as an application gateway sends."""
    return html_page("gateway.html", status, phrase=phrase(status), code=status)


def phrase(status: int) -> str:
    """Return the words that belong to a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def html_page(template: str, status: int = 200, **values: object) -> flask.Response:
    """Return a page that keeps nothing, runs nothing and cannot be framed."""
    response = flask.make_response(flask.render_template(template, **values), status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def json_error(status: int, message: str) -> flask.Response:
    """Return an error in the API's own shape."""
    response = flask.jsonify({"errors": [{"status": status, "message": message}]})
    response.status_code = status
    return response
