"""What is asked: token requests and login URLs."""

from __future__ import annotations

import base64
import hashlib
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import SecretStr

from procountor_auth.errors import StateMismatch
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints

_ENDPOINTS: Final = Endpoints("https://api.example")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _client(*, pkce: bool = False, client_secret: str = "cl13nt") -> OAuthClient:
    return OAuthClient(_ENDPOINTS, "client-1", SecretStr(client_secret), "the-word", pkce)


def _query(url: str) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def _form(body: str) -> dict[str, str]:
    return _query(f"?{body}")


def test_a_token_request_keeps_everything_in_the_body() -> None:
    """Grant, parameters and the client's authentication stand in the form, once each, and not in the URL."""
    request = _client().token_request("some_grant", api_key=SecretStr("k3y"), extra="plain")
    assert (request.method, request.url) == ("POST", "https://api.example/api/oauth/token")
    assert request.bearer is None
    assert _form(request.body) == {
        "grant_type": "some_grant",
        "api_key": "k3y",
        "extra": "plain",
        "client_id": "client-1",
        "client_secret": "cl13nt",
    }


@pytest.mark.parametrize("secret", ["a&b=c+d %41;#?/", "pä€🔑", " spaces ", "'\"\\<>", "%", "+"])
def test_any_character_survives_the_form(secret: str) -> None:
    """A secret arrives as it is, whatever characters it has."""
    request = _client(client_secret=secret).token_request("grant", api_key=SecretStr(secret))
    assert _form(request.body)["api_key"] == secret
    assert _form(request.body)["client_secret"] == secret
    assert request.body.isascii()


def test_a_code_is_traded_with_the_same_redirect_uri() -> None:
    """The exchange of a code repeats the redirect URI, and has a verifier only with PKCE."""
    client = _client()
    plain = _form(client.code_request(SecretStr("c0de")).body)
    proven = _form(client.code_request(SecretStr("c0de"), SecretStr("v3rifier")).body)
    assert plain == {
        "grant_type": "authorization_code",
        "redirect_uri": "the-word",
        "code": "c0de",
        "client_id": "client-1",
        "client_secret": "cl13nt",
    }
    assert proven == {**plain, "code_verifier": "v3rifier"}


def test_a_code_can_be_traded_elsewhere() -> None:
    """`oauth/key` takes the same form as `oauth/token`."""
    client = _client()
    request = client.code_request(SecretStr("c0de"), url=_ENDPOINTS.key)
    assert request.url == _ENDPOINTS.key
    assert request.body == client.code_request(SecretStr("c0de")).body


def test_a_login_url_has_the_documented_parameters() -> None:
    """The login page is asked for a code with the client, its redirect URI and a state, and for no scope."""
    visit = _client().authorization_request(_ENDPOINTS.login)
    query = _query(visit.url)
    state = query.pop("state")
    assert visit.url.startswith("https://api.example/login?")
    assert query == {"response_type": "code", "client_id": "client-1", "redirect_uri": "the-word"}
    assert visit.expected.state.get_secret_value() == state
    assert visit.code_verifier is None


def test_every_state_is_fresh_and_long() -> None:
    """Each visit has a state of its own with at least 128 random bits, of characters that need no encoding."""
    client = _client()
    states = [_query(client.authorization_request(_ENDPOINTS.login).url)["state"] for _ in range(50)]
    assert len(set(states)) == 50
    assert all(len(state) >= 22 and _UNRESERVED.issuperset(state) for state in states)


def test_pkce_is_s256_with_a_fresh_verifier() -> None:
    """With PKCE each login URL carries the SHA-256 challenge of a new verifier of 43 to 128 characters."""
    visits = [_client(pkce=True).authorization_request(_ENDPOINTS.login) for _ in range(20)]
    verifiers = [visit.code_verifier.get_secret_value() for visit in visits if visit.code_verifier]
    assert len(set(verifiers)) == 20
    for visit, verifier in zip(visits, verifiers, strict=True):
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = _query(visit.url)
        assert (query["code_challenge"], query["code_challenge_method"]) == (challenge, "S256")
        assert verifier not in visit.url
        assert 43 <= len(verifier) <= 128
        assert _UNRESERVED.issuperset(verifier)


def test_a_visit_reads_its_own_redirect_alone() -> None:
    """A redirect is accepted by the visit whose state it has, and by no other."""
    client = _client()
    mine, other = (client.authorization_request(_ENDPOINTS.login) for _ in range(2))
    redirected = f"the-word?code=c0de&state={_query(mine.url)['state']}"
    assert mine.code_from(redirected).get_secret_value() == "c0de"
    with pytest.raises(StateMismatch):
        other.code_from(redirected)


def test_no_repr_shows_a_secret() -> None:
    """Client, visit and what a redirect must match show no secret, no state, no verifier."""
    client = _client(pkce=True)
    visit = client.authorization_request(_ENDPOINTS.login)
    assert visit.code_verifier is not None
    shown = repr(client) + repr(visit) + repr(visit.expected)
    assert "cl13nt" not in shown
    assert _query(visit.url)["state"] not in shown
    assert visit.code_verifier.get_secret_value() not in shown
