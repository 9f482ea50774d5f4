"""Against a server that this project did not write: the certified Node `oidc-provider`."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urljoin

import pytest
from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import InteractionRequired, InvalidClient, InvalidGrant, RedirectError
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.stores.file import FileStore
from procountor_auth.strategies import AuthorizationCodeStrategy, ClientCredentialsStrategy
from procountor_auth.transport.backend import backend
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.protocol.token import Token

SECRET: Final = "foreign-client-secret-4711"
REDIRECT_URI: Final = "https://app.example/callback"
CALLS: Final = ("sync", "async")


class Clock:
    """The wall clock, which tests move on.

    Attributes:
        now: Unix seconds.
    """

    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def _lacks(what: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"{what} is not installed, and CI must not skip its tests")
    pytest.skip(f"{what} is not installed")


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """The address of a running oidc-provider."""
    node = shutil.which("node")
    if node is None:
        _lacks("node")
    package = Path(sys.prefix) / "node_modules" / "oidc-provider"
    if not package.exists():
        _lacks("oidc-provider (`make` installs it with npm)")
    script = Path(__file__).with_name("oidc_provider.mjs")
    with subprocess.Popen(
        [node, script, package], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line, process.stderr and process.stderr.read()
            yield json.loads(line)["base_url"]
        finally:
            process.kill()


@pytest.fixture
def clock() -> Clock:
    """The clock of the test's clients."""
    return Clock()


@pytest.fixture
def client(provider: str, clock: Clock) -> OAuthClient:
    """The client that the provider knows, with PKCE."""
    return OAuthClient(Endpoints(provider), "client-1", SecretStr(SECRET), REDIRECT_URI, pkce=True, clock=clock)


def visit(url: str) -> str:
    """Log in as a person would, agree, and return where the browser is sent in the end."""
    with backend.Client(verify=False) as browser:
        answer = browser.get(url)
        for _ in range(12):
            if answer.is_redirect:
                url = urljoin(str(answer.url), answer.headers["Location"])
                if url.startswith(REDIRECT_URI):
                    return url
                answer = browser.get(url)
                continue
            action = re.search(r'action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert action, answer.text
            assert prompt, answer.text
            person = {"prompt": prompt[1], "login": "matti", "password": "any"}
            answer = browser.post(urljoin(str(answer.url), action[1]), data=person)
    raise AssertionError("the login did not end")


def token_of(source: TokenSource, how: str) -> Token:
    """Ask for a token in a thread or in an event loop."""
    return source.token() if how == "sync" else asyncio.run(source.atoken())


def log_in(source: TokenSource, how: str) -> Token:
    """Log in through the provider's pages."""
    login = source.begin_login()
    redirected = visit(login.url)
    return login.complete(redirected) if how == "sync" else asyncio.run(login.acomplete(redirected))


@pytest.mark.parametrize("how", CALLS)
def test_a_login_brings_a_token(client: OAuthClient, how: str) -> None:
    """The authorization code flow with PKCE ends in a token, which its source keeps."""
    source = TokenSource(AuthorizationCodeStrategy(client))
    token = log_in(source, how)
    assert token.access_token
    assert token.refresh_token
    assert token.expires_at == client.clock() + 3600
    assert token_of(source, how) == token


@pytest.mark.parametrize("how", CALLS)
def test_refresh_tokens_rotate(client: OAuthClient, clock: Clock, how: str, tmp_path: Path) -> None:
    """Five renewals in two sources with one store each use the newest refresh token; an old one ends the family."""
    sources = [
        TokenSource(AuthorizationCodeStrategy(client), store=FileStore(tmp_path / "tokens"), account="matti")
        for _ in range(2)
    ]
    tokens = [log_in(sources[0], how)]
    for number in range(5):
        clock.now = tokens[-1].expires_at
        tokens.append(token_of(sources[number % 2], how))
    assert len({token.refresh_token for token in tokens}) == len({token.access_token for token in tokens}) == 6
    strategy = AuthorizationCodeStrategy(client)
    with pytest.raises(InteractionRequired):
        Transport().run(strategy.renew(tokens[0]))
    clock.now = tokens[-1].expires_at
    with pytest.raises(InteractionRequired):
        token_of(sources[0], how)


@pytest.mark.parametrize("how", CALLS)
def test_client_credentials(client: OAuthClient, clock: Clock, how: str) -> None:
    """The client credentials grant brings a token without a refresh token, and another one when that has ended."""
    source = TokenSource(ClientCredentialsStrategy(client, api_key=SecretStr("k3y-of-nobody")))
    token = token_of(source, how)
    assert token.refresh_token is None
    clock.now = token.expires_at
    assert token_of(source, how).access_token != token.access_token


@pytest.mark.parametrize("how", CALLS)
def test_a_wrong_secret_is_the_client_s_fault(provider: str, how: str) -> None:
    """A client secret that is wrong is InvalidClient."""
    wrong = OAuthClient(Endpoints(provider), "client-1", SecretStr("wrong"), REDIRECT_URI)
    with pytest.raises(InvalidClient):
        token_of(TokenSource(ClientCredentialsStrategy(wrong, api_key=SecretStr("k3y"))), how)


def test_a_code_works_once(client: OAuthClient) -> None:
    """A code that was used, and one that never was one, are InvalidGrant."""
    strategy = AuthorizationCodeStrategy(client)
    request = strategy.authorization_request()
    code = request.code_from(visit(request.url))
    Transport().run(strategy.exchange(code, request))
    for refused in (code, SecretStr("made-up")):
        with pytest.raises(InvalidGrant):
            Transport().run(strategy.exchange(refused, request))


def test_a_code_needs_its_own_verifier(client: OAuthClient) -> None:
    """With the verifier of another visit, a code is refused: the challenge was really sent and checked."""
    strategy = AuthorizationCodeStrategy(client)
    request, other = strategy.authorization_request(), strategy.authorization_request()
    code = request.code_from(visit(request.url))
    with pytest.raises(InvalidGrant):
        Transport().run(strategy.exchange(code, other))


def test_without_pkce_this_server_says_no(provider: str) -> None:
    """Where the server wants PKCE and it is off, the login ends with an error that proves its state."""
    client = OAuthClient(Endpoints(provider), "client-1", SecretStr(SECRET), REDIRECT_URI)
    login = TokenSource(AuthorizationCodeStrategy(client)).begin_login()
    with pytest.raises(RedirectError, match="invalid_request") as caught:
        login.complete(visit(login.url))
    assert caught.value.ends_login
