"""The sandbox under test, and an old-fashioned client that knows nothing but HTTP."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from procountor_auth.sandbox import Quirks, Sandbox
from procountor_auth.transport.backend import backend as httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The documentation's own sample was issued at this Unix time.
START = 1_607_962_480


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = float(START)

    def __call__(self) -> float:
        """Return the Unix time in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Caller:
    """Sends what integrations send. Redirects are answers here, never followed."""

    def __init__(self, sandbox: Sandbox, http: httpx.Client) -> None:
        self.sandbox = sandbox
        self.http = http

    @property
    def client(self) -> dict[str, str]:
        """The client's own credentials."""
        return {"client_id": self.sandbox.client_id, "client_secret": self.sandbox.client_secret}

    def authz(self, **changes: str | None) -> httpx.Response:
        """Send the legacy request; a change to None leaves the parameter out."""
        form = {
            "response_type": "code",
            "username": self.sandbox.username,
            "password": self.sandbox.password,
            "company": self.sandbox.company,
            "redirect_uri": self.sandbox.redirect_uri,
        }
        query = {"response_type": "code", "client_id": self.sandbox.client_id, "state": "s1"}
        for name in {*form, *query} & changes.keys():
            target = query if name in query else form
            target.pop(name, None)
            form.pop(name, None)
        for name, value in changes.items():
            if value is not None:
                (query if name in {"client_id", "state"} else form)[name] = value
        return self.http.post("/api/oauth/authz", params=query, data=form)

    def legacy_code(self) -> str:
        """Return a code from the legacy flow."""
        return answer(self.authz())["code"]

    def login_query(self, **changes: str | None) -> dict[str, str]:
        """Return the parameters that a browser is sent to a login page with."""
        query = {
            "response_type": "code",
            "client_id": self.sandbox.client_id,
            "redirect_uri": self.sandbox.redirect_uri,
            "state": "s1",
            **changes,
        }
        return {name: value for name, value in query.items() if value is not None}

    def login(self, page: str = "/login", **changes: str | None) -> httpx.Response:
        """Log in on a page with one request, as a script does."""
        person = {
            "username": self.sandbox.username,
            "password": self.sandbox.password,
            "company": self.sandbox.company,
        }
        return self.http.post(page, data={**person, **self.login_query(**changes)})

    def token(self, grant_type: str, **parameters: str | None) -> httpx.Response:
        """Send a token request with the client's credentials."""
        form = {
            "grant_type": grant_type,
            "redirect_uri": self.sandbox.redirect_uri,
            **self.client,
            **parameters,
        }
        return self.http.post("/api/oauth/token", data={k: v for k, v in form.items() if v is not None})

    def exchange(self, code: str, **parameters: str | None) -> httpx.Response:
        """Exchange a code for tokens."""
        return self.token("authorization_code", code=code, **parameters)

    def refresh(self, refresh_token: str) -> httpx.Response:
        """Renew with a refresh token, without a redirect URI as clients do."""
        return self.token("refresh_token", refresh_token=refresh_token, redirect_uri=None)

    def machine(self, **parameters: str | None) -> httpx.Response:
        """Ask for a token with the API key."""
        return self.token("client_credentials", **{"api_key": self.sandbox.api_key, **parameters})

    def session(self, access_token: str) -> httpx.Response:
        """Ask who the token belongs to."""
        return self.http.get("/api/sessioninfo", headers={"Authorization": f"Bearer {access_token}"})


def answer(response: httpx.Response) -> dict[str, str]:
    """Return the parameters of a redirect."""
    assert response.status_code == 302, response.text
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def claims(token: str) -> dict[str, Any]:
    """Return a token's claims without a key, which is all that a client can do."""
    payload = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return decoded


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until a test moves it."""
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    """A running sandbox."""
    # In the shape that has OAuth's own codes, which say what was refused.
    with Sandbox(clock=clock, quirks=Quirks(error_shape="oauth")) as running:
        yield running


@pytest.fixture
def caller(sandbox: Sandbox) -> Iterator[Caller]:
    """A client of the running sandbox."""
    # Plain HTTP: without `verify=False` every client would read all of the machine's authorities first.
    with httpx.Client(base_url=sandbox.base_url, trust_env=False, verify=False) as http:
        yield Caller(sandbox, http)
