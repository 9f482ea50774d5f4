"""What the strategies' errors say, word by word: people search for these sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, ProcountorAuthError
from procountor_auth.protocol.flow import Response
from procountor_auth.settings import Settings
from procountor_auth.strategies import AuthorizationCodeStrategy, ClientCredentialsStrategy, LegacyPasswordStrategy
from procountor_auth.strategies.api_key import KeyRequest
from procountor_auth.strategies.authorization_code import WAYS
from procountor_auth.strategies.registry import build

if TYPE_CHECKING:
    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow

_REFUSED: Final = Response(401, {"content-type": ("text/html",)}, b"<html>")
_SECRET: Final = SecretStr("s3cret")


def _authorization_code(client: OAuthClient) -> Flow[Any]:
    strategy = AuthorizationCodeStrategy(client)
    return strategy.exchange(_SECRET, strategy.authorization_request())


def _key(client: OAuthClient) -> Flow[Any]:
    request = KeyRequest(client)
    return request.exchange(_SECRET, request.authorization_request())


def _legacy(client: OAuthClient) -> LegacyPasswordStrategy:
    return LegacyPasswordStrategy(client, username=_SECRET, password=_SECRET, company=_SECRET, policy="allow")


_FLOWS: Final = {
    "code": (
        _authorization_code,
        "the authorization code grant",
        "A code can be used once, within a few minutes: log in again.",
    ),
    "key": (_key, "the request for an API key", "Start the key login again."),
    "credentials": (
        lambda client: ClientCredentialsStrategy(client, api_key=_SECRET).acquire(),
        "the client credentials grant",
        "Check PROCOUNTOR_API_KEY: it may be revoked, or belong to another PROCOUNTOR_CLIENT_ID.",
    ),
    "refresh": (
        lambda client: AuthorizationCodeStrategy(client, refresh_token=_SECRET).acquire(),
        "the refresh token grant",
        WAYS,
    ),
}


@pytest.mark.parametrize(("start", "what", "hint"), _FLOWS.values(), ids=_FLOWS)
def test_a_refused_grant_is_named(client: OAuthClient, start: Any, what: str, hint: str) -> None:  # noqa: ANN401
    """The error of a refused token request names the grant, and says in one sentence what to do."""
    flow = start(client)
    next(flow)
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(_REFUSED)
    assert (caught.value.message, caught.value.hint) == (f"The server rejected {what} (status 401).", hint)


def test_a_refused_code_of_the_legacy_login_is_named(client: OAuthClient) -> None:
    """The error of the legacy login's second request names the code, and not the password."""
    flow = _legacy(client).acquire()
    state = next(flow).url.partition("state=")[2]
    flow.send(Response(302, {"location": (f"redirect-uri-placeholder?code=c0de&state={state}",)}))
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(_REFUSED)
    assert caught.value.message == "The server rejected the authorization code grant (status 401)."
    assert caught.value.hint == "The code was not accepted: try again."


@pytest.mark.parametrize(
    ("response", "message", "hint"),
    [
        (
            Response(403, {"content-type": ("text/html",)}, b"<html>"),
            "The legacy login is gone, or a gateway blocks it: oauth/authz responded with status 403 and a web page (",
            " If other hosts still offer it, check PROCOUNTOR_BASE_URL.",
        ),
        (
            Response(410),
            "The legacy login is gone: oauth/authz responded with status 410",
            " If other hosts still offer it, check PROCOUNTOR_BASE_URL.",
        ),
        (
            Response(200, {"content-type": ("application/json",)}, b"{}"),
            "The legacy login responded with status 200 instead of a redirect.",
            "Check PROCOUNTOR_BASE_URL and PROCOUNTOR_API_VERSION.",
        ),
        (
            Response(302),
            "The response to the legacy login has 0 Location headers instead of one.",
            "Try again. If it happens again, the server has changed: switch the strategy. ",
        ),
    ],
)
def test_what_oauth_authz_answers_is_told(client: OAuthClient, response: Response, message: str, hint: str) -> None:
    """The error of the legacy login's first request says what came instead of a redirect."""
    flow = _legacy(client).acquire()
    next(flow)
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(response)
    assert caught.value.message.startswith(message)
    assert caught.value.hint.startswith(hint) or caught.value.hint.endswith(hint)


def test_a_login_that_is_needed_is_told(client: OAuthClient) -> None:
    """Without a refresh token the error says so."""
    with pytest.raises(ProcountorAuthError) as caught:
        next(AuthorizationCodeStrategy(client).acquire())
    assert caught.value.message == "The authorization_code strategy has no refresh token to start with."
    assert caught.value.hint == WAYS


def test_an_unknown_strategy_is_named() -> None:
    """A strategy that nobody has registered is named in the error."""
    with pytest.raises(ConfigurationError) as caught:
        build(Settings.model_construct(), name="nobodys")
    assert caught.value.message == "There is no strategy nobodys."
    assert caught.value.hint == "Correct PROCOUNTOR_STRATEGY."
