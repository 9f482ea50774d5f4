"""The origin (RFC 6454) of the host that tokens are for."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

Origin: TypeAlias = "tuple[str, str | None, int | None]"
"""Scheme, host and port; a default port is None. It is what HTTP clients say of a URL."""


@lru_cache(maxsize=64)
def origin_of(host: str) -> Origin:
    """Return the origin of a host such as `https://api.procountor.com`."""
    parts = urlsplit(host)
    return parts.scheme, parts.hostname, None if parts.port == DEFAULT_PORTS[parts.scheme] else parts.port
