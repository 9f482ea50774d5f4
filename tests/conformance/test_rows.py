"""Rows of the conformance list that no other test holds alone."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import RedirectError, StateMismatch
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.stores.file import FileStore
from procountor_auth.strategies import AuthorizationCodeStrategy, ClientCredentialsStrategy, LegacyPasswordStrategy
from procountor_auth.tokens.entry_key import entry_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.protocol.flow import Request
    from procountor_auth.sandbox import Sandbox
    from procountor_auth.strategies import Strategy

pytestmark = pytest.mark.once

CLIENT = OAuthClient(
    Endpoints("https://api.example"), "client-1", SecretStr("cl13nt-s3cret"), "https://app.example/callback"
)


def strategies() -> list[Strategy]:
    """Return one strategy of each kind."""
    legacy = LegacyPasswordStrategy(
        CLIENT, username=SecretStr("u"), password=SecretStr("p4ssw0rd"), company=SecretStr("7"), policy="allow"
    )
    return [
        legacy,
        AuthorizationCodeStrategy(CLIENT, refresh_token=SecretStr("r3fresh")),
        ClientCredentialsStrategy(CLIENT, api_key=SecretStr("k3y")),
    ]


def first_request(strategy: Strategy) -> Request:
    """Return the first request of a strategy."""
    flow = strategy.acquire()
    request = next(flow)
    flow.close()
    return request


def test_no_store_keeps_a_password(
    sandbox: Sandbox, tmp_path: Path, environment: Callable[[dict[str, str]], None]
) -> None:
    """Row 2: after a legacy login, no file of the store has the password, the user's name or the company in it."""
    environment(
        {
            "PROCOUNTOR_STRATEGY": "legacy_password",
            "PROCOUNTOR_LEGACY_POLICY": "allow",
            "PROCOUNTOR_BASE_URL": sandbox.base_url,
            "PROCOUNTOR_CLIENT_ID": sandbox.client_id,
            "PROCOUNTOR_CLIENT_SECRET": sandbox.client_secret,
            "PROCOUNTOR_REDIRECT_URI": sandbox.redirect_uri,
            "PROCOUNTOR_USERNAME": sandbox.username,
            "PROCOUNTOR_PASSWORD": sandbox.password,
            "PROCOUNTOR_COMPANY": str(sandbox.company),
            "PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}",
        }
    )
    token = TokenSource.from_env().token()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "tokens").iterdir())
    assert token.access_token.encode() in kept
    secrets = (sandbox.password, sandbox.username, sandbox.client_secret)
    assert not [secret for secret in secrets if secret.encode() in kept]
    assert not [
        secret
        for secret in secrets
        if base64.b64encode(secret.encode())[:-4] in kept or secret.encode().hex().encode() in kept
    ]


def test_nothing_is_readable_in_a_state() -> None:
    """Row 9: a state is letters and digits that depend on nothing: no client, no user, no other state."""
    states = {
        CLIENT.authorization_request("https://api.example/login").expected.state.get_secret_value() for _ in "abcd"
    }
    assert len(states) == 4
    for state in states:
        assert re.fullmatch("[A-Za-z0-9]{43}", state)
        assert not any(word in state for word in (CLIENT.client_id, CLIENT.redirect_uri, "client"))


def test_a_verifier_is_never_sent_as_the_challenge() -> None:
    """Row 10: with PKCE the URL has the hash of the verifier and says S256; the verifier itself is not in it."""
    visit = replace(CLIENT, pkce=True).authorization_request("https://api.example/login")
    sent = dict(parse_qsl(urlsplit(visit.url).query))
    assert sent["code_challenge_method"] == "S256"
    assert visit.code_verifier is not None
    assert visit.code_verifier.get_secret_value() not in visit.url
    without = CLIENT.authorization_request("https://api.example/login")
    assert without.code_verifier is None
    assert "code_challenge" not in without.url


@pytest.mark.parametrize("pkce", [False, True])
def test_pkce_takes_no_check_of_the_state_away(pkce: bool) -> None:  # noqa: FBT001 - a parameter
    """Row 12: with PKCE or without it, a redirect without the right state brings no code."""
    visit = replace(CLIENT, pkce=pkce).authorization_request("https://api.example/login")
    for fields in ({"code": "c0de"}, {"code": "c0de", "state": "another"}, {"code": "c0de", "state": ""}):
        with pytest.raises(StateMismatch):
            visit.code_from(f"https://app.example/callback?{urlencode(fields)}")


def test_another_issuer_is_refused() -> None:
    """Row 13: an `iss` that is not the configured host is refused, the right one and none are not."""
    visit = CLIENT.authorization_request("https://api.example/login")
    right = {"code": "c0de", "state": visit.expected.state.get_secret_value()}
    for more in ({}, {"iss": "https://api.example"}):
        assert visit.code_from(f"https://app.example/callback?{urlencode(right | more)}").get_secret_value() == "c0de"
    for issuer in ("https://evil.example", "", "https://api.example.evil.example"):
        with pytest.raises(RedirectError):
            visit.code_from(f"https://app.example/callback?{urlencode(right | {'iss': issuer})}")


def test_hosts_have_entries_of_their_own(tmp_path: Path) -> None:
    """Row 14: one client's tokens of production, of the test server and of a sandbox are three entries."""
    hosts = ("https://api.procountor.com", "https://pts-api.procountor.com", "http://127.0.0.1:8000")
    keys = {
        entry_key(ClientCredentialsStrategy(replace(CLIENT, endpoints=Endpoints(host)), api_key=SecretStr("k3y")))
        for host in hosts
    }
    assert len(keys) == len(hosts)
    store = FileStore(tmp_path / "tokens")
    for key in keys:
        with store.transaction(key, timeout=5) as transaction:
            assert transaction.entry is None
            transaction.write(None)


def test_a_request_has_one_client_authentication() -> None:
    """Row 28: the client's secret stands in the body once, and there is no Authorization header beside it."""
    for strategy in strategies()[1:]:
        request = first_request(strategy)
        form = parse_qs(request.body)
        assert form["client_secret"] == ["cl13nt-s3cret"]
        assert form["client_id"] == ["client-1"]
        assert request.bearer is None
        assert "cl13nt" not in request.url


def test_no_scope_is_asked_for() -> None:
    """Row 40: no request and no login page's address has a scope."""
    for strategy in strategies():
        request = first_request(strategy)
        assert "scope" not in request.url + request.body
    assert "scope" not in CLIENT.authorization_request("https://api.example/login").url
