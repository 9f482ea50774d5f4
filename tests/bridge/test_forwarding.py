"""A call comes to the service as the program has sent it, with another token, and its answer comes back as it was."""

from __future__ import annotations

import gzip

import pytest

from tests.bridge.place import passing
from tests.bridge.raw_program import status_of
from tests.bridge.raw_upstream import TOKEN, Call

EMPTY = {204: b"HTTP/1.1 204 No Content\r\nX-Kept: yes\r\n\r\n", 304: b'HTTP/1.1 304 Not Modified\r\nETag: "7"\r\n\r\n'}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"])
def test_every_method_is_passed_on(method: str) -> None:
    """The service gets the method, the path and the body that the program has sent, and the program its answer."""
    body = b"" if method in {"GET", "OPTIONS"} else b'{"name": "\xc3\xa4"}'
    with passing(lambda call: call.answer(201, b"made")) as place:
        answer = place.program.call(method, "/api/invoices/7", content=body)
    assert (answer.status_code, answer.content) == (201, b"made")
    (call,) = place.upstream.calls
    assert (call.method, call.target, call.body()) == (method, "/api/invoices/7", body)
    assert call.header(b"authorization") == f"Bearer {TOKEN}1".encode()


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ("/api/invoices?a=%C3%A4&b=[x]|{y}'", "/api/invoices?a=%C3%A4&b=[x]|{y}'"),
        ('/api/invoices?q="<a>"^`\\', '/api/invoices?q="<a>"^`\\'),
        ("/api/invoices?next=http://elsewhere.example/&x=/../", "/api/invoices?next=http://elsewhere.example/&x=/../"),
        ("/api/invoices?a=1?b=2&&", "/api/invoices?a=1?b=2&&"),
        ("/api/partners/%C3%A4%20b%2C;v=1/'x'|{y}", "/api/partners/%C3%A4%20b%2C;v=1/'x'|{y}"),
        ("/latest/api//invoices/", "/latest/api/invoices/"),
        ("/v2302/api/invoices", "/v2302/api/invoices"),
    ],
)
def test_path_and_query_stay_as_they_were_sent(sent: str, got: str) -> None:
    """Nothing is decoded, encoded or left out on the way but slashes that stand twice."""
    with passing() as place, place.raw() as program:
        program.begin("GET", sent)
        assert status_of(program.read_head()) == 200
    assert [call.target for call in place.upstream.calls] == [got]


def test_an_answer_to_head_has_no_body() -> None:
    """HEAD is passed on as HEAD, and its answer says how long the body would be."""
    with passing(lambda call: call.answer(200, b"x" * 1234)) as place:
        answer = place.program.call("HEAD", "/api/invoices")
        assert place.program.call("HEAD", "/api/invoices").status_code == 200
    assert (answer.headers["content-length"], answer.content) == ("1234", b"")
    assert [call.method for call in place.upstream.calls] == ["HEAD", "HEAD"]


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_may_have_no_body(status: int) -> None:
    """An answer without a body is passed on with its headers, and the connection serves the next call."""
    with passing(lambda call: call.send(EMPTY[status])) as place:
        answers = [place.program.call() for _ in range(2)]
    assert [(answer.status_code, answer.content) for answer in answers] == [(status, b"")] * 2
    assert answers[0].headers.get("x-kept", answers[0].headers.get("etag")) in {"yes", '"7"'}


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 429, 500, 502, 503])
def test_the_api_s_own_errors_are_unchanged(status: int) -> None:
    """Status, body and `Retry-After` of the service's errors come to the program as they are."""
    body = b'{"errors":[{"status":%d,"field":"x","message":"No."}]}' % status
    with passing(lambda call: call.answer(status, body, "Retry-After: 17", "Content-Type: application/json")) as place:
        answer = place.program.call("POST", "/api/invoices", json={})
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["retry-after"] == "17"
    assert len(place.upstream.calls) == 1


def test_a_compressed_answer_stays_compressed() -> None:
    """The bridge passes compressed bytes on as they are, with their length."""
    packed = gzip.compress(b"invoice" * 1000)
    with passing(lambda call: call.answer(200, packed, "Content-Encoding: gzip")) as place, place.raw() as program:
        program.begin("GET", "/api/invoices", ["Accept-Encoding: gzip", "Connection: close"])
        answer = program.read_to_end()
        assert place.program.call().text == "invoice" * 1000
    assert answer.partition(b"\r\n\r\n")[2] == packed
    assert place.upstream.calls[0].header(b"accept-encoding") == b"gzip"


def test_bodies_in_chunks_pass_both_ways() -> None:
    """What has no length comes in chunks to the service, and in chunks back."""

    def act(call: Call) -> None:
        body = call.body()
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        call.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    sent = [b"x" * 50_000, b"y" * 50_000]
    with passing(act) as place:
        answer = place.program.call("POST", "/api/attachments", content=iter(sent))
        short = place.program.call("POST", "/api/attachments", content=iter([b"short"]))
    assert answer.content == b"abc" + b"".join(sent)
    assert short.content == b"abcshort"
    first, second = place.upstream.calls
    assert first.header(b"transfer-encoding") == b"chunked"
    assert second.header(b"content-length") == b"5"


def test_a_body_with_a_length_keeps_it() -> None:
    """What has a length comes with it to the service, whether it is held or streamed."""
    with passing() as place:
        for size in (0, 1, 65_536, 65_537, 1_000_000):
            assert place.program.call("PUT", "/api/attachments", content=b"z" * size).status_code == 200
    assert [call.header(b"content-length") for call in place.upstream.calls] == [
        b"0",
        b"1",
        b"65536",
        b"65537",
        b"1000000",
    ]
    assert [len(call.body()) for call in place.upstream.calls] == [0, 1, 65_536, 65_537, 1_000_000]


def test_read_only_passes_get_and_head_only() -> None:
    """With `read_only` nothing that writes comes to the service, and the program is told so in the API's shape."""
    with passing(read_only=True) as place:
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"):
            answer = place.program.call(method, "/api/invoices", content=b"{}")
            assert (answer.status_code, answer.json()["errors"][0]["status"]) == (403, 403)
        assert place.upstream.calls == []
        assert place.program.call("GET").status_code == 200
        assert place.program.call("HEAD").status_code == 200


def test_a_page_in_a_browser_is_refused() -> None:
    """A request that a browser has made is refused at every endpoint, whatever its token, and no answer allows CORS."""
    with passing() as place:
        for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Mode": "cors"}, {"Sec-Fetch-Site": "none"}):
            for method, path in (("GET", "/api/users"), ("POST", "/api/oauth/token"), ("OPTIONS", "/api/oauth/authz")):
                answer = place.program.call(method, path, headers=header)
                assert answer.status_code == 403
                assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert place.upstream.calls == []
