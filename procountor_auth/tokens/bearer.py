"""Which requests of a user's client get the token, and which answers require a new one.

The integrations (`procountor_auth.httpx`, `.httpx2`, `.requests`) are this, put into the words of one client each.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Self, TypeAlias, Unpack

from procountor_auth.errors import printable
from procountor_auth.protocol import sunset
from procountor_auth.protocol.authorization import Authorization
from procountor_auth.protocol.json_object import is_json_array
from procountor_auth.tokens.explicit import check_source, explicit_source, hide, wrapped
from procountor_auth.tokens.origin import request_origin
from procountor_auth.tokens.source import TokenSource

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from pydantic import SecretStr

    from procountor_auth.protocol.token import Token
    from procountor_auth.tokens.explicit import OtherSettings
    from procountor_auth.tokens.renewing_cache import RenewingCache

_Request: TypeAlias = Any
_Response: TypeAlias = Any
_Headers: TypeAlias = Any
"""Those of httpx or of httpx2: the same names and members, in types that know nothing of each other."""

_File: TypeAlias = Any
"""Whatever a program gives an HTTP client as a file."""

UNAUTHORIZED: Final = 401
"""A plain number: it is compared after each request."""

_ANNOUNCING: Final = frozenset(name.encode() for name in sunset.HEADERS)

MAX_FOREIGN_HOSTS: Final = 100
"""How many different hosts cause a warning; further ones would only add log lines and use memory."""


class Bearer:
    """Puts the token of one source on requests to one origin, never on any other.

    Args:
        source: Where the tokens come from; by default the one that the environment describes.
        profile: Which profile of the environment to use; by default the one that `PROCOUNTOR_PROFILE` names, if any.

    Raises:
        ConfigurationError: There is no source given, and the environment does not describe one.
    """

    library: ClassVar[str | None] = None
    """The HTTP library that fetches tokens; None for the one that the program uses."""

    def __init__(self, source: TokenSource | None = None, *, profile: str | None = None) -> None:
        if source is not None and profile is not None:
            raise TypeError("a source has its profile already: give one of the two")
        given = check_source(source, self.library or "requests")
        self.source: TokenSource = given or TokenSource.from_env(profile=profile, library=self.library)
        self._foreign: set[str] = set()

    @classmethod
    def client_credentials(
        cls,
        *,
        client_id: str,
        client_secret: str | SecretStr,
        redirect_uri: str,
        api_key: str | SecretStr,
        company: str | int | None = None,
        **others: Unpack[OtherSettings],
    ) -> Self:
        """Return the authentication with an API key that the program has at hand.

        Args:
            client_id: The API client's ID.
            client_secret: The API client's secret.
            redirect_uri: The API client's redirect URI.
            api_key: The API key.
            company: The numeric company ID: no token of another company is used.
            others: Further settings; those that are not given come from the environment.

        Raises:
            ConfigurationError: Something is missing or wrong.
        """
        hide(others)
        client_secret, api_key = wrapped(client_secret), wrapped(api_key)
        client = {"client_id": client_id, "client_secret": client_secret, "redirect_uri": redirect_uri}
        own = {"api_key": api_key, "company": company}
        return cls(explicit_source("client_credentials", cls.library, **own, **client, **others))

    @classmethod
    def authorization_code(
        cls,
        *,
        client_id: str,
        client_secret: str | SecretStr,
        redirect_uri: str,
        refresh_token: str | SecretStr | None = None,
        company: str | int | None = None,
        **others: Unpack[OtherSettings],
    ) -> Self:
        """Return the authentication with a person's login, or with the refresh token of one.

        Args:
            client_id: The API client's ID.
            client_secret: The API client's secret.
            redirect_uri: The API client's redirect URI.
            refresh_token: The refresh token to start from, where no browser is.
            company: The numeric company ID: no token of another company is used.
            others: Further settings; those that are not given come from the environment.

        Raises:
            ConfigurationError: Something is missing or wrong.
        """
        hide(others)
        client_secret, refresh_token = wrapped(client_secret), wrapped(refresh_token)
        client = {"client_id": client_id, "client_secret": client_secret, "redirect_uri": redirect_uri}
        own = {"refresh_token": refresh_token, "company": company}
        return cls(explicit_source("authorization_code", cls.library, **own, **client, **others))

    @classmethod
    def legacy_password(
        cls,
        *,
        client_id: str,
        client_secret: str | SecretStr,
        redirect_uri: str,
        username: str | SecretStr,
        password: str | SecretStr,
        company: str | int,
        **others: Unpack[OtherSettings],
    ) -> Self:
        """Return the authentication with the removed legacy login, for what still has it.

        Args:
            client_id: The API client's ID.
            client_secret: The API client's secret.
            redirect_uri: The API client's redirect URI.
            username: The user's name.
            password: The user's password.
            company: The numeric company ID.
            others: Further settings; those that are not given come from the environment.

        Raises:
            ConfigurationError: Something is missing or wrong.
            LegacyNotAllowed: The legacy strategy is forbidden.
        """
        hide(others)
        client_secret, password = wrapped(client_secret), wrapped(password)
        username = wrapped(username)
        client = {"client_id": client_id, "client_secret": client_secret, "redirect_uri": redirect_uri}
        own = {"username": username, "password": password, "company": company}
        return cls(explicit_source("legacy_password", cls.library, **own, **client, **others))

    @property
    def api_url(self) -> str:
        """The base of the API that the environment chose, such as `https://api.procountor.com/api`."""
        return self.source.endpoints.api

    def is_for(self, scheme: str, host: str | None, port: int | None, bound: RenewingCache | None = None) -> bool:
        """Whether a request to this origin may carry a token.

        Args:
            scheme: The scheme of the request's URL.
            host: Its host, with or without the brackets of IPv6.
            port: Its port, or None for the default one.
            bound: Whose token it may be; by default that of the current configuration.
        """
        bound = bound or self.source.bind()
        if request_origin(scheme, host, port) == bound.origin:
            return True
        self._warn_once(f"{scheme}://{host}", bound.provider.endpoints.host)
        return False

    def is_to_be_replaced(
        self, bound: RenewingCache, token: Token, status: int, authorization: str | None, *, resendable: bool
    ) -> bool:
        """Record how a request was answered. Return whether its token was rejected, and another may be accepted.

        After a `reload` to other tokens nothing is sent again: the program has turned away from this configuration.

        Args:
            bound: Where the token came from.
            token: The token.
            status: The status of the answer.
            authorization: The header of the request that was answered. A redirect may have led to another host, and a
                netrc file or a hook may have put another credential on it: its rejection is not the token's.
            resendable: Whether the request can be sent again.
        """
        if authorization != token.authorization:
            return False
        if status != UNAUTHORIZED:
            if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                bound.rejections.accepted(token)
            return False
        if not self.source.is_current(bound):
            return False
        cached = bound.cached
        return bound.rejections.are_worth_a_renewal(
            token, cached.token if cached is not None else None, resendable=resendable
        )

    def hear_again(self, bound: RenewingCache, token: Token, status: int, authorization: str | None) -> None:
        """Record how the second attempt was answered.

        Args:
            bound: Where the token came from.
            token: The token.
            status: The status of the answer.
            authorization: The header of the request that was answered.
        """
        if authorization != token.authorization:
            return
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            bound.rejections.accepted(token)
        elif status == UNAUTHORIZED and not bound.rejections.again(token):
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
        if not hasattr(self, "source"):  # in a traceback with locals, of a configuration that is wrong
            return f"<{type(self).__module__}.{type(self).__name__}>"
        return f"<{type(self).__module__}.{type(self).__name__} with {self.source!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A ProcountorAuth is not pickled: make one in each process.")


class HttpxBearer(Bearer):
    """`Bearer` in the words of httpx and httpx2, which are the same.

    The subclass of each library adds its `Auth` class, its class of bodies that are bytes, and how it keeps headers.
    """

    bytes_stream: type[object]

    headers_are_listed: bool
    """Whether `are_listed` holds for the library's headers."""

    def __call__(self, *_: object) -> NoReturn:
        """Report that this was given to another client: requests, or the other one of httpx and httpx2, calls it.

        Raises:
            TypeError: Always; says what to import.
        """
        raise TypeError(
            f"This ProcountorAuth is for {self.library}: import it from procountor_auth.requests for requests, or from "
            "procountor_auth.httpx or procountor_auth.httpx2 for that client."
        )

    def sync_auth_flow(self, request: _Request) -> Generator[_Request, _Response, None]:
        """Send the request with the token; after a 401, renew the token and send it once more.

        Args:
            request: The request.
        """
        bound = self.source.bind()
        try:  # what the URL's properties read, at once
            scheme, _, host, port, _, _, _ = request.url._uri_reference  # noqa: SLF001 - else `is_for` reads those
        except (AttributeError, TypeError, ValueError):
            scheme = host = port = None
        if (scheme, host, port) != bound.origin and not self.is_for(*_parts(request), bound):
            yield request
            return
        cached = bound.cached  # as `token` does it, but for one call
        token = cached.token if cached is not None and bound.clock() < cached.stale_from else bound.token()
        self._put(request.headers, token.authorization)
        response = yield request
        if _announces(response.headers):
            bound.observe(response.headers.get, response.request.url.path)
        if response.status_code != UNAUTHORIZED and token is not bound.rejections.unproven:
            return  # as nearly always
        again = self._resendable(bound, request, response)
        if self.is_to_be_replaced(bound, token, *told(response), resendable=again is not None):
            another = bound.renew(token)
            bound.rejections.replaced(token, another)
            if again is not None:
                again.headers["Authorization"] = another.authorization
                response = yield again
                self.hear_again(bound, another, *told(response))

    async def async_auth_flow(self, request: _Request) -> AsyncGenerator[_Request, _Response]:
        """Do what `sync_auth_flow` does in an event loop.

        Args:
            request: The request.
        """
        bound = self.source.bind()
        try:  # what the URL's properties read, at once
            scheme, _, host, port, _, _, _ = request.url._uri_reference  # noqa: SLF001 - else `is_for` reads those
        except (AttributeError, TypeError, ValueError):
            scheme = host = port = None
        if (scheme, host, port) != bound.origin and not self.is_for(*_parts(request), bound):
            yield request
            return
        cached = bound.cached  # as `atoken` does it, but for a coroutine
        token = cached.token if cached is not None and bound.clock() < cached.stale_from else await bound.atoken()
        self._put(request.headers, token.authorization)
        response = yield request
        if _announces(response.headers):
            bound.observe(response.headers.get, response.request.url.path)
        if response.status_code != UNAUTHORIZED and token is not bound.rejections.unproven:
            return  # as nearly always
        again = self._resendable(bound, request, response)
        if self.is_to_be_replaced(bound, token, *told(response), resendable=again is not None):
            another = await bound.arenew(token)
            bound.rejections.replaced(token, another)
            if again is not None:
                again.headers["Authorization"] = another.authorization
                response = yield again
                self.hear_again(bound, another, *told(response))

    def _put(self, headers: _Headers, authorization: Authorization) -> None:
        """Set the header. The public way takes as long as all the rest that is done for a request."""
        if self.headers_are_listed:
            try:
                for _, name, _ in headers._list:  # noqa: SLF001 - the class has been tried
                    if name == b"authorization":
                        break
                else:
                    headers._list.append(authorization.field)  # noqa: SLF001
                    return
            except (AttributeError, TypeError, ValueError):  # of another class, as a test may have it
                pass
        headers["Authorization"] = authorization

    def _resendable(self, bound: RenewingCache, request: _Request, response: _Response) -> _Request | None:
        """Return the request that was answered, if it can be sent again.

        After a redirect, that is another one than `request`, which has had its effect and is not repeated.
        """
        answered = response.request
        if answered is not request and request_origin(*_parts(answered)) != bound.origin:
            return None
        return answered if self._is_resendable(answered) else None

    def _is_resendable(self, request: _Request) -> bool:
        """Whether the body is bytes, or a multipart form whose files are bytes or can be rewound."""
        if isinstance(request.stream, self.bytes_stream):
            return True
        # The class of multipart bodies is not public. One that looks different is taken for a stream.
        parts = getattr(request.stream, "fields", None)
        return is_json_array(parts) and all(_is_rewindable(getattr(part, "file", b"")) for part in parts)


def are_listed(headers: _Headers) -> bool:
    """Whether a header that is added to the list in an object of this class is as good as one that is set.

    Args:
        headers: Headers without any, of the class that is tried. Both libraries keep them in a list, but not in public.
    """
    authorization = Authorization("Bearer token")
    try:
        headers._list.append(authorization.field)  # noqa: SLF001 - that is the question
        return bool(
            headers["authorization"] == authorization
            and headers.raw == [(b"Authorization", authorization.encode())]
            and headers == {"Authorization": authorization}
            and len(headers) == 1
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _parts(request: _Request) -> tuple[str, str | None, int | None]:
    return request.url.scheme, request.url.host, request.url.port


def _announces(headers: _Headers) -> bool:
    """Whether an answer has one of the headers that announce something. Hardly any has, so it must cost nothing."""
    try:
        # Both libraries keep the names like this: in public they come decoded, or in the case that they were sent in.
        # A loop, since it takes half of the time that a comprehension or `any` takes.
        for _, name, _ in headers._list:  # noqa: SLF001 - and see below
            if name in _ANNOUNCING:
                return True
    except (AttributeError, TypeError, ValueError):
        return not _ANNOUNCING.isdisjoint([name.lower() for name, _ in headers.raw])
    return False


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
