"""Which requests of a user's client get the token, and which answers ask for a new one.

The integrations (`procountor_auth.httpx`, `.httpx2`, `.requests`) are this, put into the words of one client each.
"""

from __future__ import annotations

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

_File: TypeAlias = Any
"""Whatever a program gives an HTTP client as a file."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

MAX_FOREIGN_HOSTS: Final = 100
"""So many different hosts are warned of; a program that calls more needs no more lines, nor the memory for them."""


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

    def is_to_be_replaced(
        self, bound: RenewingCache, token: Token, status: int, authorization: str | None, *, resendable: bool
    ) -> bool:
        """Hear how a request was answered. Return whether its token was rejected, and another may do better.

        After a `reload` to other tokens nothing is sent again: the program has turned away from this configuration.

        Args:
            bound: Where the token came from.
            token: The token.
            status: The status of the answer.
            authorization: The header of the request that was answered. A redirect may have led to another host, and a
                netrc file or a hook may have put another credential on it: its rejection is not the token's.
            resendable: Whether the request can be sent again.
        """
        if authorization != header_of(token):
            return False
        if status != HTTPStatus.UNAUTHORIZED:
            if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                bound.rejections.accepted(token)
            return False
        if not self.source.is_current(bound):
            return False
        cached = bound.cached
        return bound.rejections.are_worth_a_renewal(token, cached and cached.token, resendable=resendable)

    def hear_again(self, bound: RenewingCache, token: Token, status: int, authorization: str | None) -> None:
        """Hear how the second try was answered. See `is_to_be_replaced` for the arguments."""
        if authorization != header_of(token):
            return
        if status != HTTPStatus.UNAUTHORIZED:
            bound.rejections.accepted(token)
        elif not bound.rejections.again(token):
            bound.reject(token)  # an older token of others', which has ended as well

    def _warn_once(self, foreign: str, configured: str) -> None:
        if foreign in self._foreign or len(self._foreign) >= MAX_FOREIGN_HOSTS:
            return
        self._foreign.add(foreign)
        self.source.whose.warning(
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

    The subclass of each library adds its `Auth` class, and its class of bodies that are bytes.
    """

    bytes_stream: type[object]

    def sync_auth_flow(self, request: _Request) -> Generator[_Request, _Response, None]:
        """Send the request with the token; after a 401, renew the token and send it once more."""
        bound = self.source.bind()
        if not self._is_ours(bound, request):
            yield request
            return
        token = bound.token()
        response = yield _with(token, request)
        resendable = self._is_resendable(request)
        if self._is_to_be_replaced(bound, token, response, resendable=resendable):
            another = bound.renew(token)
            bound.rejections.replaced(token, another)
            if resendable:
                response = yield _with(another, request)
                self.hear_again(bound, another, *told(response))

    async def async_auth_flow(self, request: _Request) -> AsyncGenerator[_Request, _Response]:
        """Do what `sync_auth_flow` does in an event loop."""
        bound = self.source.bind()
        if not self._is_ours(bound, request):
            yield request
            return
        token = await bound.atoken()
        response = yield _with(token, request)
        resendable = self._is_resendable(request)
        if self._is_to_be_replaced(bound, token, response, resendable=resendable):
            another = await bound.arenew(token)
            bound.rejections.replaced(token, another)
            if resendable:
                response = yield _with(another, request)
                self.hear_again(bound, another, *told(response))

    def _is_ours(self, bound: RenewingCache, request: _Request) -> bool:
        url = request.url
        return self.is_for(url.scheme, url.host, url.port, bound)

    def _is_to_be_replaced(self, bound: RenewingCache, token: Token, response: _Response, *, resendable: bool) -> bool:
        bound.observe(response.headers.get, response.request.url.path)
        return self.is_to_be_replaced(bound, token, *told(response), resendable=resendable)

    def _is_resendable(self, request: _Request) -> bool:
        """Whether the body is bytes, or a multipart form whose files are bytes or can be rewound."""
        if isinstance(request.stream, self.bytes_stream):
            return True
        # The class of multipart bodies is not public. One that looks different is taken for a stream.
        parts = getattr(request.stream, "fields", None)
        return isinstance(parts, list) and all(_is_rewindable(getattr(part, "file", b"")) for part in parts)


@lru_cache(maxsize=64)
def _origin_of(host: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(host)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]


def header_of(token: Token) -> str:
    """Return the header `Authorization` that carries a token."""
    return f"Bearer {token.access_token}"


def _with(token: Token, request: _Request) -> _Request:
    request.headers["Authorization"] = header_of(token)
    return request


def told(response: _Response) -> tuple[int, str | None]:
    """Return the status of an answer, and the header of the request that it is for."""
    return response.status_code, response.request.headers.get("Authorization")


def _is_rewindable(file: _File) -> bool:
    """Whether a file of a multipart form can be sent again: httpx starts at its begin each time, if it can seek."""
    if isinstance(file, str | bytes):
        return True
    try:
        return bool(file.seekable())
    except (AttributeError, ValueError):  # no file as Python's are, or a closed one
        return False
