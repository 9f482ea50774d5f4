"""Storms: the faults of the weather, done to one request."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import flask

from .gateway import html_error, html_page, json_error, phrase
from .httpd import RESET

if TYPE_CHECKING:
    from .service import Service
    from .weather import Area, Weather

_FIRST_SERVER_ERROR = 500


def strike(service: Service, area: Area | None) -> flask.Response | None:
    """Let the weather hit Flask's current request.

    Waits, asks the HTTP server for a reset, and notes in ``flask.g`` what the log says about it.

    Returns:
        The answer instead of the endpoint's, or None if the endpoint shall answer.
    """
    weather = service.sky.strike(area)
    if weather is None:
        return None
    flask.g.fault = ", ".join(name for name in ("latency", "reset", "status", "body") if getattr(weather, name))
    if weather.latency:
        service.stopping.wait(weather.latency)
    if weather.reset is not None:
        flask.request.environ[RESET](weather.reset)
    if weather.reset == "before":
        flask.g.is_lost = True
        return flask.Response()  # Nobody gets it.
    return _answer(weather)


def _answer(weather: Weather) -> flask.Response | None:
    if weather.status is None and weather.body is None:
        return None
    status = weather.status or HTTPStatus.OK
    if weather.body == "malformed":
        response = flask.Response('{"access_token": "', status=status, content_type="application/json")
    elif weather.body == "html" and weather.status is None:
        response = html_page("login_page.html")
    elif weather.body == "html" or status >= _FIRST_SERVER_ERROR or status == HTTPStatus.FORBIDDEN:
        response = html_error(status)
    else:
        response = json_error(status, phrase(status))
    if weather.status is not None and weather.retry_after is not None:
        response.headers["Retry-After"] = str(weather.retry_after)
    return response
