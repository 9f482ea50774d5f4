"""Authentication for `requests`: extra `[requests]`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar
from urllib.parse import urlsplit

from requests import auth, exceptions, utils  # from the package: see `importing`

from procountor_auth.protocol import sunset
from procountor_auth.protocol.json_object import is_json_object
from procountor_auth.tokens.bearer import UNAUTHORIZED, Bearer, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import requests

    from procountor_auth.protocol.token import Token
    from procountor_auth.tokens.origin import Origin
    from procountor_auth.tokens.renewing_cache import RenewingCache

__all__ = ["ProcountorAuth"]

_How: TypeAlias = Any
"""The options that `requests` sends a request with, such as a timeout, a proxy, certificates."""


class _Prepared(Protocol):
    """A request that is about to be sent: by `requests`, or by niquests, which has classes of its own."""

    url: str | None

    @property
    def headers(self) -> Any: ...  # noqa: ANN401 - each library's own kind of dict

    @property
    def register_hook(self) -> Callable[..., Any]: ...


_Request = TypeVar("_Request", bound=_Prepared)


class ProcountorAuth(Bearer, auth.AuthBase):
    """Adds the token to every request to the configured host: `requests.get(…, auth=ProcountorAuth())`.

    After a 401, it renews the token and sends the request once more, if the body can be sent again: bytes, JSON, a form
    with files or an open file, but not a stream. Requests to other origins, including redirects, are sent without the
    token.

    Args:
        source: Where the tokens come from; by default a source that is configured by the environment.
        profile: The profile to use; by default the one that `PROCOUNTOR_PROFILE` names, if any.

    Raises:
        ConfigurationError: No source is given, and the environment's configuration is incomplete or invalid.
    """

    _found: tuple[Origin, str] | None = None
    """The origin of the last request and the prefix of its URLs, such as `https://api.procountor.com/`.

    Most requests go to the same origin as the one before.
    """

    def __call__(self, request: _Request) -> _Request:
        """Add the token to a request, and a hook that handles a 401.

        Args:
            request: The request, of `requests` or of niquests.

        Raises:
            TypeError: The request belongs to another HTTP client.
        """
        if not hasattr(request, "register_hook"):
            raise TypeError(
                "This ProcountorAuth is for requests: import it from procountor_auth.httpx or procountor_auth.httpx2 "
                "for that client."
            )
        bound = self.source.bind()
        if self._is_ours(bound, request.url or ""):
            token = bound.token()
            request.headers["Authorization"] = token.authorization
            # The hook stays on the request, which may be sent more than once.
            request.register_hook("response", partial(self._hear, bound, token))
        return request

    def _is_ours(self, bound: RenewingCache, url: str) -> bool:
        found = self._found
        if found is not None and found[0] == bound.origin and url.startswith(found[1]):
            return True
        parts = urlsplit(url)
        is_ours = self.is_for(parts.scheme, parts.hostname, parts.port, bound)
        if is_ours and "@" not in parts.netloc:  # don't keep a password
            self._found = bound.origin, f"{parts.scheme}://{parts.netloc}/"
        return is_ours

    def _hear(
        self, bound: RenewingCache, used: Token, /, response: requests.Response, **how: _How
    ) -> requests.Response:
        """After a 401, renew the token and send the request once more."""
        if not sunset.HEADERS.isdisjoint(_names(response.headers)):
            bound.observe(response.headers.get, urlsplit(response.request.url or "").path)
        if response.status_code != UNAUTHORIZED and used is not bound.rejections.unproven:
            return response  # nearly always
        resendable = _is_rewindable(response.request)
        if not self.is_to_be_replaced(bound, used, *told(response), resendable=resendable):
            return response
        try:
            token = bound.renew(used)
        except BaseException:
            response.close()  # as httpx does it: nobody else can give its connection back
            raise
        bound.rejections.replaced(used, token)
        again = response.request.copy()
        if not (resendable and _rewind(again)):
            return response
        # Reading the whole body frees the connection for the second attempt.
        _ = response.content
        response.close()
        again.headers["Authorization"] = token.authorization
        answer: requests.Response = response.connection.send(again, **how)
        answer.history.append(response)
        answer.request = again
        self.hear_again(bound, token, *told(answer))
        return answer


def _names(headers: Mapping[str, str]) -> Iterable[str]:
    """Return the names of a response's headers in lower case."""
    # `requests` stores them in lower case; its public interface is a generator of the names as they were sent.
    names = getattr(headers, "_store", None)
    return names if is_json_object(names) else map(str.lower, headers)


def _is_rewindable(request: requests.PreparedRequest) -> bool:
    """Whether the body can be sent again: bytes, or a seekable file. A stream can be read only once."""
    body: Any = request.body
    return isinstance(body, str | bytes | None) or (hasattr(body, "seek") and hasattr(body, "tell"))


def _rewind(request: requests.PreparedRequest) -> bool:
    """Rewind a file to its starting position. Return whether that succeeded."""
    body: Any = request.body
    if isinstance(body, str | bytes | None):
        return True
    try:
        utils.rewind_body(request)
    except (exceptions.UnrewindableBodyError, ValueError):  # ValueError: the file is closed
        return False
    return True
