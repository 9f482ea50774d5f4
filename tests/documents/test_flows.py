"""docs/flows.md: what its tables say of each request is what is sent."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from procountor_auth import KeyLogin, TokenSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

PAGE: Final = Path(__file__).parents[2] / "docs" / "flows.md"

_ROW: Final = re.compile(r"^\| (`(?:GET|POST) (?:oauth/\w+|\w*login)`[^|]*) \| ([^|]*) \|$", re.MULTILINE)
_WITH_PKCE: Final = re.compile(r"; with [^|]*$")


def rows() -> dict[str, set[str]]:
    """Return the parameters that the page names for each request, without PKCE's."""
    found = {}
    for request, parameters in _ROW.findall(PAGE.read_text("utf-8")):
        plain = _WITH_PKCE.sub("", parameters)
        if "as above" not in plain:
            found[request] = {name.partition("=")[0] for name in re.findall(r"`([^`]+)`", plain)}
    return found


def sent(sandbox: Sandbox) -> list[tuple[str, set[str]]]:
    """Return what the sandbox was sent at its OAuth endpoints: the path, and the names of the parameters."""
    requests = []
    for entry in sandbox.log():
        if "/oauth/" in entry["path"]:
            url = f"{sandbox.base_url}/_sandbox/log/{entry['number']}"
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own sandbox
                text = json.load(answer)["request"]
            names = set(re.findall(r"^(?:  \?)?(\w+)=", text, re.MULTILINE))
            requests.append((entry["path"].removeprefix("/api/"), names))
    return requests


@pytest.fixture
def source(sandbox: Sandbox, environment: Callable[[dict[str, str]], None]) -> Callable[[str], TokenSource]:
    """A function that returns a source of tokens for a strategy."""

    def made(strategy: str) -> TokenSource:
        environment(sandbox.environment(strategy) | {"PROCOUNTOR_LEGACY_POLICY": "allow"})
        return TokenSource.from_env()

    return made


def _asked(url: str) -> set[str]:
    return {name for name, _ in parse_qsl(urlsplit(url).query)}


def test_every_request_has_a_row() -> None:
    """The page has a row for each request of the flows, so that the other tests compare something."""
    assert [request.partition("`,")[0].strip("`") for request in rows()] == [
        "POST oauth/token",
        "GET login",
        "POST oauth/token` with the code",
        "POST oauth/token` to renew",
        "POST oauth/authz",
        "GET keylogin",
        "POST oauth/key",
    ]


def test_client_credentials(sandbox: Sandbox, source: Callable[[str], TokenSource]) -> None:
    """The API key is sent with what the page says, and with nothing else."""
    source("client_credentials").token()
    assert sent(sandbox) == [("oauth/token", rows()["`POST oauth/token`"])]


def test_authorization_code(sandbox: Sandbox, source: Callable[[str], TokenSource]) -> None:
    """The login page, the code and the refresh token get what the page says."""
    tokens = source("authorization_code")
    login = tokens.begin_login()
    token = login.complete(sandbox.log_in(login.url))
    tokens.renew(token)
    assert _asked(login.url) == rows()["`GET login`, by the browser"]
    assert sent(sandbox) == [
        ("oauth/token", rows()["`POST oauth/token` with the code"]),
        ("oauth/token", rows()["`POST oauth/token` to renew"]),
    ]


def test_legacy_password(sandbox: Sandbox, source: Callable[[str], TokenSource]) -> None:
    """The legacy login sends what the page says, and then the code as the other flow does."""
    source("legacy_password").token()
    assert sent(sandbox) == [
        ("oauth/authz", rows()["`POST oauth/authz`"]),
        ("oauth/token", rows()["`POST oauth/token` with the code"]),
    ]


def test_an_api_key(sandbox: Sandbox, source: Callable[[str], TokenSource]) -> None:
    """A login that brings a key sends what the page says."""
    source("client_credentials")
    login = KeyLogin.from_env()
    login.complete(sandbox.log_in(login.url))
    assert _asked(login.url) == rows()["`GET keylogin`, by the browser"]
    assert sent(sandbox) == [("oauth/key", rows()["`POST oauth/key`"])]
