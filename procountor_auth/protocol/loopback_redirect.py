"""A loopback redirect URI, whose port may be chosen at the time of the login (RFC 8252, section 7.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

MAX_PORT: Final = 65_535

_LOOPBACK: Final = (
    r"(?i:http)://(?P<host>127\.0\.0\.1|\[::1\]|(?i:localhost))(?::(?P<port>[0-9]{1,5}))?"
    # No dot segments, and nothing else that a browser would change.
    r"(?P<path>(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]*)*)"
)


@dataclass(frozen=True, slots=True)
class LoopbackRedirect:
    """A redirect URI that leads back to this machine (RFC 8252, section 7.3).

    Attributes:
        uri: The registered redirect URI.
        host: `127.0.0.1`, `[::1]` or `localhost`.
        port: The registered port, or None if any port may be used.
        path: The path; `/` if there is none.
    """

    uri: str
    host: str
    port: int | None
    path: str

    @classmethod
    def parse(cls, redirect_uri: str) -> Self | None:
        """Parse `redirect_uri`; None if no program on this machine could listen for it."""
        found = re.fullmatch(_LOOPBACK, redirect_uri)
        if found is None:
            return None
        port = None if found["port"] is None else int(found["port"])
        if port is not None and not 0 < port <= MAX_PORT:
            return None
        return cls(redirect_uri, found["host"].lower(), port, found["path"] or "/")

    def at(self, port: int) -> str:
        """Return the redirect URI to send, with `port` if none is registered."""
        if self.port is not None:
            return self.uri
        end = len("http://") + len(self.host)
        return f"{self.uri[:end]}:{port}{self.uri[end:]}"

    def allows(self, redirect_uri: str) -> bool:
        """Whether `redirect_uri` may be sent in a login: the registered one, with any port if that has none."""
        if redirect_uri == self.uri:
            return True
        other = self.parse(redirect_uri)
        return other is not None and other.port is not None and self.at(other.port) == redirect_uri
