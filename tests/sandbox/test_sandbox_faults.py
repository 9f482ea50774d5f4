"""Faults on demand, over HTTP and from Python."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from procountor_auth.sandbox import Faults, Quirks, Sandbox
from procountor_auth.transport.backend import backend as httpx
from tests.sandbox.conftest import answer, claims

if TYPE_CHECKING:
    from tests.sandbox.conftest import Caller


@pytest.mark.parametrize("kind", [Faults, Quirks])
def test_a_misspelt_fault_is_refused(kind: type[Faults | Quirks]) -> None:
    """A test with a misspelt name would pass without its fault."""
    with pytest.raises(ValueError, match="wher\n"):
        kind(wher="api")  # type: ignore[call-arg]


def test_a_busy_server_says_when_to_come_back(caller: Caller) -> None:
    """429 has the API's own JSON and the Retry-After that was asked for."""
    caller.sandbox.faults = Faults(status=429, retry_after=7)
    response = caller.machine()
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert response.json()["errors"][0]["status"] == 429


@pytest.mark.parametrize("status", [403, 500, 502, 503])
def test_the_gateway_answers_in_html(caller: Caller, status: int) -> None:
    """What an application gateway answers is a web page, and nothing happened behind it."""
    code = caller.legacy_code()
    caller.sandbox.faults = Faults(status=status)
    response = caller.exchange(code)
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    caller.sandbox.faults = Faults()
    assert caller.exchange(code).status_code == 200


@pytest.mark.parametrize("body", ["html", "malformed"])
def test_another_body_where_json_was_promised(caller: Caller, body: str) -> None:
    """With status 200 comes a page, or JSON that no parser reads."""
    caller.sandbox.faults = Faults(body=body)  # type: ignore[arg-type]
    response = caller.machine()
    assert response.status_code == 200
    with pytest.raises(ValueError, match=r".+"):
        response.json()


@pytest.mark.parametrize("reset", ["before", "middle"])
def test_the_connection_is_reset(caller: Caller, reset: str) -> None:
    """Before the answer nothing has happened; in the middle of it the code has been used up."""
    code = caller.legacy_code()
    caller.sandbox.faults = Faults(reset=reset, times=1)  # type: ignore[arg-type]
    with pytest.raises(httpx.TransportError):
        caller.exchange(code)
    assert caller.exchange(code).status_code == (200 if reset == "before" else 400)


def test_the_faults_hit_where_they_are_told_to(caller: Caller) -> None:
    """Each area is hit by itself, `oauth` has `token` in it, and `all` has everything."""
    token = caller.machine().json()["access_token"]

    def hit() -> list[int]:
        return [caller.authz().status_code, caller.machine().status_code, caller.session(token).status_code]

    for where, statuses in {
        "token": [302, 503, 200],
        "oauth": [503, 503, 200],
        "api": [302, 200, 503],
        "all": [503, 503, 503],
    }.items():
        caller.sandbox.faults = Faults(status=503, where=where)  # type: ignore[arg-type]
        assert hit() == statuses
        assert caller.http.get("/_sandbox/log").status_code == 200


def test_faults_end_after_so_many_times(caller: Caller) -> None:
    """Of many requests at the same time exactly as many are hit as was said, and conditions last."""
    caller.sandbox.faults = Faults(status=503, times=5, sunset="2030-01-01")
    with ThreadPoolExecutor(16) as pool:
        statuses = [future.result().status_code for future in [pool.submit(caller.machine) for _ in range(40)]]
    assert statuses.count(503) == 5
    assert statuses.count(200) == 35
    assert caller.machine().headers["Sunset"] == "Tue, 01 Jan 2030 00:00:00 GMT"


def test_latency_ends_when_the_sandbox_stops() -> None:
    """Stopping does not wait for an answer that is late on purpose."""
    with Sandbox(faults=Faults(latency=86_400)) as sandbox:
        parts = urlsplit(sandbox.base_url)
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(b"POST /api/oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            stopper = threading.Thread(target=sandbox.stop)
            stopper.start()
            stopper.join(20)
            assert not stopper.is_alive()


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_the_clock_is_wrong(caller: Caller, skew: float) -> None:
    """A wrong clock shows in the tokens and in the Date header, and its own tokens are still good."""
    right = claims(caller.machine().json()["access_token"])["iat"]
    caller.sandbox.faults = Faults(clock_skew=skew)
    response = caller.machine()
    token = response.json()["access_token"]
    assert claims(token)["iat"] - right == skew
    assert caller.session(token).status_code == 200


def test_keys_are_refused_as_revoked_and_come_back(caller: Caller) -> None:
    """The switch refuses every key, and gives them back."""
    caller.sandbox.faults = Faults(revoked_keys=True)
    assert caller.machine().json()["error"] == "invalid_grant"
    caller.sandbox.faults = Faults()
    assert caller.machine().status_code == 200


def test_an_end_is_announced_on_the_api_s_answers(caller: Caller) -> None:
    """Deprecation, Sunset and Link stand on every answer of the API, in the standards' own formats."""
    caller.sandbox.faults = Faults(
        deprecation="2026-01-01", sunset="2027-01-31T12:00:00+02:00", sunset_link="https://example.com/end"
    )
    for response in (caller.machine(), caller.authz(), caller.session("x")):
        assert response.headers["Deprecation"] == "@1767225600"
        assert response.headers["Sunset"] == "Sun, 31 Jan 2027 10:00:00 GMT"
        assert response.headers["Link"] == '<https://example.com/end>; rel="sunset"'
    assert "Sunset" not in caller.http.get("/").headers


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 200},
        {"latency": -1.0},
        {"times": 0},
        {"body": "xml"},
        {"where": "there"},
        {"reset": "after"},
        {"retry_after": "a\r\nb"},
        {"sunset": "soon"},
        {"deprecation": "yes"},
        {"clock_skew": float("nan")},
        {"sunset_link": "javascript:alert(1)"},
    ],
)
def test_faults_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    """A slip is an error that names the field, and does not pass as no fault."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Faults(**wrong)


def test_faults_over_http(caller: Caller) -> None:
    """A POST changes what it names and nothing else, in both groups; DELETE brings the defaults back."""
    caller.sandbox.quirks = Quirks(error_shape="oauth", subject="string")
    changed = caller.http.post("/_sandbox/faults", json={"status": 503, "token_lifetime": 9, "legacy_removed": True})
    assert changed.status_code == 200
    state = changed.json()
    assert (state["status"], state["access_token_lifetime"], state["legacy_removed"]) == (503, 9, "404")
    assert state["subject"] == "string"
    assert caller.machine().status_code == 503
    assert caller.authz().status_code == 503
    assert caller.http.post("/_sandbox/faults", json={"status": None}).json()["status"] is None
    assert caller.machine().json()["expires_in"] == 9
    assert caller.authz().status_code == 404
    assert caller.http.get("/_sandbox/faults").json()["legacy_removed"] == "404"
    assert caller.http.delete("/_sandbox/faults").json()["subject"] == "integer"
    assert answer(caller.authz())["code"]


@pytest.mark.parametrize(
    "wrong", [{"status": 200}, {"storm": True}, {"status": "x"}, {"latency": True}, {"where": 7}, [], "x", None]
)
def test_a_wrong_post_changes_nothing(caller: Caller, wrong: object) -> None:
    """A wrong value or name is a 400 that says which, and the right ones beside it do not count either."""
    body = {"token_lifetime": 9, **wrong} if isinstance(wrong, dict) else wrong
    response = caller.http.post("/_sandbox/faults", json=body)
    assert response.status_code == 400
    assert response.json()["error"]
    if isinstance(wrong, dict):
        assert next(iter(wrong)) in response.json()["error"]
    assert caller.machine().json()["expires_in"] == 3600


def test_the_log_says_what_a_fault_did(caller: Caller) -> None:
    """A request that a fault has hit can be told from one that failed by itself."""
    caller.sandbox.faults = Faults(status=503, times=1)
    caller.machine()
    caller.machine()
    first, second = caller.http.get("/_sandbox/log").json()
    assert first["fault"]
    assert not second["fault"]
    assert caller.http.get("/_sandbox/log", params={"after": first["number"]}).json() == [second]
