"""The authorization code flow, driven by hand."""

from __future__ import annotations

import dataclasses
import pickle
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from pydantic import SecretStr

from procountor_auth.errors import (
    CredentialsRefused,
    InteractionRequired,
    InvalidClient,
    InvalidGrant,
    ProcountorAuthError,
    ServiceUnavailable,
    UnexpectedResponse,
)
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.protocol.token import Token
from procountor_auth.strategies import AuthorizationCodeStrategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow

_JSON: Final = {"content-type": ("application/json",)}
_GRANTED: Final = Response(200, _JSON, b'{"access_token": "acc3ss", "refresh_token": "n3w", "expires_in": 3600}')
_REFUSED: Final = Response(400, _JSON, b'{"error": "invalid_grant"}')


@pytest.fixture
def strategy(client: OAuthClient) -> AuthorizationCodeStrategy:
    """The strategy, with a refresh token to start from."""
    return AuthorizationCodeStrategy(client, refresh_token=SecretStr("r3fresh"))


def test_a_visit_goes_to_the_login_page(strategy: AuthorizationCodeStrategy) -> None:
    """The browser is sent to `login` on the host, with the documented parameters and no more."""
    url = strategy.authorization_request().url
    query = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
    assert url.startswith("https://api.example/login?")
    assert len(query.pop("state")) == 43
    assert query == {"response_type": "code", "client_id": "client-1", "redirect_uri": "redirect-uri-placeholder"}


def test_a_code_is_traded_for_a_token(
    strategy: AuthorizationCodeStrategy,
    now: float,
    form: Callable[[Request], dict[str, str]],
    finish: Callable[[Flow[Token], Response], Token],
) -> None:
    """The exchange sends the documented form and returns a token with its refresh token."""
    flow = strategy.exchange(SecretStr("c0de"), strategy.authorization_request())
    request = next(flow)
    assert (request.method, request.url) == ("POST", "https://api.example/api/oauth/token")
    assert form(request) == {
        "grant_type": "authorization_code",
        "redirect_uri": "redirect-uri-placeholder",
        "code": "c0de",
        "client_id": "client-1",
        "client_secret": "cl13nt",
    }
    assert finish(flow, _GRANTED) == Token("acc3ss", now, now + 3600, "authorization_code", "n3w")


def test_the_redirect_uri_of_the_visit_is_sent(client: OAuthClient, form: Callable[[Request], dict[str, str]]) -> None:
    """The exchange names the redirect URI of its own visit, with the port that was listened on."""
    strategy = AuthorizationCodeStrategy(dataclasses.replace(client, redirect_uri="http://127.0.0.1/callback"))
    visit = strategy.authorization_request("http://127.0.0.1:4711/callback")
    assert form(next(strategy.exchange(SecretStr("c0de"), visit)))["redirect_uri"] == "http://127.0.0.1:4711/callback"


def test_pkce_is_proven_at_the_exchange(client: OAuthClient, form: Callable[[Request], dict[str, str]]) -> None:
    """With PKCE the exchange carries the verifier of its own visit."""
    strategy = AuthorizationCodeStrategy(dataclasses.replace(client, pkce=True))
    visit, other = strategy.authorization_request(), strategy.authorization_request()
    sent = form(next(strategy.exchange(SecretStr("c0de"), visit)))
    assert visit.code_verifier is not None
    assert sent["code_verifier"] == visit.code_verifier.get_secret_value()
    assert visit.code_verifier != other.code_verifier


def test_a_used_code_is_final(strategy: AuthorizationCodeStrategy) -> None:
    """A refused code is `InvalidGrant` and asks for another login; nothing is sent a second time."""
    flow = strategy.exchange(SecretStr("c0de"), strategy.authorization_request())
    next(flow)
    with pytest.raises(InvalidGrant) as caught:
        flow.send(_REFUSED)
    assert not caught.value.retryable
    assert "log in again" in caught.value.hint


def test_without_a_refresh_token_a_person_is_needed(client: OAuthClient) -> None:
    """Without a refresh token nothing is sent, and the error names both ways to a token."""
    with pytest.raises(InteractionRequired) as caught:
        next(AuthorizationCodeStrategy(client).acquire())
    assert not caught.value.retryable
    assert "PROCOUNTOR_REFRESH_TOKEN" in caught.value.hint
    assert "begin_login()" in caught.value.hint
    assert "login.complete(" in caught.value.hint


def test_the_configured_refresh_token_is_the_start(
    strategy: AuthorizationCodeStrategy, form: Callable[[Request], dict[str, str]]
) -> None:
    """A configured refresh token is traded at once, with the client's credentials."""
    request = next(strategy.acquire())
    assert request.url == "https://api.example/api/oauth/token"
    assert form(request) == {
        "grant_type": "refresh_token",
        "refresh_token": "r3fresh",
        "client_id": "client-1",
        "client_secret": "cl13nt",
    }


@pytest.mark.parametrize(
    ("answered", "kept"),
    [
        (b'{"access_token": "a", "expires_in": 3600}', "r3fresh"),
        (b'{"access_token": "a", "expires_in": 3600, "refresh_token": null}', "r3fresh"),
        (b'{"access_token": "a", "expires_in": 3600, "refresh_token": "r3fresh"}', "r3fresh"),
        (b'{"access_token": "a", "expires_in": 3600, "refresh_token": "n3w"}', "n3w"),
    ],
    ids=["omitted", "null", "repeated", "rotated"],
)
def test_the_refresh_token_is_kept_or_replaced(
    strategy: AuthorizationCodeStrategy,
    answered: bytes,
    kept: str,
    finish: Callable[[Flow[Token], Response], Token],
    form: Callable[[Request], dict[str, str]],
) -> None:
    """A refresh token stays until the server sends another, and the next renewal uses the last one."""
    flow = strategy.acquire()
    next(flow)
    token = finish(flow, Response(200, _JSON, answered))
    assert token.refresh_token == kept
    assert form(next(strategy.renew(token)))["refresh_token"] == kept


@pytest.mark.parametrize("configured", [None, "s3cret"])
def test_an_ended_refresh_token_needs_a_person(client: OAuthClient, now: float, configured: str | None) -> None:
    """A refused refresh token is `InteractionRequired` with both ways in its hint, and its text has no secret."""
    strategy = AuthorizationCodeStrategy(client, refresh_token=SecretStr(configured) if configured else None)
    flow = strategy.renew(Token("old", now, now + 1, "authorization_code", "s3cret"))
    next(flow)
    with pytest.raises(InteractionRequired, match="invalid_grant") as caught:
        flow.send(Response(400, _JSON, b'{"error": "invalid_grant", "error_description": "s3cret has ended"}'))
    assert "PROCOUNTOR_REFRESH_TOKEN" in caught.value.hint
    assert "begin_login()" in caught.value.hint
    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_refusal_of_one_refresh_token_sends_no_other(
    strategy: AuthorizationCodeStrategy, now: float, form: Callable[[Request], dict[str, str]]
) -> None:
    """Whether the configured refresh token may be sent instead is not known here: it may be spent."""
    flow = strategy.renew(Token("old", now, now + 1, "authorization_code", "0ld"))
    assert form(next(flow))["refresh_token"] == "0ld"
    with pytest.raises(InteractionRequired) as caught:
        flow.send(_REFUSED)
    assert caught.value.definite
    assert strategy.initial_refresh_token == SecretStr("r3fresh")


def test_a_refresh_token_that_says_it_has_ended_is_not_sent(
    client: OAuthClient, strategy: AuthorizationCodeStrategy, now: float, form: Callable[[Request], dict[str, str]]
) -> None:
    """A refresh token whose own `exp` has passed is not tried: the configured one is, or a person is asked."""
    ended = Token("old", now, now + 1, "authorization_code", jwt.encode({"exp": int(now) - 1}, "x" * 32))
    assert form(next(strategy.renew(ended)))["refresh_token"] == "r3fresh"
    with pytest.raises(InteractionRequired):
        next(AuthorizationCodeStrategy(client).renew(ended))


_REFUSALS: Final[list[tuple[Response, type[ProcountorAuthError]]]] = [
    (Response(401, _JSON, b'{"error": "invalid_client"}'), InvalidClient),
    (Response(400, _JSON, b'{"error": "invalid_request"}'), CredentialsRefused),
    (Response(403, _JSON, b'{"errors": [{"message": "no"}]}'), CredentialsRefused),
    (Response(401, _JSON, b'{"errors": [{"message": "Client authentication failed"}]}'), InvalidClient),
    (Response(503, {"content-type": ("text/html",)}, b"<html>"), ServiceUnavailable),
    (Response(429, _JSON, b""), ServiceUnavailable),
    (Response(200, {"content-type": ("text/html",)}, b"<html>"), UnexpectedResponse),
    (Response(307, {"location": ("https://evil.example/",)}), UnexpectedResponse),
]


@pytest.mark.parametrize(("response", "kind"), _REFUSALS)
def test_other_errors_do_not_ask_for_a_login(
    strategy: AuthorizationCodeStrategy, response: Response, kind: type[ProcountorAuthError]
) -> None:
    """Only `invalid_grant` ends a refresh token: an outage or a wrong client is what it is, with a hint."""
    flow = strategy.acquire()
    next(flow)
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(response)
    assert type(caught.value) is kind
    assert caught.value.retryable is (kind is ServiceUnavailable)
    assert caught.value.hint


def test_the_strategy_shows_and_pickles_nothing(strategy: AuthorizationCodeStrategy) -> None:
    """The repr names the host alone, and a pickle is refused."""
    assert repr(strategy) == "<AuthorizationCodeStrategy for https://api.example>"
    assert "r3fresh" not in repr(vars(strategy))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(strategy)
