"""Authentication for `requests`: extra `[requests]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests.auth import AuthBase
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from procountor_auth.tokens.bearer import Bearer, header_of, told

if TYPE_CHECKING:
    import requests

    from procountor_auth.protocol.token import Token
    from procountor_auth.tokens.renewing_cache import RenewingCache


class ProcountorAuth(Bearer, AuthBase):
    """`requests.get(…, auth=ProcountorAuth())`: the token of the environment's strategy on every request to its host.

    After a 401 the token is renewed once and the request sent once more, if its body can be sent again: bytes, JSON, a
    form with files, an open file, but no stream. Requests to other origins, redirects included, go without the token.

    Args:
        source: Where the tokens come from; by default the one that the environment describes.
        profile: Which profile of the environment to use; by default the one that `PROCOUNTOR_PROFILE` names, if any.

    Raises:
        ConfigurationError: There is no source given, and the environment does not describe one.
    """

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token on a request, and a hook that watches for a 401."""
        bound = self.source.bind()
        if self._is_ours(bound, request):
            token = bound.token()
            _put(token, request)
            request.register_hook("response", _Retry(self, bound, token))  # type: ignore[no-untyped-call]
        return request

    def _is_ours(self, bound: RenewingCache, request: requests.PreparedRequest) -> bool:
        parts = urlsplit(request.url or "")
        return self.is_for(parts.scheme, parts.hostname, parts.port, bound)


class _Retry:
    """Sends a request once more after a 401, with a new token. It stays with its request, which may be sent often."""

    def __init__(self, auth: ProcountorAuth, bound: RenewingCache, token: Token) -> None:
        self._auth = auth
        self._bound = bound
        self._token = token

    def __call__(self, response: requests.Response, **how: Any) -> requests.Response:  # noqa: ANN401 - as requests sends
        self._bound.observe(response.headers.get, urlsplit(response.request.url or "").path)
        resendable = _is_rewindable(response.request)
        if not self._auth.is_to_be_replaced(self._bound, self._token, *told(response), resendable=resendable):
            return response
        token = self._bound.renew(self._token)
        self._bound.rejections.replaced(self._token, token)
        again = response.request.copy()
        if not (resendable and _rewind(again)):
            return response
        # Reading it to its end frees the connection for the second try.
        _ = response.content
        response.close()
        _put(token, again)
        answer: requests.Response = response.connection.send(again, **how)
        answer.history.append(response)
        answer.request = again
        self._auth.hear_again(self._bound, token, *told(answer))
        return answer


class _Authorization(str):
    """The header's value. The frames of requests and urllib3 have it in a dictionary: tracebacks show its `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'Bearer **********'"


def _put(token: Token, request: requests.PreparedRequest) -> None:
    request.headers["Authorization"] = _Authorization(header_of(token))


def _is_rewindable(request: requests.PreparedRequest) -> bool:
    """Whether the body can be sent again: bytes, or a file that knows where it began. A stream is used up."""
    body: Any = request.body
    return isinstance(body, str | bytes | None) or (hasattr(body, "seek") and hasattr(body, "tell"))


def _rewind(request: requests.PreparedRequest) -> bool:
    """Take a file back to where it began. Return whether that could be done."""
    body: Any = request.body
    if isinstance(body, str | bytes | None):
        return True
    try:
        rewind_body(request)
    except (UnrewindableBodyError, ValueError):  # the latter of a file that is closed
        return False
    return True
