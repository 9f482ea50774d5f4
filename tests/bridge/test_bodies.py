"""Bodies of any size pass a bridge, and it holds none of them."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bridge.command import BridgeCommand
from tests.bridge.memory import most_resident, resident
from tests.bridge.place import passing
from tests.bridge.raw_program import RawProgram, status_of
from tests.bridge.raw_upstream import Call, RawUpstream
from tests.bridge.running import OldProgram
from tests.sizes import size

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.once

MEGABYTE = 1_000_000
BODY = size(100, 1_000) * MEGABYTE
MOST = 50 * MEGABYTE
SLOW = 20
"""Programs that are slow at the same time."""

_counts_memory = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory is told by Linux only")


def pieces(count: int) -> Iterator[bytes]:
    """Return so many bytes, a megabyte at a time."""
    piece = bytes(MEGABYTE)
    return (piece for _ in range(count // MEGABYTE))


@_counts_memory
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_is_not_held_in_memory(framing: str) -> None:
    """A body of 100 MB (1 GB in the long run) passes both ways, and the bridge's memory grows by less than 50 MB."""
    got: list[int] = []

    def act(call: Call) -> None:
        got.append(sum(map(len, call.chunks())))
        has_length = framing == "length"
        call.send(b"HTTP/1.1 200 OK\r\n")
        call.send(b"Content-Length: %d\r\n\r\n" % BODY if has_length else b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in pieces(BODY):
            call.send(piece if has_length else b"%x\r\n%s\r\n" % (len(piece), piece))
        call.send(b"" if has_length else b"0\r\n\r\n")

    with RawUpstream(act) as upstream:
        login = upstream.login()
        with BridgeCommand(login) as bridge, OldProgram(bridge.url, login) as program:
            program.log_in()
            before = resident(bridge.pid)
            headers = {"Authorization": f"Bearer {program.access_token}"}
            if framing == "length":
                headers["Content-Length"] = str(BODY)
            with program.http.stream("POST", "/api/attachments", content=pieces(BODY), headers=headers) as answer:
                came = sum(map(len, answer.iter_raw()))
            assert (answer.status_code, got, came) == (200, [BODY], BODY)
            assert most_resident(bridge.pid) - before < MOST


@_counts_memory
def test_who_does_not_read_fills_no_memory() -> None:
    """A program takes nothing of a large answer: the service has to wait, and the bridge's memory does not grow."""
    sent, stands = [0], threading.Event()

    def act(call: Call) -> None:
        call.body()
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        call.set_patience(1.0)
        try:
            while True:
                call.send(bytes(MEGABYTE))
                sent[0] += 1
        except TimeoutError:
            stands.set()

    with RawUpstream(act) as upstream:
        login = upstream.login()
        with BridgeCommand(login) as bridge, OldProgram(bridge.url, login) as program:
            program.log_in()
            before = resident(bridge.pid)
            with RawProgram(bridge.port, program.access_token) as lazy:
                lazy.begin("GET", "/api/reports")
                assert stands.wait(60)
                assert sent[0] < 50
                assert most_resident(bridge.pid) - before < MOST
                upstream.act = Call.answer
                assert program.call().status_code == 200


def test_slow_programs_block_nobody() -> None:
    """While programs send their bodies and read their answers byte by byte, another one's calls pass."""
    large = bytes(30 * MEGABYTE)

    def act(call: Call) -> None:
        if call.target != "/api/slow":
            call.answer(200, b"quick")
            return
        call.body()
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(large))
        call.send(large)

    with passing(act) as place:
        readers = [place.raw() for _ in range(SLOW)]
        senders = [place.raw() for _ in range(SLOW)]
        for reader in readers:
            reader.begin("GET", "/api/slow")
            assert reader.read(1) == b"H"
        for sender in senders:
            sender.begin("POST", "/api/quick", ["Content-Length: 70010"])
            sender.send(b"x" * 70_000)
        for number in range(10):
            for sender in senders:
                sender.send(b"y")
            for reader in readers:
                assert len(reader.read(1)) == 1
            assert place.program.call("POST", "/api/quick", content=b"%d" % number).content == b"quick"
        for sender in senders:
            assert status_of(sender.read_head()) == 200
        for each in (*readers, *senders):
            each.close()


def test_half_a_head_blocks_nobody() -> None:
    """Connections that never end the head of a request cost others nothing."""
    with passing() as place:
        waiting = [socket.create_connection(("127.0.0.1", place.bridge.port), timeout=60) for _ in range(SLOW)]
        for each in waiting:
            each.sendall(b"GET /api/users HTTP/1.1\r\nX-A: ")
        assert place.program.call().status_code == 200
        for each in waiting:
            each.close()
