"""Resources that a test adds, behind the sandbox's token check: `sandbox.route`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

import flask

from procountor_auth.sandbox.state.routes import ApiRequest
from procountor_auth.sandbox.web.caller import API_BASE, caller_of, forbidden, unauthorized
from procountor_auth.sandbox.web.notes import note_refusal
from procountor_auth.sandbox.web.responses import json_error

if TYPE_CHECKING:
    from procountor_auth.sandbox.state.service import Service

_PATH: Final = re.compile(rf"{API_BASE}(/.+)")
_STATUS: Final = "the status of a response is a whole number from 200 to 599"


def route_answer(service: Service, request: flask.Request) -> flask.Response | None:
    """Return the response of a route to a request, or None if no route matches."""
    below = _PATH.fullmatch(request.path)
    found = service.routes.find(below[1], request.method) if below is not None else None
    if below is None or found is None:
        return None
    caller = caller_of(service, request)
    if caller is None:
        return unauthorized()
    if not service.world.directory.may_read(caller.user.id, caller.company.id, below[1].split("/")[1]):
        return forbidden()
    handler, parameters = found
    told = ApiRequest(
        request.method,
        below[1],
        parameters,
        request.args.to_dict(),
        {name: value for name, value in request.headers.items() if name != "Authorization"},
        request.get_data(),
        caller.company.id,
        caller.user.id,
    )
    try:
        return _response(handler(told))
    except BaseException as error:  # noqa: BLE001 - a test's own code may raise anything
        if not isinstance(error, Exception):
            # It is meant to end the test or the program, and this thread is neither.
            service.routes.keep_outcome(error)
        # Its message may contain parts of the request.
        note_refusal(f"The route of the test raised {type(error).__name__}.")
        return json_error(500, f"The route of the test raised {type(error).__name__}: {_text(error)}")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - as above
        return "its text can't be read"


def _response(given: Any) -> flask.Response:  # noqa: ANN401 - what a route may give
    """Convert a route's result to a response: JSON, text, nothing, or one of these with a status.

    Raises:
        ValueError: The status is no final one.
        Exception: The result can't be converted.
    """
    status = None
    if isinstance(given, tuple):
        given, status = cast("tuple[Any, Any]", given)
    if isinstance(given, flask.Response):
        response = given
    elif given is None:
        response = flask.Response(status=204)
    elif isinstance(given, str | bytes):
        response = flask.Response(given, content_type="text/plain; charset=utf-8")
    else:
        response = flask.jsonify(given)
    if status is not None:
        if not isinstance(status, int) or isinstance(status, bool):
            raise ValueError(f"{_STATUS}, not {status!r}")
        response.status_code = status
    # Others are no answer to HTTP clients, which would wait for another one after 100.
    if not 200 <= response.status_code <= 599:  # noqa: PLR2004
        raise ValueError(f"{_STATUS}, not {response.status_code}")
    return response
