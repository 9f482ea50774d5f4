"""A redirect URI on this machine, whose port may be chosen at the time of the login (RFC 8252, section 7.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

MAX_PORT: Final = 65_535

_LOOPBACK: Final = re.compile(
    r"(?i:http)://(?P<host>127\.0\.0\.1|\[::1\]|(?i:localhost))(?::(?P<port>[0-9]{1,5}))?"
    # No dot segments and nothing else that a browser would send in another spelling.
    r"(?P<path>(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]*)*)"
)


@dataclass(frozen=True, slots=True)
class LoopbackRedirect:
    """A redirect URI that leads back to this machine (RFC 8252, section 7.3).

    Attributes:
        uri: The redirect URI as it is registered.
        host: `127.0.0.1`, `[::1]` or `localhost`.
        port: The port that is registered, or None: then any may be used.
        path: The path, at least `/`.
    """

    uri: str
    host: str
    port: int | None
    path: str

    @classmethod
    def parse(cls, redirect_uri: str) -> Self | None:
        """Return what `redirect_uri` says, or None if no program on this machine could listen for it."""
        found = _LOOPBACK.fullmatch(redirect_uri)
        if found is None:
            return None
        port = None if found["port"] is None else int(found["port"])
        if port is not None and not 0 < port <= MAX_PORT:
            return None
        return cls(redirect_uri, found["host"].lower(), port, found["path"] or "/")

    def at(self, port: int) -> str:
        """Return the redirect URI to send, with a port where none is registered."""
        if self.port is not None:
            return self.uri
        end = len("http://") + len(self.host)
        return f"{self.uri[:end]}:{port}{self.uri[end:]}"

    def allows(self, redirect_uri: str) -> bool:
        """Whether `redirect_uri` may be sent in a login: the registered one, with any port where that has none."""
        if redirect_uri == self.uri:
            return True
        other = self.parse(redirect_uri)
        return other is not None and other.port is not None and self.at(other.port) == redirect_uri
