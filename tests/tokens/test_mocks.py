"""A program's own tests with the usual replacements of HTTP: the token request is replaced like the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

httpx = pytest.importorskip("httpx")

HOST: Final = "https://api.example"

TOKEN: Final = {"access_token": "t1", "expires_in": 3600}


@pytest.fixture(autouse=True)
def _described(environment: Callable[[dict[str, str]], None]) -> None:
    """Describe a client at a host that is reserved: nobody is asked even where a replacement does not hold."""
    environment(
        {
            "PROCOUNTOR_STRATEGY": "client_credentials",
            "PROCOUNTOR_CLIENT_ID": "c",
            "PROCOUNTOR_CLIENT_SECRET": "s",
            "PROCOUNTOR_REDIRECT_URI": "r",
            "PROCOUNTOR_API_KEY": "k",
            "PROCOUNTOR_BASE_URL": HOST,
        }
    )


def ask() -> Any:  # noqa: ANN401 - JSON
    """Do what a program does."""
    from procountor_auth.httpx import ProcountorAuth  # noqa: PLC0415 - httpx is not there in each configuration

    auth = ProcountorAuth()
    with httpx.Client(auth=auth, base_url=auth.api_url) as client:
        return client.get("sessioninfo").json()


def test_pytest_httpx_replaces_both_requests(httpx_mock: Any) -> None:  # noqa: ANN401 - not there everywhere
    """With httpx2 installed too, a 401 and the renewal after it stay within the test."""
    httpx_mock.add_response(url=f"{HOST}/api/oauth/token", json=TOKEN)
    httpx_mock.add_response(url=f"{HOST}/api/sessioninfo", status_code=401)
    httpx_mock.add_response(url=f"{HOST}/api/oauth/token", json=TOKEN | {"access_token": "t2"})
    httpx_mock.add_response(url=f"{HOST}/api/sessioninfo", json={"ok": 1})
    assert ask() == {"ok": 1}
    assert len(httpx_mock.get_requests()) == 4


def test_respx_replaces_both_requests() -> None:
    """The same with respx."""
    respx = pytest.importorskip("respx")
    second = TOKEN | {"access_token": "t2"}
    with respx.mock:
        respx.post(f"{HOST}/api/oauth/token").mock(
            side_effect=[httpx.Response(200, json=TOKEN), httpx.Response(200, json=second)]
        )
        respx.get(f"{HOST}/api/sessioninfo").mock(
            side_effect=[httpx.Response(401), httpx.Response(200, json={"ok": 1})]
        )
        assert ask() == {"ok": 1}
