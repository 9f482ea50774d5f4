"""The service can't be reached, is slow, or is somebody else: the program is told so in the API's own shape."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.bridge.place import passing
from tests.bridge.raw_upstream import Call, RawUpstream
from tests.bridge.running import OldProgram, RunningBridge
from tests.certificate import Certificate

if TYPE_CHECKING:
    from pathlib import Path

    from procountor_auth.transport.backend import backend as httpx


def check_error(answer: httpx.Response, status: int) -> None:
    """Make sure that an answer is an error of the API's shape, which no cache keeps."""
    assert answer.status_code == status
    (error,) = answer.json()["errors"]
    assert error["status"] == status
    assert error["message"]
    assert answer.headers["cache-control"] == "no-store"


def test_a_service_that_is_down_is_502() -> None:
    """Nobody listens any more: the program gets 502, and the bridge goes on."""
    with passing() as place:
        place.upstream.close()
        check_error(place.program.call(), 502)
        check_error(place.program.call("POST", content=b"{}"), 502)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nX-A"])
def test_a_service_that_stalls_is_504(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer comes in time: the program gets 504, and nothing is sent twice."""
    monkeypatch.setattr("procountor_auth.bridge.upstream.ANSWER_SECONDS", 0.3)

    def act(call: Call) -> None:
        call.body()
        call.send(begun)
        call.wait_until_gone()

    with passing(act) as place:
        check_error(place.program.call(), 504)
        assert len(place.upstream.calls) == 1


def test_a_service_that_never_accepts_is_504(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection can't be opened in time: the program gets 504."""
    monkeypatch.setattr("procountor_auth.bridge.upstream.CONNECT_SECONDS", 0.3)
    with passing() as place:
        port = place.upstream.port
        place.upstream.close()
        with socket.socket() as full:
            full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            full.bind(("127.0.0.1", port))
            full.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for each in fillers:
                each.settimeout(0)
                each.connect_ex(("127.0.0.1", port))
            check_error(place.program.call("POST", content=b"{}"), 504)
            for each in fillers:
                each.close()


def test_no_free_connection_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections to the service are in use: the program gets 503, and when to try again."""
    monkeypatch.setattr("procountor_auth.bridge.upstream.CONNECT_SECONDS", 0.3)
    monkeypatch.setattr("procountor_auth.bridge.upstream.MAX_CONNECTIONS", 1)

    waits = threading.Event()

    def act(call: Call) -> None:
        call.body()
        waits.set()
        call.wait_until_gone()

    with passing(act) as place, place.raw() as waiting:
        waiting.begin("GET", "/api/reports")
        assert waits.wait(30)
        answer = place.program.call()
        check_error(answer, 503)
        assert int(answer.headers["retry-after"]) > 0


def test_a_service_with_a_foreign_certificate_gets_nothing(tmp_path: Path) -> None:
    """The certificate is nobody's: no login goes through, no call is made, and the program is told so."""
    with RawUpstream(tls=Certificate(tmp_path).shown) as upstream:
        login = upstream.login()
        with RunningBridge([login]) as bridge, OldProgram(bridge.url, login) as program:
            answer = program.authz()
            assert answer.status_code in {500, 503}
            assert answer.json()["error"] in {"server_error", "temporarily_unavailable"}
        assert upstream.calls == upstream.tokens == []


def test_a_service_with_tls_is_reached(tmp_path: Path) -> None:
    """With its certificate as the CA bundle, the service is called over TLS."""
    certificate = Certificate(tmp_path)
    settings = {"ca_bundle": certificate.file}
    with passing(lambda call: call.answer(200, b"safe"), tls=certificate.shown, settings=settings) as place:
        assert place.program.call().content == b"safe"


@pytest.mark.parametrize(
    "said",
    [
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 99 Odd\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_502(said: bytes) -> None:
    """A service that does not speak HTTP, or switches to something else, is one that can't be reached."""

    def act(call: Call) -> None:
        call.body()
        call.send(said)
        call.close()

    with passing(act) as place:
        check_error(place.program.call("POST", content=b"{}"), 502)
        place.upstream.act = Call.answer
        assert place.program.call().status_code == 200
