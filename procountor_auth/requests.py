"""Authentication for `requests`: extra `[requests]`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests.auth import AuthBase

from procountor_auth.tokens.bearer import Bearer

if TYPE_CHECKING:
    import requests

    from procountor_auth.protocol.token import Token
    from procountor_auth.tokens.renewing_cache import RenewingCache


class ProcountorAuth(Bearer, AuthBase):
    """`requests.get(…, auth=ProcountorAuth())`: the token of the environment's strategy on every request to its host.

    After a 401 the token is renewed once and the request sent once more, if its body can be sent again (a stream
    can't). Requests to other origins, redirects included, go without the token.

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
    """Sends one request once more after a 401, with a new token."""

    def __init__(self, auth: ProcountorAuth, bound: RenewingCache, token: Token) -> None:
        self._auth = auth
        self._bound = bound
        self._token = token
        self._tried = False

    def __call__(self, response: requests.Response, **how: Any) -> requests.Response:  # noqa: ANN401 - as requests sends
        self._bound.observe(response.headers.get, urlsplit(response.request.url or "").path)
        rejected = response.status_code == HTTPStatus.UNAUTHORIZED and self._auth._is_ours(  # noqa: SLF001 - its own file
            self._bound, response.request
        )
        if not rejected or self._tried or not self._auth.source.is_current(self._bound):
            return response
        self._tried = True
        token = self._bound.renew(self._token)
        body: Any = response.request.body
        if not isinstance(body, str | bytes | None):
            return response  # a stream, which the first try has used up
        # Reading it to its end frees the connection for the second try.
        _ = response.content
        response.close()
        again = response.request.copy()
        _put(token, again)
        answer: requests.Response = response.connection.send(again, **how)
        answer.history.append(response)
        answer.request = again
        return answer


class _Authorization(str):
    """The header's value. The frames of requests and urllib3 have it in a dictionary: tracebacks show its `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'Bearer **********'"


def _put(token: Token, request: requests.PreparedRequest) -> None:
    request.headers["Authorization"] = _Authorization(f"Bearer {token.access_token}")
