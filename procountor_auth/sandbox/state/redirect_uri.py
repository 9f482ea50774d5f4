"""Redirect URIs: which ones a client may have, and which ones are equivalent."""

from __future__ import annotations

import re

_LOOPBACK = re.compile(r"(?P<origin>http://(?:127\.0\.0\.1|\[::1\]))(?P<path>(?:/[^?#]*)?)")
_LOOPBACK_WITH_PORT = re.compile(_LOOPBACK.pattern.replace("(?P<path>", ":(?P<port>[0-9]{1,5})(?P<path>"))
_MAX_PORT = 65_535


def check_redirect_uri(redirect_uri: str) -> None:
    """Check that a redirect URI is one that the service could have issued.

    Raises:
        ValueError: It is empty, has a query string or a fragment, or has characters that a header can't carry.
    """
    if not redirect_uri:
        raise ValueError("the redirect URI must not be empty")
    if "?" in redirect_uri or "#" in redirect_uri:
        raise ValueError("the redirect URI must not have a query string or a fragment")
    if not redirect_uri.isascii() or not redirect_uri.isprintable() or " " in redirect_uri:
        raise ValueError("the redirect URI must be printable ASCII without spaces")


def is_loopback_variant(redirect_uri: str, registered: str) -> bool:
    """Return whether a redirect URI is the registered one with a port, which a loopback address may have.

    A name such as ``localhost`` is not an address: a resolver decides what it means (RFC 8252,
    section 8.3).
    """
    parts = _LOOPBACK.fullmatch(registered)
    given = _LOOPBACK_WITH_PORT.fullmatch(redirect_uri)
    return (
        parts is not None
        and given is not None
        and given["origin"] == parts["origin"]
        and given["path"] == parts["path"]
        and 0 < int(given["port"]) <= _MAX_PORT
    )
