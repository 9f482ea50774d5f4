"""The request recorder: adds Flask's current request to the request log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask

from .notes import owner_noted, refusal_noted
from .redaction import redact

if TYPE_CHECKING:
    from procountor_auth.sandbox.state.service import Service

#: Browsers request it automatically; it is irrelevant for a client.
_UNLISTED = "/favicon.ico"


def is_listed(request: flask.Request) -> bool:
    """Return whether a request is logged."""
    return request.path != _UNLISTED


def record(service: Service, response: flask.Response) -> None:
    """Add Flask's current request and its response to the request log, unless it is excluded."""
    request, g = flask.request, flask.g
    if not is_listed(request):
        return
    reset = g.get("reset")
    service.log.add(
        method=request.method,
        path=request.path,
        status=0 if reset == "before" else response.status_code,
        grant_type=g.get("grant_type"),
        at=g.at,
        # The address of the page after a redirect contains the code, as the standard requires.
        query_names=[] if request.endpoint == "pages.copy_address" else request.args,
        fault=g.get("fault"),
        reset=reset,
        error=refusal_noted(),
        owner=owner_noted(),
        exchange=redact(service, request, response, is_own=not g.get("is_routed"), reset=reset),
    )
