"""Which requests of a user's client get the token, and which answers ask for a new one.

The integrations (`procountor_auth.httpx`, `.httpx2`, `.requests`) are this, put into the words of one client each.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias
from urllib.parse import urlsplit

from procountor_auth.errors import printable
from procountor_auth.tokens.source import TokenSource

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from procountor_auth.protocol.token import Token
    from procountor_auth.tokens.renewing_cache import RenewingCache

_Request: TypeAlias = Any
_Response: TypeAlias = Any
"""Those of httpx or of httpx2: the same names and members, in types that know nothing of each other."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

MAX_FOREIGN_HOSTS: Final = 100
"""So many different hosts are warned of; a program that calls more needs no more lines, nor the memory for them."""

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
        self._foreign: set[str] = set()

    @property
    def api_url(self) -> str:
        """The base of the API that the environment chose, such as `https://api.procountor.com/api`."""
        return self.source.endpoints.api

    def is_for(self, scheme: str, host: str | None, port: int | None, bound: RenewingCache | None = None) -> bool:
        """Whether a request to this origin may carry a token of `bound`, by default of the current configuration."""
        configured = (bound or self.source.bind()).provider.endpoints.host
        # An IPv6 host has brackets in some clients and none in others.
        if (scheme, (host or "").strip("[]").lower(), port or _DEFAULT_PORTS.get(scheme)) == _origin_of(configured):
            return True
        self._warn_once(f"{scheme}://{host}", configured)
        return False

    def _warn_once(self, foreign: str, configured: str) -> None:
        if foreign in self._foreign or len(self._foreign) >= MAX_FOREIGN_HOSTS:
            return
        self._foreign.add(foreign)
        _logger.warning(
            "requests to %s carry no token: the token is for %s (PROCOUNTOR_BASE_URL, PROCOUNTOR_ENVIRONMENT)",
            printable(foreign),
            printable(configured),
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
        bound = self.source.bind()
        if not self._is_ours(bound, request):
            yield request
            return
        token = bound.token()
        response = yield _with(token, request)
        bound.observe(response.headers.get, request.url.path)
        if self._rejects(bound, request, response):
            token = bound.renew(token)
            if isinstance(request.stream, self.replayable):
                yield _with(token, request)

    async def async_auth_flow(self, request: _Request) -> AsyncGenerator[_Request, _Response]:
        """Do what `sync_auth_flow` does in an event loop."""
        bound = self.source.bind()
        if not self._is_ours(bound, request):
            yield request
            return
        token = await bound.atoken()
        response = yield _with(token, request)
        bound.observe(response.headers.get, request.url.path)
        if self._rejects(bound, request, response):
            token = await bound.arenew(token)
            if isinstance(request.stream, self.replayable):
                yield _with(token, request)

    def _is_ours(self, bound: RenewingCache, request: _Request) -> bool:
        url = request.url
        return self.is_for(url.scheme, url.host, url.port, bound)

    def _rejects(self, bound: RenewingCache, request: _Request, response: _Response) -> bool:
        """Whether the API itself rejected the token, and not a host that it redirected to.

        After a `reload` to other tokens nothing is sent again: the program has turned away from this configuration.
        """
        return (
            response.status_code == HTTPStatus.UNAUTHORIZED
            and (response.url == request.url or self._is_ours(bound, response.request))
            and self.source.is_current(bound)
        )


@lru_cache(maxsize=64)
def _origin_of(host: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(host)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]


def _with(token: Token, request: _Request) -> _Request:
    request.headers["Authorization"] = f"Bearer {token.access_token}"
    return request
