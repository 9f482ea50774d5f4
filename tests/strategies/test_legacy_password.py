"""The legacy login, driven by hand."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import SecretStr

from procountor_auth import Settings, TokenSource
from procountor_auth.errors import (
    CredentialsRefused,
    InvalidClient,
    InvalidGrant,
    LegacyNotAllowed,
    LegacyRemoved,
    ProcountorAuthError,
    RedirectError,
    ServiceUnavailable,
    StateMismatch,
    UnexpectedResponse,
)
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.protocol.token import Token
from procountor_auth.strategies import LegacyPasswordStrategy
from procountor_auth.strategies.deprecation import LegacyAuthWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow

# The answer that the vendor's page on legacy authentication shows.
_SAMPLE: Final = {
    "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2FwaS10ZXN0LnByb2NvdW50b3IuY29tIiwi"
    "YXVkIjoiY2xpZW50X2lkIiwic3ViIjoyNjUzNSwiY2lkIjoxNDE1OSwianRpIjoiN2Q0NDQ4NDAtOWRjMC0xMWQxLWIyNDUtNWZmZGNlNzRmYWQyIi"
    "wiYXV0aF90aW1lIjoxNjA3OTYyNDc5LCJpYXQiOjE2MDc5NjI0ODAsImV4cCI6MTYwNzk2NjA4MH0.GFBGknrx39Jm2UbUOrtV6X0R3pzaldmXa-AQ"
    "hYVQ5JE",
    "refresh_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2FwaS10ZXN0LnByb2NvdW50b3IuY29tIiwi"
    "YXVkIjoiY2xpZW50X2lkIiwic3ViIjoyNjUzNSwiY2lkIjoxNDE1OSwianRpIjoiN2Q0NDQ4NDAtOWRjMC0xMWQxLWIyNDUtNWZmZGNlNzRmYWQyIi"
    "wiYXV0aF90aW1lIjoxNjA3OTYyNDc5LCJpYXQiOjE2MDc5NjI0ODAsImV4cCI6MTYyMzY4NzI4MH0.DCaErPNgefZDa1hZF4t1L8pp4Dw_RiH-TUCk"
    "bUVqIRA",
    "expires_in": 3600,
}

_GRANTED: Final = Response(200, {}, json.dumps(_SAMPLE).encode())
_JSON: Final = {"content-type": ("application/json",)}
_HTML: Final = {"content-type": ("text/html; charset=utf-8",)}


def _strategy(client: OAuthClient, **changes: Any) -> LegacyPasswordStrategy:  # noqa: ANN401 - its own keywords
    credentials = {"username": SecretStr("us3r"), "password": SecretStr("passw0rd"), "company": SecretStr("14159")}
    return LegacyPasswordStrategy(client, **{**credentials, "policy": "allow", **changes})


def _state(request: Request) -> str:
    return dict(parse_qsl(urlsplit(request.url).query))["state"]


def _redirect(request: Request, code: str = "c0de") -> Response:
    location = f"redirect-uri-placeholder?code={code}&expires_in=300&state={_state(request)}"
    return Response(302, {"location": (location,)})


def test_the_first_request_is_the_documented_one(
    client: OAuthClient, form: Callable[[Request], dict[str, str]]
) -> None:
    """`oauth/authz` gets response type, client and state in the query, and every credential in the body."""
    request = next(_strategy(client).acquire())
    query = dict(parse_qsl(urlsplit(request.url).query, strict_parsing=True))
    state = query.pop("state")
    assert (request.method, request.url.partition("?")[0]) == ("POST", "https://api.example/api/oauth/authz")
    assert query == {"response_type": "code", "client_id": "client-1"}
    assert len(state) == 43
    assert request.bearer is None
    assert form(request) == {
        "response_type": "code",
        "username": "us3r",
        "password": "passw0rd",
        "company": "14159",
        "redirect_uri": "redirect-uri-placeholder",
    }


def test_the_second_request_trades_the_code(client: OAuthClient, form: Callable[[Request], dict[str, str]]) -> None:
    """`oauth/token` gets the code of the redirect, with nothing of the password in the request."""
    flow = _strategy(client).acquire()
    request = flow.send(_redirect(next(flow), code="c0de%2B1"))
    assert (request.method, request.url) == ("POST", "https://api.example/api/oauth/token")
    assert form(request) == {
        "grant_type": "authorization_code",
        "redirect_uri": "redirect-uri-placeholder",
        "code": "c0de+1",
        "client_id": "client-1",
        "client_secret": "cl13nt",
    }


def test_the_vendor_s_own_sample_is_understood(
    client: OAuthClient, now: float, finish: Callable[[Flow[Token], Response], Token]
) -> None:
    """The answer on the vendor's page becomes a token whose company, user and ends are those in its JWTs."""
    flow = _strategy(client).acquire()
    flow.send(_redirect(next(flow)))
    token = finish(flow, _GRANTED)
    assert token.strategy == "legacy_password"
    assert (token.company_id, token.user_id) == (14159, 26535)
    assert (token.issued_at, token.expires_at) == (now, now + 3600)
    assert token.refresh_expires_at == 1_623_687_280
    assert (token.access_token, token.refresh_token) == (_SAMPLE["access_token"], _SAMPLE["refresh_token"])


@pytest.mark.parametrize(
    "password",
    ["a&b=c", "1+1 %41 %", ";/?#:@", " leading and trailing ", "pässwörd€", "🔑🗝", "\"'<>\\`${HOME}", "\t\r\n"],
)
def test_any_password_arrives_as_it_is(
    client: OAuthClient, password: str, form: Callable[[Request], dict[str, str]]
) -> None:
    """User names and passwords survive whatever characters they have."""
    secret = SecretStr(password)
    sent = form(next(_strategy(client, username=secret, password=secret).acquire()))
    assert (sent["username"], sent["password"]) == (password, password)


def test_every_attempt_has_a_state_of_its_own(client: OAuthClient) -> None:
    """No two logins share a state, not even those of one strategy."""
    strategy = _strategy(client)
    assert len({_state(next(strategy.acquire())) for _ in range(20)}) == 20


@pytest.mark.parametrize("status", [302, 303])
@pytest.mark.parametrize(
    "base", ["redirect-uri-placeholder", "/redirect-uri-placeholder", "https://api.example/redirect-uri-placeholder"]
)
def test_the_redirect_may_be_absolute(client: OAuthClient, status: int, base: str) -> None:
    """The registered word is recognised bare, below the host's root, and as a URL on the same host."""
    flow = _strategy(client).acquire()
    state = _state(next(flow))
    assert flow.send(Response(status, {"location": (f"{base}?code=c0de&state={state}",)})).path == "/api/oauth/token"


_REDIRECTS: Final = [
    ((), RedirectError),
    (("redirect-uri-placeholder?code=a&state={state}", "redirect-uri-placeholder?code=b&state={state}"), RedirectError),
    (("",), RedirectError),
    (("https://evil.example/redirect-uri-placeholder?code=c0de&state={state}",), RedirectError),
    (("https://api.example/login",), RedirectError),
    (("redirect-uri-placeholder?state={state}",), RedirectError),
    (("redirect-uri-placeholder?code=a&code=b&state={state}",), RedirectError),
    (("redirect-uri-placeholder?code=c0de&state={state}&state={state}",), RedirectError),
    (("redirect-uri-placeholder?state={state}#code=c0de",), RedirectError),
    (("redirect-uri-placeholder?code=c0de&state={state}&name=ä",), RedirectError),
    (("redirect-uri-placeholder?error=invalid_request&state={state}",), RedirectError),
    (("redirect-uri-placeholder?error=access_denied&state={state}",), InvalidGrant),
    (("redirect-uri-placeholder?code=c0de",), StateMismatch),
    (("redirect-uri-placeholder?code=c0de&state=",), StateMismatch),
    (("redirect-uri-placeholder?code=c0de&state=wrong",), StateMismatch),
    (("redirect-uri-placeholder?error=access_denied&state=wrong",), StateMismatch),
]


@pytest.mark.parametrize(("locations", "kind"), _REDIRECTS)
def test_a_wrong_redirect_ends_the_login(
    client: OAuthClient, locations: tuple[str, ...], kind: type[ProcountorAuthError]
) -> None:
    """A redirect that can't be trusted or used is an error of its own kind, final, and nothing more is sent."""
    flow = _strategy(client).acquire()
    state = _state(next(flow))
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(Response(302, {"location": tuple(each.format(state=state) for each in locations)}))
    assert type(caught.value) is kind
    assert not caught.value.retryable
    assert caught.value.hint


def test_a_login_that_the_redirect_declines_is_refused(client: OAuthClient) -> None:
    """A server may refuse a password in either way; it is not sent again at once, as there may be a lock."""
    flow = _strategy(client).acquire()
    state = _state(next(flow))
    with pytest.raises(InvalidGrant) as caught:
        flow.send(Response(302, {"location": (f"redirect-uri-placeholder?error=access_denied&state={state}",)}))
    assert (caught.value.message, caught.value.hint) == (
        "The server refused the legacy login (access_denied).",
        "Check PROCOUNTOR_USERNAME, PROCOUNTOR_PASSWORD and PROCOUNTOR_COMPANY.",
    )
    assert (caught.value.error, caught.value.definite) == ("access_denied", True)
    assert caught.value.__context__ is None


def test_a_missing_state_can_be_tolerated_but_not_a_wrong_one(client: OAuthClient) -> None:
    """With `allow_missing_state` the login goes on without a state, and still stops at a wrong one."""
    strategy = _strategy(client, allow_missing_state=True)
    flow = strategy.acquire()
    next(flow)
    request = flow.send(Response(302, {"location": ("redirect-uri-placeholder?code=c0de",)}))
    assert request.path == "/api/oauth/token"
    flow = strategy.acquire()
    next(flow)
    with pytest.raises(StateMismatch):
        flow.send(Response(302, {"location": ("redirect-uri-placeholder?code=c0de&state=wrong",)}))


_REFUSALS: Final[list[tuple[Response, type[ProcountorAuthError], str]]] = [
    (Response(400, _JSON, b'{"error": "invalid_grant"}'), InvalidGrant, "PROCOUNTOR_PASSWORD"),
    (Response(401, _JSON, b'{"error": "invalid_client"}'), InvalidClient, "PROCOUNTOR_CLIENT_ID"),
    (Response(400, _JSON, b'{"error": "unsupported_response_type"}'), CredentialsRefused, "PROCOUNTOR_COMPANY"),
    (
        Response(400, _JSON, b'{"errors": [{"status": 400, "message": "Bad"}]}'),
        CredentialsRefused,
        "PROCOUNTOR_USERNAME",
    ),
    (Response(403, _JSON, b'{"errors": [{"status": 403}]}'), CredentialsRefused, "PROCOUNTOR_COMPANY"),
    (Response(401, _JSON, b"{}"), CredentialsRefused, "PROCOUNTOR_PASSWORD"),
    (Response(404, _JSON, b'{"errors": [{"status": 404}]}'), LegacyRemoved, "PROCOUNTOR_STRATEGY=client_credentials"),
    (Response(404, _HTML, b"<html>"), LegacyRemoved, "PROCOUNTOR_STRATEGY=client_credentials"),
    (Response(405, _JSON, b"{}"), LegacyRemoved, "PROCOUNTOR_API_KEY"),
    (Response(410, _JSON, b"{}"), LegacyRemoved, "PROCOUNTOR_STRATEGY=authorization_code"),
    (Response(200, _HTML, b"<html><form>"), LegacyRemoved, "PROCOUNTOR_BASE_URL"),
    (Response(200, _JSON, b'{"code": "c0de"}'), UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (Response(200, _JSON, b""), UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (Response(400, _JSON, b""), UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (Response(301, {"location": ("https://evil.example/",)}), UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (Response(307, {"location": ("https://evil.example/",)}), UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (Response(308, {"location": ("/api/oauth/authz/",)}), UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
]


@pytest.mark.parametrize(("response", "kind", "hint"), _REFUSALS)
def test_a_refused_login_says_what_to_do(
    client: OAuthClient, response: Response, kind: type[ProcountorAuthError], hint: str
) -> None:
    """Every answer of `oauth/authz` that is no redirect is a final error with a hint that fits."""
    flow = _strategy(client).acquire()
    next(flow)
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(response)
    assert type(caught.value) is kind
    assert not caught.value.retryable
    assert hint in caught.value.hint


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("headers", [_JSON, _HTML])
def test_an_outage_is_no_removal(client: OAuthClient, status: int, headers: dict[str, tuple[str, ...]]) -> None:
    """A gateway's error page for a server that is down is retryable, and does not say that the login is gone."""
    flow = _strategy(client).acquire()
    next(flow)
    with pytest.raises(ServiceUnavailable) as caught:
        flow.send(Response(status, headers, b"<html>" if headers is _HTML else b"{}"))
    assert caught.value.retryable


def test_a_code_that_is_refused_does_not_blame_the_password(client: OAuthClient) -> None:
    """When `oauth/token` refuses the code, the hint does not ask to check the password."""
    flow = _strategy(client).acquire()
    flow.send(_redirect(next(flow)))
    with pytest.raises(InvalidGrant) as caught:
        flow.send(Response(400, _JSON, b'{"error": "invalid_grant"}'))
    assert "PASSWORD" not in caught.value.hint


@pytest.mark.parametrize("echo", ["us3r", "passw0rd", "14159"])
def test_an_echoed_credential_is_not_in_the_error(client: OAuthClient, echo: str) -> None:
    """A server that repeats a credential in its refusal does not get it into our error."""
    flow = _strategy(client).acquire()
    next(flow)
    with pytest.raises(InvalidGrant) as caught:
        flow.send(
            Response(400, _JSON, json.dumps({"error": "invalid_grant", "error_description": f"no {echo}"}).encode())
        )
    assert echo not in str(caught.value)


def test_renewing_uses_the_refresh_token_first(
    client: OAuthClient, now: float, form: Callable[[Request], dict[str, str]]
) -> None:
    """With a refresh token the password stays at home."""
    request = next(_strategy(client).renew(Token("old", now, now + 1, "legacy_password", "r3fresh")))
    assert form(request) == {
        "grant_type": "refresh_token",
        "refresh_token": "r3fresh",
        "client_id": "client-1",
        "client_secret": "cl13nt",
    }


def test_a_refused_refresh_token_leads_back_to_the_password(
    client: OAuthClient, now: float, finish: Callable[[Flow[Token], Response], Token]
) -> None:
    """Where the refresh token has ended, the password gets a new token in the same renewal."""
    flow = _strategy(client).renew(Token("old", now, now + 1, "legacy_password", "r3fresh"))
    next(flow)
    request = flow.send(Response(400, _JSON, b'{"error": "invalid_grant"}'))
    assert request.path == "/api/oauth/authz"
    flow.send(_redirect(request))
    assert finish(flow, _GRANTED).refresh_token == _SAMPLE["refresh_token"]


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(503, _HTML, b"<html>"), ServiceUnavailable),
        (Response(401, _JSON, b'{"error": "invalid_client"}'), InvalidClient),
    ],
)
def test_no_other_error_sends_the_password(
    client: OAuthClient, now: float, response: Response, kind: type[ProcountorAuthError]
) -> None:
    """Only a refused refresh token makes a renewal send the password again."""
    flow = _strategy(client).renew(Token("old", now, now + 1, "legacy_password", "r3fresh"))
    next(flow)
    with pytest.raises(kind):
        flow.send(response)


def test_renewing_without_a_refresh_token_asks_once(client: OAuthClient, now: float) -> None:
    """Without a refresh token a refused password is refused once, and not sent a second time."""
    flow = _strategy(client).renew(Token("old", now, now + 1, "legacy_password"))
    assert next(flow).path == "/api/oauth/authz"
    with pytest.raises(InvalidGrant):
        flow.send(Response(400, _JSON, b'{"error": "invalid_grant"}'))


@pytest.mark.parametrize("allowed", [True, False])
def test_the_settings_say_whether_a_state_may_be_missing(*, allowed: bool) -> None:
    """PROCOUNTOR_ALLOW_MISSING_STATE reaches the login."""
    settings = Settings(
        strategy="legacy_password",
        environment="production",
        client_id="client-1",
        client_secret="cl13nt",
        redirect_uri="redirect-uri-placeholder",
        username="us3r",
        password="passw0rd",
        company="14159",
        allow_missing_state=allowed,
    )
    flow = LegacyPasswordStrategy.from_settings(settings).acquire()
    next(flow)
    answer = Response(302, {"location": ("redirect-uri-placeholder?code=c0de",)})
    if allowed:
        assert flow.send(answer).path == "/api/oauth/token"
    else:
        with pytest.raises(StateMismatch):
            flow.send(answer)


def test_the_policy_is_applied_before_anything_else(client: OAuthClient) -> None:
    """A source warns by default, and is refused by the policy `error`; the strategy alone does neither."""
    warned, refused = _strategy(client, policy="warn"), _strategy(client, policy="error")
    with pytest.warns(LegacyAuthWarning, match="client_credentials"):
        TokenSource(warned)
    with pytest.raises(LegacyNotAllowed, match="PROCOUNTOR_LEGACY_POLICY=error"):
        TokenSource(refused)


def test_the_strategy_shows_and_pickles_nothing(client: OAuthClient) -> None:
    """The repr names the host alone, and a pickle is refused."""
    strategy = _strategy(client)
    assert repr(strategy) == "<LegacyPasswordStrategy for https://api.example>"
    assert not [secret for secret in ("us3r", "passw0rd", "14159", "cl13nt") if secret in repr(vars(strategy))]
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(strategy)
