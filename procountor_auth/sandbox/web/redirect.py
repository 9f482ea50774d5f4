"""The redirect that carries a code, or an error, back to the client."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import flask

if TYPE_CHECKING:
    from procountor_auth.sandbox.behaviour.quirks import StateEcho


class Redirect(flask.Response):
    """A 302 whose ``Location`` is sent unchanged: it may be a bare word that is not a URL."""

    autocorrect_location_header = False


def redirect_back(redirect_uri: str, fields: dict[str, str], state: str | None, echo: StateEcho) -> flask.Response:
    """Return ``302 Location: <redirect_uri>?<fields>[&state=...]``.

    Args:
        redirect_uri: The one in the request, which callers have compared with the registered one.
        fields: The parameters, in the order in which they are sent.
        state: The client's state, or None if it sent none; the redirect then has none.
        echo: Whether the state is echoed, left out, or replaced by a wrong one.
    """
    parameters = dict(fields)
    if state and echo != "omit":
        parameters["state"] = state if echo == "echo" else secrets.token_urlsafe(12)
    return to_location(f"{redirect_uri}?{urlencode(parameters)}")


def to_location(location: str) -> flask.Response:
    """Return a 302 to exactly this location, which caches must not store, as it contains a code."""
    return Redirect(
        status=302,
        headers={
            "Location": location,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
        },
    )
