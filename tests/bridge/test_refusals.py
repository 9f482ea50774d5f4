"""What the bridge does for nobody."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import pytest
import typer

from procountor_auth.bridge.forwarding import Forwarding
from procountor_auth.bridge.parameters import MAX_BODY
from procountor_auth.cli.bridge.command import _check_address
from tests.bridge.running import OldProgram, RunningBridge, login_of, served

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox

pytestmark = pytest.mark.once


@pytest.mark.parametrize("path", ["/api/oauth/authz", "/api/sessioninfo"])
@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_in_a_browser_is_refused(sandbox: Sandbox, path: str, header: dict[str, str]) -> None:
    """No page of any site gets anything from a bridge on the reader's machine, and CORS lets none in."""
    with served(sandbox) as program:
        program.log_in()
        answer = program.call("POST" if path.endswith("authz") else "GET", path, headers=header)
        preflight = program.call("OPTIONS", path, headers=header)
    assert [answer.status_code, preflight.status_code] == [403, 403]
    names = [*answer.headers, *preflight.headers]
    assert not [name for name in names if name.startswith("access-control-")]


def test_the_program_does_not_choose_the_host(sandbox: Sandbox) -> None:
    """Another name in `Host` changes nothing, and an address in the place of the path is refused."""
    with served(sandbox) as program:
        program.log_in()
        before = len(sandbox.log())
        assert program.call(headers={"Host": "other.example"}).status_code == 200
        assert len(sandbox.log()) == before + 1
        with socket.create_connection(("127.0.0.1", program.http.base_url.port)) as connection:
            head = "GET http://other.example/api/users HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(12) == b"HTTP/1.1 400"
        assert len(sandbox.log()) == before + 1


def test_a_read_only_bridge_passes_nothing_on_that_writes(sandbox: Sandbox) -> None:
    """GET and HEAD reach the service, and nothing else does."""
    login = login_of(sandbox)
    with RunningBridge([login], read_only=True) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
        assert [program.call(method).status_code for method in ("GET", "HEAD")] == [200, 200]
        before = len(sandbox.log())
        answers = [program.call(method) for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")]
    assert {answer.status_code for answer in answers} == {403}
    assert "read-only" in answers[0].json()["errors"][0]["message"]
    assert len(sandbox.log()) == before


def test_a_huge_form_is_refused(sandbox: Sandbox) -> None:
    """A form that no login has is not read to its end."""
    with served(sandbox) as program:
        answer = program.authz(padding="x" * MAX_BODY)
    assert answer.status_code == 413
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "bridge.example"])  # noqa: S104 - refused
def test_another_address_needs_a_certificate(host: str) -> None:
    """What other machines reach is not listened on in plain text; nor is a name, which could be anything."""
    with pytest.raises(typer.BadParameter):
        _check_address(host, None, None)
    for loopback in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
        _check_address(loopback, None, None)


def test_a_fault_of_the_bridge_shows_nothing(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours is a status and its type's name in the log, without a traceback, in which secrets could be."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(Forwarding, "passed", None)
    with served(sandbox) as program:
        program.log_in()
        answer = program.call()
        token = program.access_token
    assert answer.status_code == 500
    assert answer.json() == {"errors": [{"status": 500, "message": "The bridge has failed; its log says why."}]}
    assert "a fault of the bridge: TypeError" in caplog.text
    assert "Traceback" not in caplog.text
    assert token not in caplog.text
