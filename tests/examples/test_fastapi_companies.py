"""The web application for many companies, with several workers."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth.sandbox import Faults

from .page import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

    from .example import Serve

httpx: Any = pytest.importorskip("httpx")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a socket is handed over by its number")


@pytest.mark.parametrize(("workers", "store"), [("4", "file"), ("2", "redis")])
def test_forty_companies_take_forty_tokens(
    workers: str,
    store: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    serve: Serve,
    sandbox: Sandbox,
    companies: Callable[[int], list[str]],
    token_requests: Callable[[Sandbox], list[str]],
) -> None:
    """Every worker serves every company, each company sees its own, and the workers share one token for each."""
    names = companies(40)
    if store == "redis":
        monkeypatch.setenv("PROCOUNTOR_TOKEN_STORE", request.getfixturevalue("redis_url"))
    port = application(serve, workers)

    def ask(name: str) -> dict[str, Any]:
        # A connection of its own: whichever worker is free takes it.
        return dict(httpx.get(f"http://127.0.0.1:{port}/companies/{name}", timeout=60, trust_env=False).json())

    seen: set[int] = set()
    with ThreadPoolExecutor(8) as pool:
        while len(seen) < int(workers):  # a worker that starts late has its share, too
            answers = list(pool.map(ask, names * 2))
            assert [answer["name"] for answer in answers] == [f"{name} Oy" for name in names] * 2
            assert len({answer["company"] for answer in answers}) == 40
            seen |= {answer["worker"] for answer in answers}
    assert len(seen) == int(workers)
    assert token_requests(sandbox) == ["client_credentials"] * 40


def test_what_fails_has_a_status(serve: Serve, sandbox: Sandbox, companies: Callable[[int], list[str]]) -> None:
    """An unknown company, an outage of token requests and one of the API are told apart."""
    (name,) = companies(1)
    port = application(serve, "1")

    def status(company: str) -> int:
        answer = httpx.get(f"http://127.0.0.1:{port}/companies/{company}", timeout=60, trust_env=False)
        return int(answer.status_code)

    assert status("nobody") == 404
    sandbox.faults = Faults(status=503)
    assert status(name) == 503
    sandbox.faults = Faults(status=500, where="api")
    assert status(name) == 502
    sandbox.faults = Faults()
    assert status(name) == 200


def test_a_wrong_profile_is_left_out(
    serve: Serve, companies: Callable[[int], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its company gets the error's code, and the others are served as before."""
    names = companies(3)
    monkeypatch.setenv("PROCOUNTOR_PROFILES__COMPANY_02__API_KEY", "copied with a space")
    port = application(serve, "1")

    def ask(company: str) -> tuple[int, str]:
        answer = httpx.get(f"http://127.0.0.1:{port}/companies/{company}", timeout=60, trust_env=False)
        return answer.status_code, answer.json().get("name") or answer.json()["detail"]

    assert [ask(name) for name in names] == [
        (200, "company-01 Oy"),
        (500, "configuration"),
        (200, "company-03 Oy"),
    ]


def application(serve: Serve, workers: str) -> int:
    """Start the example with the page's command, but for the number of workers; return its port."""
    *command, option, four = arguments("fastapi.md", "uvicorn")
    assert (option, four) == ("--workers", "4")
    return serve(
        *("-m", "uvicorn", *command, "--workers", workers, "--fd", "{fd}", "--log-level", "warning"),
        PROCOUNTOR_TIMEOUT="20",
    )
