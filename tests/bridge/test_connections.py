"""Connections on both sides: kept, stale, broken off, and given free when the program has gone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.bridge.place import passing
from tests.bridge.raw_program import status_of
from tests.bridge.raw_upstream import Call

if TYPE_CHECKING:
    from tests.bridge.place import Place
    from tests.bridge.raw_upstream import Act
from procountor_auth.transport.backend import backend as httpx


def in_turn(*acts: Act) -> Act:
    """Do something else with each call."""
    left = iter(acts)
    return lambda call: next(left)(call)  # noqa: PLW0108 - each time another one


def outcome(place: Place) -> int | str:
    """Return the status of a call's answer, or `broken` where the answer breaks off."""
    try:
        return place.program.call().status_code
    except httpx.TransportError:
        return "broken"


def test_connections_are_kept() -> None:
    """Many calls of one program take one connection to the bridge, and one from there to the service."""
    with passing() as place:
        before = place.upstream.connections
        for _ in range(20):
            assert place.program.call("POST", content=b"{}").status_code == 200
        assert place.upstream.connections - before == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_stale_connection_is_replaced_for_what_changes_nothing(method: str) -> None:
    """The service has ended a kept connection just now: GET and HEAD are sent once more on another one."""
    with passing(in_turn(Call.answer, Call.close, Call.answer)) as place:
        assert place.program.call().status_code == 200
        assert place.program.call(method).status_code == 200
    assert len(place.upstream.calls) == 3


@pytest.mark.parametrize("end", [Call.close, Call.reset])
def test_what_may_change_something_is_sent_once(end: Act) -> None:
    """The service ends the connection after a POST: that is not repeated, and the program gets 502."""
    with passing(in_turn(Call.answer, end, Call.answer)) as place:
        assert place.program.call("POST", content=b"{}").status_code == 200
        answer = place.program.call("POST", content=b"{}")
        assert (answer.status_code, answer.json()["errors"][0]["status"]) == (502, 502)
        assert len(place.upstream.calls) == 2
        assert place.program.call("POST", content=b"{}").status_code == 200


@pytest.mark.parametrize("end", [Call.close, Call.reset])
def test_a_service_that_always_hangs_up_is_asked_twice(end: Act) -> None:
    """GET is sent twice at most."""
    with passing(end) as place:
        assert place.program.call().status_code == 502
    assert len(place.upstream.calls) == 2


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nabcde",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzzz\r\n",
    ],
)
@pytest.mark.parametrize("end", [Call.close, Call.reset])
def test_a_broken_answer_stays_broken(begun: bytes, end: Act) -> None:
    """The service breaks its answer off: the program must see a broken one too, and never take it for complete."""

    def act(call: Call) -> None:
        call.body()
        call.send(begun)
        end(call)

    with passing(act) as place:
        came = outcome(place)
        # Of what comes right before a reset, the bridge may have read nothing.
        assert came == "broken" or (came == 502 and end is Call.reset)
        place.upstream.act = Call.answer
        assert place.program.call().status_code == 200


def test_an_early_answer_to_a_large_upload_comes_through() -> None:
    """The service refuses an upload after its head, and reads the rest: the program gets its answer."""

    def act(call: Call) -> None:
        call.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        call.body()

    with passing(act) as place:
        answer = place.program.call("POST", "/api/attachments", content=iter([b"x" * 100_000] * 30))
    assert (answer.status_code, answer.content) == (413, b"big")


def test_a_program_that_goes_while_it_uploads_frees_the_service() -> None:
    """The program has gone in the middle of its upload: the service's connection ends, and no body looks complete."""
    ended = threading.Event()

    def act(call: Call) -> None:
        with pytest.raises((EOFError, OSError)):
            call.body()
        ended.set()

    with passing(act) as place:
        with place.raw() as program:
            program.begin("POST", "/api/attachments", ["Content-Length: 10000000"])
            program.send(b"x" * 1_000_000)
        assert ended.wait(30)
        place.upstream.act = Call.answer
        assert place.program.call().status_code == 200


@pytest.mark.parametrize("size", [0, 10, 1_000_000])
def test_a_program_that_goes_while_it_waits_frees_the_service(size: int) -> None:
    """The program has gone before the answer began: the service's connection ends, whatever the body was."""
    read, ended = threading.Event(), threading.Event()

    def act(call: Call) -> None:
        call.body()
        read.set()
        if call.wait_until_gone():
            ended.set()

    with passing(act) as place:
        with place.raw() as program:
            program.begin("POST", "/api/reports", [f"Content-Length: {size}"])
            program.send(b"x" * size)
            assert read.wait(30)
        assert ended.wait(30)


def test_a_program_that_goes_while_it_downloads_frees_the_service() -> None:
    """The program has gone in the middle of the answer: the service can't send the rest."""
    ended = threading.Event()

    def act(call: Call) -> None:
        call.body()
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                call.send(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        except OSError:
            ended.set()

    with passing(act) as place:
        with place.raw() as program:
            program.begin("GET", "/api/reports")
            assert status_of(program.read_head()) == 200
        assert ended.wait(30)
        place.upstream.act = Call.answer
        assert place.program.call().status_code == 200


def test_an_endless_quiet_answer_ends_with_the_program() -> None:
    """The service has begun its answer and says nothing more; the program goes, and the connection ends."""
    ended = threading.Event()

    def act(call: Call) -> None:
        call.body()
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        if call.wait_until_gone():
            ended.set()

    with passing(act) as place:
        with place.raw() as program:
            program.begin("GET", "/api/reports")
            assert status_of(program.read_head()) == 200
        assert ended.wait(30)
