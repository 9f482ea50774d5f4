"""The redirect that carries a code, or an error, back to the client."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import flask

if TYPE_CHECKING:
    from .quirks import StateEcho


_LOOPBACK = re.compile(r"(?P<origin>http://(?:127\.0\.0\.1|\[::1\]))(?P<path>(?:/[^?#]*)?)")
_LOOPBACK_WITH_PORT = re.compile(_LOOPBACK.pattern.replace("(?P<path>", ":(?P<port>[0-9]{1,5})(?P<path>"))
_LAST_PORT = 65_535


class Redirect(flask.Response):
    """A 302 whose ``Location`` stays as it is: it may be a bare word, which is not a URL at all."""

    autocorrect_location_header = False


def is_loopback_variant(redirect_uri: str, registered: str) -> bool:
    """Return whether a redirect URI is the registered one with a port, which a loopback address may have.

    A name such as ``localhost`` is not an address: it stands for what a resolver says (RFC 8252,
    section 8.3).
    """
    parts = _LOOPBACK.fullmatch(registered)
    given = _LOOPBACK_WITH_PORT.fullmatch(redirect_uri)
    return (
        parts is not None
        and given is not None
        and given["origin"] == parts["origin"]
        and given["path"] == parts["path"]
        and 0 < int(given["port"]) <= _LAST_PORT
    )


def redirect_back(redirect_uri: str, answer: dict[str, str], state: str | None, echo: StateEcho) -> flask.Response:
    """Return ``302 Location: <redirect_uri>?<answer>[&state=...]``.

    Args:
        redirect_uri: The one in the request; callers have compared it with the client's registered one.
        answer: The parameters, in the order in which they are sent.
        state: The client's state, or None if it sent none: then none goes back.
        echo: Whether the state is echoed, left out, or replaced by a wrong one.
    """
    parameters = dict(answer)
    if state and echo != "omit":
        parameters["state"] = state if echo == "echo" else secrets.token_urlsafe(12)
    return to_location(f"{redirect_uri}?{urlencode(parameters)}")


def to_location(location: str) -> flask.Response:
    """Return a 302 to exactly this location, which no cache may keep: there is a code in it."""
    return Redirect(
        status=302,
        headers={
            "Location": location,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
        },
    )
