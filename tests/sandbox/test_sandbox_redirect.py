"""Redirect URIs on a loopback address, which programs listen on with whatever port they get (RFC 8252, section 7.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Quirks, Sandbox
from procountor_auth.transport.backend import backend as httpx
from tests.sandbox.conftest import Caller, answer

if TYPE_CHECKING:
    from collections.abc import Iterator

REGISTERED = ["http://127.0.0.1/callback", "http://[::1]/callback"]


@pytest.fixture(params=REGISTERED)
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """A client whose redirect URI is registered without a port."""
    quirks = Quirks(error_shape="oauth")
    with (
        Sandbox(redirect_uri=request.param, quirks=quirks) as sandbox,
        httpx.Client(base_url=sandbox.base_url, verify=False) as http,
    ):
        yield Caller(sandbox, http)


def with_port(caller: Caller, port: str) -> str:
    """Return the registered redirect URI with a port."""
    return caller.sandbox.redirect_uri.replace("/callback", f":{port}/callback")


@pytest.mark.parametrize("flow", ["legacy", "login"])
def test_any_port_goes_and_is_remembered(caller: Caller, flow: str) -> None:
    """The redirect goes to the port that was sent, and only exactly this URI buys tokens for the code."""
    sent = with_port(caller, "51004")
    back = caller.authz(redirect_uri=sent) if flow == "legacy" else caller.login(redirect_uri=sent)
    code = answer(back)["code"]
    assert back.headers["Location"].startswith(f"{sent}?code=")
    for other in (caller.sandbox.redirect_uri, with_port(caller, "51005")):
        assert caller.exchange(code, redirect_uri=other).json()["error"] == "invalid_grant"
    assert caller.exchange(code, redirect_uri=sent).status_code == 200


def test_the_registered_one_goes_everywhere(caller: Caller) -> None:
    """Without a port it is still the client's own: for the login, the exchange and the API key."""
    assert caller.exchange(answer(caller.login())["code"]).status_code == 200
    assert caller.machine().status_code == 200


@pytest.mark.parametrize("port", ["0", "65536", "x", "", "80:80", "1@evil.invalid"])
def test_what_is_no_port(caller: Caller, port: str) -> None:
    """Only a port from 1 to 65535 can stand there."""
    assert caller.login(redirect_uri=with_port(caller, port)).status_code == 400


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:5000/other",
        "http://127.0.0.1:5000/callback/",
        "http://127.0.0.1:5000/callback?x=1",
        "https://127.0.0.1:5000/callback",
        "http://localhost:5000/callback",
        "http://127.0.0.2:5000/callback",
        "http://127.0.0.1.evil.invalid:5000/callback",
    ],
)
def test_only_the_port_is_free(caller: Caller, redirect_uri: str) -> None:
    """Another scheme, host, path or query is somebody else's address."""
    response = caller.login(redirect_uri=redirect_uri)
    assert response.status_code == 400
    assert "Location" not in response.headers


@pytest.mark.parametrize(
    "registered", ["http://127.0.0.1:5000/callback", "http://localhost/callback", "https://a.example/"]
)
def test_others_are_compared_exactly(registered: str) -> None:
    """A registered port stays, and a name or a host elsewhere has none but its own."""
    with Sandbox(redirect_uri=registered) as sandbox, httpx.Client(base_url=sandbox.base_url, verify=False) as http:
        caller = Caller(sandbox, http)
        scheme, _, rest = registered.partition("://")
        host, _, path = rest.partition("/")
        assert caller.login().status_code == 302
        assert caller.login(redirect_uri=f"{scheme}://{host.partition(':')[0]}:6000/{path}").status_code == 400
