"""Which requests of a user's client get the token, and which answers ask for a new one.

The integrations (`procountor_auth.httpx`, `.httpx2`, `.requests`) are this, put into the words of one client each.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias
from urllib.parse import urlsplit

from procountor_auth.tokens.source import TokenSource

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from procountor_auth.protocol.token import Token

_Request: TypeAlias = Any
_Response: TypeAlias = Any
"""Those of httpx or of httpx2: the same names and members, in types that know nothing of each other."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_logger = logging.getLogger("procountor_auth")


class Bearer:
    """Puts the token of one source on requests to one origin, never on any other.

    Args:
        source: Where the tokens come from; by default the one that the environment describes.
        profile: Which profile of the environment to use; by default the one that `PROCOUNTOR_PROFILE` names, if any.

    Raises:
        ConfigurationError: There is no source given, and the environment does not describe one.
    """

    def __init__(self, source: TokenSource | None = None, *, profile: str | None = None) -> None:
        if source is not None and profile is not None:
            raise TypeError("a source has its profile already: give one of the two")
        self.source = source or TokenSource.from_env(profile=profile)
        self._host = ""
        self._origin: tuple[str, str | None, int | None] = ("", None, None)
        self._strangers: set[str] = set()

    @property
    def api_url(self) -> str:
        """The base of the API that the environment chose, such as `https://api.procountor.com/api`."""
        return self.source.endpoints.api

    def is_for(self, scheme: str, host: str | None, port: int | None) -> bool:
        """Whether a request to this origin may carry the token."""
        # An IPv6 host has brackets in some clients and none in others.
        found = (scheme, (host or "").strip("[]").lower(), port or _DEFAULT_PORTS.get(scheme))
        configured = self.source.endpoints.host
        if configured != self._host:  # at first, and after a reload
            parts = urlsplit(configured)
            self._origin = (parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])
            self._host = configured
        if found == self._origin:
            return True
        self._warn_once(f"{scheme}://{host}")
        return False

    def _warn_once(self, stranger: str) -> None:
        if stranger not in self._strangers:
            self._strangers.add(stranger)
            _logger.warning(
                "requests to %s carry no token: the token is for %s (PROCOUNTOR_BASE_URL, PROCOUNTOR_ENVIRONMENT)",
                stranger,
                self.source.endpoints.host,
            )

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} with {self.source!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A ProcountorAuth is not pickled: make one in each process.")


class HttpxBearer(Bearer):
    """`Bearer` in the words of httpx and httpx2, which are the same.

    The subclass of each library adds its `Auth` class, and its class of bodies that can be sent twice.
    """

    replayable: type[object]

    def sync_auth_flow(self, request: _Request) -> Generator[_Request, _Response, None]:
        """Send the request with the token; after a 401, renew the token and send it once more."""
        if not self._is_ours(request):
            yield request
            return
        token = self.source.token()
        response = yield _with(token, request)
        self.source.observe(response.headers.get, request.url.path)
        if self._rejects(request, response):
            token = self.source.renew(token)
            if isinstance(request.stream, self.replayable):
                yield _with(token, request)

    async def async_auth_flow(self, request: _Request) -> AsyncGenerator[_Request, _Response]:
        """Do what `sync_auth_flow` does in an event loop."""
        if not self._is_ours(request):
            yield request
            return
        token = await self.source.atoken()
        response = yield _with(token, request)
        self.source.observe(response.headers.get, request.url.path)
        if self._rejects(request, response):
            token = await self.source.arenew(token)
            if isinstance(request.stream, self.replayable):
                yield _with(token, request)

    def _is_ours(self, request: _Request) -> bool:
        url = request.url
        return self.is_for(url.scheme, url.host, url.port)

    def _rejects(self, request: _Request, response: _Response) -> bool:
        """Whether the API itself rejected the token, and not a host that it redirected to."""
        return response.status_code == HTTPStatus.UNAUTHORIZED and (
            response.url == request.url or self._is_ours(response.request)
        )


def _with(token: Token, request: _Request) -> _Request:
    request.headers["Authorization"] = f"Bearer {token.access_token}"
    return request
