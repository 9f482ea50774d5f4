"""The origin (RFC 6454) of the host that tokens are for."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

Origin: TypeAlias = "tuple[str, str | None, int | None]"
"""Scheme, host and port; a default port is None. It is what HTTP clients say of a URL."""


def request_origin(scheme: str, host: str | None, port: int | None) -> Origin:
    """Return the origin that an HTTP client sends a request to.

    Args:
        scheme: The scheme of the request's URL.
        host: Its host. Some clients write an IPv6 address in brackets.
        port: Its port. Some clients name the default one.
    """
    return scheme, (host or "").strip("[]").lower(), None if port == DEFAULT_PORTS.get(scheme) else port


@lru_cache(maxsize=64)
def origin_of(host: str) -> Origin:
    """Return the origin of a host such as `https://api.procountor.com`."""
    parts = urlsplit(host)
    return parts.scheme, parts.hostname, None if parts.port == DEFAULT_PORTS[parts.scheme] else parts.port
