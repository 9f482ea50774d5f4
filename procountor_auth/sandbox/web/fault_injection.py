"""Fault injection: applies the faults to one request."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import flask

from .http_server import RESET
from .responses import html_error, html_page, json_error, phrase

if TYPE_CHECKING:
    from procountor_auth.sandbox.behaviour.faults import Area, Faults
    from procountor_auth.sandbox.state.service import Service

_FIRST_SERVER_ERROR = 500


def inject_faults(service: Service, area: Area | None) -> flask.Response | None:
    """Apply the faults to Flask's current request.

    Waits, requests a reset from the HTTP server, and stores in ``flask.g`` what the log says about it.

    Returns:
        The response that replaces the endpoint's, or None if the endpoint should respond.
    """
    faults = service.fault_state.take(area)
    if faults is None:
        return None
    flask.g.fault = ", ".join(name for name in ("latency", "reset", "status", "body") if getattr(faults, name))
    if faults.latency:
        service.stopping.wait(faults.latency)
    if faults.reset is not None:
        flask.request.environ[RESET](faults.reset)
        flask.g.reset = faults.reset
    if faults.reset == "before":
        return flask.Response()  # No client receives it.
    return _response(faults)


def _response(faults: Faults) -> flask.Response | None:
    if faults.status is None and faults.body is None:
        return None
    status = faults.status or HTTPStatus.OK
    if faults.body == "malformed":
        response = flask.Response('{"access_token": "', status=status, content_type="application/json")
    elif faults.body == "html" and faults.status is None:
        response = html_page("login_page.html")
    elif faults.body == "html" or status >= _FIRST_SERVER_ERROR or status == HTTPStatus.FORBIDDEN:
        response = html_error(status)
    else:
        response = json_error(status, phrase(status))
    if faults.status is not None and faults.retry_after is not None:
        response.headers["Retry-After"] = str(faults.retry_after)
    return response
