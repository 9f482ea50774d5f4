"""Access to the administration: who may look into a sandbox and change it, under ``/_sandbox/``."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .ttl_table import TTLTable

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

#: The environment variable that the command line reads the token from.
TOKEN_VARIABLE = "PROCOUNTOR_SANDBOX_TOKEN"  # noqa: S105 - a name
MIN_TOKEN_LENGTH = 16

#: Seconds until a browser has to send the token again.
SESSION_LIFETIME = 43_200
_MAX_SESSIONS = 1000
_LOOPBACK_NAMES = ("127.0.0.1", "[::1]", "localhost")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AdminAccess:
    """Decides who may administer one sandbox.

    Three questions: is the request addressed to this sandbox (a page whose own name was made to point
    at a loopback address can send requests here, and read the answers), does another site's page send
    it, and, where there is a token, does the sender have it?

    Args:
        base_url: What the sandbox calls itself.
        port: The port that it listens on.
        token: What one has to know; None: nobody needs to know anything.

    Raises:
        ValueError: The token is too short, or cannot stand in a header.
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
        # The machine's clock, not the sandbox's: that one may be anywhere, and this is real access control.
        self._sessions: TTLTable[bytes, bool] = TTLTable(time.time, _MAX_SESSIONS)
        #: Cookies do not tell ports apart: the name does.
        self.cookie_name = f"procountor_sandbox_{port}"
        self.secure = named.scheme == "https"

    @property
    def needs_token(self) -> bool:
        """Whether one has to know a token."""
        return self._digest is not None

    def is_ours(self, host: str) -> bool:
        """Return whether a ``Host`` header names this sandbox."""
        return host.lower() in self._hosts

    def is_from_another_site(self, headers: Headers) -> bool:
        """Return whether a browser sends this request for another site's page.

        Programs send neither of the headers, and cannot be abused like a browser.
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
        """Return a new session's secret, for a browser that has sent the token."""
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


def check_token(token: str | None) -> None:
    """Check that a token cannot be guessed, and that a header can carry it.

    Raises:
        ValueError: It is shorter than 16 characters, or has others than printable ASCII without spaces.
    """
    if token is not None and not re.fullmatch(f"[!-~]{{{MIN_TOKEN_LENGTH},}}", token):
        raise ValueError(f"the token must have at least {MIN_TOKEN_LENGTH} characters, printable ASCII without spaces")


def _spellings(scheme: str, netloc: str) -> set[str]:
    # Browsers leave a scheme's own port out of the Host header; others may write it.
    host = netloc.lower()
    if urlsplit(f"//{host}").port is None:
        return {host, f"{host}:{_DEFAULT_PORTS[scheme]}"}
    return {host, host.removesuffix(f":{_DEFAULT_PORTS[scheme]}")}


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
