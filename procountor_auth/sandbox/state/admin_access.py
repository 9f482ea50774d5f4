"""Access to the administration: who may read and change a sandbox under ``/_sandbox/``."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .admin_token import check_token
from .ttl_table import TTLTable

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

#: Seconds until a browser has to send the token again.
SESSION_LIFETIME = 43_200
_MAX_SESSIONS = 1000
_LOOPBACK_NAMES = ("127.0.0.1", "[::1]", "localhost")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AdminAccess:
    """Decides who may administer one sandbox.

    Three checks: whether the request is addressed to this sandbox (in DNS rebinding, the name of a web page
    resolves to a loopback address, so that the page can send requests here and read the responses), whether
    another site's page sends it, and, if there is a token, whether the sender has it.

    Args:
        base_url: The URL of the sandbox.
        port: The port that it listens on.
        token: The required token; None if none is required.

    Raises:
        ValueError: The token is too short, or contains characters that a header can't carry.
    """

    def __init__(self, base_url: str, port: int, token: str | None = None) -> None:
        check_token(token)
        named = urlsplit(base_url)
        self._hosts = {f"{name}:{port}" for name in _LOOPBACK_NAMES} | _spellings(named.scheme, named.netloc)
        if port == _DEFAULT_PORTS["http"]:
            self._hosts |= set(_LOOPBACK_NAMES)
        self._origins = {f"http://{host}" for host in self._hosts} | {f"{named.scheme}://{named.netloc}".lower()}
        self._digest = None if token is None else _digest(token)
        self._lock = threading.Lock()
        # The machine's clock, not the sandbox's, which tests set: this is real access control.
        self._sessions: TTLTable[bytes, bool] = TTLTable(time.time, _MAX_SESSIONS)
        #: Cookies are not separated by port, so their name is.
        self.cookie_name: str = f"procountor_sandbox_{port}"
        self.secure: bool = named.scheme == "https"

    @property
    def needs_token(self) -> bool:
        """Whether a token is required."""
        return self._digest is not None

    def is_ours(self, host: str) -> bool:
        """Return whether a ``Host`` header names this sandbox."""
        return host.lower() in self._hosts

    def is_from_another_site(self, headers: Headers) -> bool:
        """Return whether a browser sends this request for another site's page.

        Programs send neither of the headers, and can't be abused like a browser.
        """
        site = headers.get("Sec-Fetch-Site")
        if site is not None:
            return site not in {"same-origin", "none"}
        origin = headers.get("Origin")
        return origin is not None and origin.lower() not in self._origins

    def has_token(self, authorization: str) -> bool:
        """Return whether an ``Authorization`` header carries the token, compared in constant time."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self.is_token(token.strip())

    def is_token(self, token: str) -> bool:
        """Return whether this is the token, compared in constant time."""
        return self._digest is not None and secrets.compare_digest(_digest(token), self._digest)

    def open_session(self) -> str:
        """Return the secret of a new session, for a browser that has sent the token."""
        session = secrets.token_urlsafe(30)
        with self._lock:
            self._sessions.put(_digest(session), value=True, expires_at=time.time() + SESSION_LIFETIME)
        return session

    def has_session(self, session: str | None) -> bool:
        """Return whether this is a session's secret."""
        return bool(session) and self._sessions.get(_digest(session or "")) is not None

    def close_session(self, session: str | None) -> None:
        """Close a session."""
        with self._lock:
            self._sessions.pop(_digest(session or ""))


def _spellings(scheme: str, netloc: str) -> set[str]:
    # Browsers leave the default port out of the Host header; other clients may include it.
    host = netloc.lower()
    if urlsplit(f"//{host}").port is None:
        return {host, f"{host}:{_DEFAULT_PORTS[scheme]}"}
    return {host, host.removesuffix(f":{_DEFAULT_PORTS[scheme]}")}


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
