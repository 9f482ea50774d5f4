"""The proxy, as it may be named in errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pydantic import SecretStr

_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy without its credentials.

    Attributes:
        address: Host and port, such as `proxy.example:3128`; empty if they are ambiguous in the URL.
        has_password: Whether its URL has a user name or a password.
    """

    address: str = ""
    has_password: bool = False

    @classmethod
    def at(cls, url: SecretStr) -> Proxy:
        """Return the proxy of a URL, which may contain a password."""
        try:
            parts = urlsplit(url.get_secret_value())
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return cls()
        has_password = parts.username is not None
        # An unescaped `/`, `?` or `#` in a password ends the host, which is then a part of the password.
        if parts.path not in {"", "/"} or parts.query or parts.fragment or not _HOST.fullmatch(host):
            return cls(has_password=has_password)
        named = f"[{host}]" if ":" in host else host
        return cls(f"{named}:{port}" if port is not None else named, has_password)

    def __str__(self) -> str:
        return f"the proxy {self.address}" if self.address else "the proxy"
