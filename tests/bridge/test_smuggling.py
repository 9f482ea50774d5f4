"""What two servers could read in two ways does not pass."""

from __future__ import annotations

import pytest

from tests.bridge.place import passing
from tests.bridge.raw_program import status_of

pytestmark = pytest.mark.once

HIDDEN = b"GET /api/hidden HTTP/1.1\r\nHost: x\r\n\r\n"

REFUSED = {
    "length-and-chunks": (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "two-lengths": (b"Content-Length: 5\r\nContent-Length: 0\r\n", b"abcde"),
    "two-lengths-in-one": (b"Content-Length: 5, 0\r\n", b"abcde"),
    "length-with-sign": (b"Content-Length: +5\r\n", b"abcde"),
    "length-of-letters": (b"Content-Length: 0x5\r\n", b"abcde"),
    "negative-length": (b"Content-Length: -1\r\n", b""),
    "chunked-twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "chunked-and-identity": (b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n"),
    "unknown-coding": (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "space-before-the-colon": (b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "space-in-a-name": (b"X Y: 1\r\n", b""),
    "nul-in-a-value": (b"X-A: a\0b\r\n", b""),
    "bare-cr-in-a-value": (b"X-A: a\rTransfer-Encoding: chunked\r\n", b""),
    "folded-first-line": (b" X-A: 1\r\n", b""),
    "bad-chunk-size": (b"Transfer-Encoding: chunked\r\n", b"0x5\r\nabcde\r\n0\r\n\r\n"),
    "two-hosts": (b"Host: elsewhere.example\r\n", b""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_ambiguous_request_is_refused(name: str) -> None:
    """The bridge answers 400 and ends the connection: what stands behind such a request is never another one."""
    headers, body = REFUSED[name]
    with passing() as place, place.raw() as program:
        token = place.program.access_token.encode()
        first = b" X-A: 1\r\n" if name == "folded-first-line" else b""
        head = b"POST /api/users HTTP/1.1\r\n" + first + b"Host: 127.0.0.1\r\nAuthorization: Bearer " + token + b"\r\n"
        program.send(head + (b"" if first else headers) + b"\r\n" + body + HIDDEN)
        answer = program.read_to_end()
        assert status_of(answer) == 400
        assert answer.count(b"HTTP/1.1 ") == 1
        assert place.upstream.calls == []
        assert place.program.call().status_code == 200


def test_a_folded_header_is_one_line() -> None:
    """A header of two lines comes to the service as one (RFC 9112, section 5.2)."""
    with passing() as place, place.raw() as program:
        program.begin("GET", "/api/users", ["X-A: one\r\n two: 2"])
        assert status_of(program.read_head()) == 200
    (call,) = place.upstream.calls
    assert call.header(b"x-a") == b"one two: 2"


def test_two_calls_in_one_go_are_two() -> None:
    """Calls that a program sends one after the other without waiting are answered in turn, each with its own body."""
    with passing(lambda call: call.answer(200, call.target.encode())) as place, place.raw() as program:
        for path in ("/api/one", "/api/two"):
            program.begin("POST", path, ["Content-Length: 0"])
        program.begin("GET", "/api/three", ["Connection: close"])
        answers = program.read_to_end()
    assert [each.partition(b"\r\n\r\n")[2] for each in answers.split(b"HTTP/1.1 200 ")[1:]] == [
        b"/api/one",
        b"/api/two",
        b"/api/three",
    ]


@pytest.mark.parametrize("head", [b"x" * 70_000, b"X-A: " + b"x" * 70_000])
def test_a_head_without_end_is_refused(head: bytes) -> None:
    """The bridge keeps no head of more than 64 KiB."""
    with passing() as place, place.raw() as program:
        program.send(b"GET /api/users HTTP/1.1\r\n" + head)
        assert status_of(program.read_to_end()) == 400
        assert place.upstream.calls == []
