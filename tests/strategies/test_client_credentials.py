"""The client credentials flow and getting an API key, driven by hand."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import SecretStr

from procountor_auth.errors import (
    CredentialsRefused,
    InvalidClient,
    InvalidGrant,
    ProcountorAuthError,
    ServiceUnavailable,
    UnexpectedResponse,
)
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.strategies import ClientCredentialsStrategy
from procountor_auth.strategies.api_key import KeyRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token

_JSON: Final = {"content-type": ("application/json",)}
_GRANTED: Final = Response(200, _JSON, b'{"access_token": "acc3ss", "expires_in": 3600}')


@pytest.fixture
def strategy(client: OAuthClient) -> ClientCredentialsStrategy:
    """The strategy, with a key."""
    return ClientCredentialsStrategy(client, api_key=SecretStr("k3y"))


def test_the_request_is_the_documented_one(
    strategy: ClientCredentialsStrategy, form: Callable[[Request], dict[str, str]]
) -> None:
    """`oauth/token` gets the key, the redirect URI and the client's credentials in the body, and nothing else."""
    request = next(strategy.acquire())
    assert (request.method, request.url) == ("POST", "https://api.example/api/oauth/token")
    assert form(request) == {
        "grant_type": "client_credentials",
        "redirect_uri": "redirect-uri-placeholder",
        "api_key": "k3y",
        "client_id": "client-1",
        "client_secret": "cl13nt",
    }


def test_without_a_redirect_uri_none_is_sent(
    client: OAuthClient, form: Callable[[Request], dict[str, str]], finish: Callable[[Flow[Token], Response], Token]
) -> None:
    """The grant needs none; a refusal says that the vendor documents one."""
    flow = ClientCredentialsStrategy(replace(client, redirect_uri=""), api_key=SecretStr("k3y")).acquire()
    assert form(next(flow)).keys() == {"grant_type", "api_key", "client_id", "client_secret"}
    with pytest.raises(InvalidGrant) as refused:
        finish(flow, Response(400, _JSON, b'{"error": "invalid_grant"}'))
    assert refused.value.hint == (
        "Check PROCOUNTOR_API_KEY: it may be revoked, or belong to another PROCOUNTOR_CLIENT_ID. "
        "PROCOUNTOR_REDIRECT_URI is not set; the vendor documents it for this request, so try setting it."
    )


def test_the_answer_is_a_token_with_no_refresh_token(
    strategy: ClientCredentialsStrategy, now: float, finish: Callable[[Flow[Token], Response], Token]
) -> None:
    """The token lives from when it was asked for, and has no refresh token."""
    flow = strategy.acquire()
    next(flow)
    token = finish(flow, _GRANTED)
    assert (token.access_token, token.refresh_token) == ("acc3ss", None)
    assert (token.issued_at, token.expires_at, token.strategy) == (now, now + 3600, "client_credentials")


def test_renewing_asks_with_the_key_again(
    strategy: ClientCredentialsStrategy, finish: Callable[[Flow[Token], Response], Token]
) -> None:
    """When the token ends, the key gets the next one, with the same request as the first time."""
    flow = strategy.acquire()
    first = next(flow)
    token = finish(flow, _GRANTED)
    assert next(strategy.renew(token)) == first


_REFUSALS: Final[list[tuple[Response, type[ProcountorAuthError], bool, str]]] = [
    (Response(400, _JSON, b'{"error": "invalid_grant"}'), InvalidGrant, False, "PROCOUNTOR_API_KEY"),
    (Response(401, _JSON, b'{"error": "invalid_client"}'), InvalidClient, False, "PROCOUNTOR_CLIENT_SECRET"),
    (Response(400, _JSON, b'{"error": "unauthorized_client"}'), InvalidClient, False, "PROCOUNTOR_CLIENT_ID"),
    (Response(400, _JSON, b'{"error": "invalid_scope"}'), CredentialsRefused, False, "PROCOUNTOR_API_KEY"),
    (Response(400, _JSON, b'{"errors": [{"message": "no"}]}'), CredentialsRefused, False, "PROCOUNTOR_API_KEY"),
    (Response(401, _JSON, b""), CredentialsRefused, False, "PROCOUNTOR_API_KEY"),
    (Response(404, _JSON, b""), UnexpectedResponse, False, "PROCOUNTOR_BASE_URL"),
    (Response(403, {"content-type": ("text/html",)}, b"<html>"), UnexpectedResponse, False, "PROCOUNTOR_BASE_URL"),
    (Response(200, {"content-type": ("text/html",)}, b"<html>"), UnexpectedResponse, False, "PROCOUNTOR_BASE_URL"),
    (Response(307, {"location": ("https://evil.example/",)}), UnexpectedResponse, False, "PROCOUNTOR_BASE_URL"),
    (Response(429, {"retry-after": ("5",)}, b""), ServiceUnavailable, True, "5 seconds"),
    (Response(503, {"content-type": ("text/html",)}, b"<html>"), ServiceUnavailable, True, "try again later"),
]


@pytest.mark.parametrize(("response", "kind", "retryable", "hint"), _REFUSALS)
def test_every_refusal_has_its_kind_and_its_hint(
    strategy: ClientCredentialsStrategy,
    response: Response,
    kind: type[ProcountorAuthError],
    retryable: bool,  # noqa: FBT001 - a column of the table
    hint: str,
) -> None:
    """Each answer that brings no token is an error of one kind, retryable or not, that says what to do."""
    flow = strategy.acquire()
    next(flow)
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(response)
    assert type(caught.value) is kind
    assert caught.value.retryable is retryable
    assert hint in caught.value.hint


def test_the_strategy_shows_and_pickles_nothing(strategy: ClientCredentialsStrategy) -> None:
    """The repr names the host alone, and a pickle is refused."""
    assert repr(strategy) == "<ClientCredentialsStrategy for https://api.example>"
    assert "k3y" not in repr(vars(strategy))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(strategy)


def test_a_key_is_asked_for_at_keylogin(client: OAuthClient) -> None:
    """The visit for an API key goes to `keylogin`, with a state of its own."""
    url = KeyRequest(client).authorization_request().url
    query = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
    assert url.startswith("https://api.example/keylogin?")
    assert len(query.pop("state")) == 43
    assert query == {
        "response_type": "code",
        "client_id": "client-1",
        "redirect_uri": "redirect-uri-placeholder",
    }


def test_a_key_s_code_is_traded_at_oauth_key(
    client: OAuthClient,
    form: Callable[[Request], dict[str, str]],
    finish: Callable[[Flow[SecretStr], Response], SecretStr],
) -> None:
    """The code of `keylogin` becomes an API key at `oauth/key`, with the documented form."""
    keys = KeyRequest(client)
    flow = keys.exchange(SecretStr("c0de"), keys.authorization_request())
    request = next(flow)
    assert (request.method, request.url) == ("POST", "https://api.example/api/oauth/key")
    assert form(request) == {
        "grant_type": "authorization_code",
        "redirect_uri": "redirect-uri-placeholder",
        "code": "c0de",
        "client_id": "client-1",
        "client_secret": "cl13nt",
    }
    assert finish(flow, Response(200, _JSON, b'{"api_key": "n3w"}')).get_secret_value() == "n3w"


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(400, _JSON, b'{"error": "invalid_grant"}'), InvalidGrant),
        (Response(200, _JSON, b'{"access_token": "x"}'), UnexpectedResponse),
        (Response(502, _JSON, b""), ServiceUnavailable),
    ],
)
def test_a_refused_key_is_an_error(client: OAuthClient, response: Response, kind: type[ProcountorAuthError]) -> None:
    """Whatever else `oauth/key` answers is an error with a hint."""
    keys = KeyRequest(client)
    flow = keys.exchange(SecretStr("c0de"), keys.authorization_request())
    next(flow)
    with pytest.raises(kind) as caught:
        flow.send(response)
    assert caught.value.hint
