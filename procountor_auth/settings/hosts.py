"""Procountor's hosts, and the validation of a host."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

PRODUCTION: Final = "https://api.procountor.com"
"""The production host, as documented."""

TEST: Final = "https://pts-api.procountor.com"
"""The public test host since 2025. It has moved twice before; `PROCOUNTOR_BASE_URL` overrides it."""

BY_ENVIRONMENT: Final = {"production": PRODUCTION, "test": TEST}


def clean_host(url: str) -> str:
    """Return the scheme and host of a base URL, in lower case and without a trailing slash.

    Raises:
        ValueError: The URL is not HTTPS (or HTTP to this machine), or has more than scheme, host and port.
            The message does not repeat it.
    """
    problem = "must be a URL such as https://api.procountor.com"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(problem) from None
    try:
        port = parts.port
    except ValueError:
        raise ValueError("must have a port from 1 to 65535, or none") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii() or not url.isprintable():
        raise ValueError(problem)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not contain a user name or password")
    if re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*", parts.hostname) is None or port == 0:
        raise ValueError(problem)  # another URL parser may see a different host in it
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(
            "must be the host alone, such as https://api.procountor.com, with at most the API's path (/api) after it"
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must start with https:// (http:// is for this machine only)")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default_port = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, default_port} else "")


def is_localhost(hostname: str) -> bool:
    """Whether a host name is defined to mean this machine (RFC 6761, section 6.3)."""
    return hostname == "localhost" or hostname.endswith(".localhost")


def is_loopback(hostname: str) -> bool:
    """Whether a host name can only mean this machine (RFC 8252, section 8.3)."""
    if is_localhost(hostname):
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
