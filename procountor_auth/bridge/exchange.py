"""A request to the bridge and its outcome: one log line for each, without secrets."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import printable

from .caller import name_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from .login import BridgeLogin

LOGGER: Final = "procountor_auth.bridge"
"""The logger of the bridge. Each record of a request has its values as the attribute `procountor_request`."""

_FIRST_ERROR: Final = 400
_FIRST_SERVER_ERROR: Final = 500
_MAX_PATH: Final = 200

_logger = logging.getLogger(LOGGER)


@dataclass
class Exchange:
    """A request and its answer.

    Attributes:
        method: The method.
        path: The path, without the query.
        user_agent: What the program calls itself.
        address: Where it is.
        profile: Whose token was used, if it came so far.
        login: Whether the login is known, by now.
        status: The status of the answer; 0 if the program has gone before.
        reason: Why not, or what is odd.
        grant_type: What was asked of `oauth/token`.
        renewed: Whether the service refused the token, and another one was sent.
        secret_in_url: Whether the URL contained a secret.
    """

    method: str
    path: str
    user_agent: str
    address: str
    profile: str | None = None
    login: BridgeLogin | None = field(default=None, repr=False)
    status: int = 0
    reason: str | None = None
    grant_type: str | None = None
    renewed: bool = False
    secret_in_url: bool = False
    _begun: float = field(default_factory=time.perf_counter, repr=False)

    @classmethod
    def of(cls, request: Request) -> Exchange:
        """Begin with a request."""
        return cls(
            method=printable(request.method)[:_MAX_PATH],
            path=printable(request.scope["path"])[:_MAX_PATH],
            user_agent=name_of(request.headers.get("user-agent", "")),
            address=request.client.host if request.client else "",
        )

    def is_for(self, login: BridgeLogin) -> None:
        """Remember whose login it is."""
        self.login, self.profile = login, login.profile

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "event": "bridge_request",
            "at": time.time(),
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "seconds": round(time.perf_counter() - self._begun, 4),
            "profile": self.profile,
            "user_agent": self.user_agent,
            "address": self.address,
            "grant_type": self.grant_type,
            "reason": self.reason,
            "renewed": self.renewed,
            "secret_in_url": self.secret_in_url,
        }

    def log(self) -> None:
        """Write the line."""
        said = [f"{self.method} {self.path} {self.status or 'aborted'}"]
        if self.profile:
            said.append(f"profile {self.profile}")
        if self.renewed:
            said.append("with another token, as the service refused the first one")
        if self.secret_in_url:
            said.append("a secret stood in the URL")
        if self.reason:
            said.append(self.reason)
        _logger.log(self._level, "%s", printable(", ".join(said)), extra={"procountor_request": self.as_dict()})

    @property
    def _level(self) -> int:
        if self.status >= _FIRST_SERVER_ERROR:
            return logging.ERROR
        return logging.WARNING if self.status >= _FIRST_ERROR or self.secret_in_url else logging.INFO
