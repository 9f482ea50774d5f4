"""Which headers are passed on, in both directions."""

from __future__ import annotations

import pytest

from procountor_auth.bridge.headers import is_loop, to_return, to_send

pytestmark = pytest.mark.once

SERVICE, PUBLIC = "https://api.procountor.com", "https://bridge.example"

VIA = (b"via", b"1.1 procountor-auth-bridge")

HOP_BY_HOP = (
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
)


@pytest.mark.parametrize(
    "header",
    [
        (b"accept", b"application/json"),
        (b"accept-encoding", b"gzip"),
        (b"content-type", b"application/json"),
        (b"content-length", b"12"),
        (b"content-encoding", b"gzip"),
        (b"if-none-match", b'"x"'),
        (b"range", b"bytes=0-1"),
        (b"user-agent", b"OldProgram/1.0"),
        (b"x-request-id", b"7"),
    ],
)
def test_what_a_call_says_is_passed_on(header: tuple[bytes, bytes]) -> None:
    """The service gets what the program says, and the way that it came."""
    assert to_send([header, header], "1.1") == [header, header, VIA]


@pytest.mark.parametrize(
    "name",
    [
        *HOP_BY_HOP,
        b"host",
        b"authorization",
        b"cookie",
        b"expect",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    ],
)
def test_what_is_the_bridge_s_is_not_passed_on(name: bytes) -> None:
    """The bridge's own token, the program's address and what is about one connection stay at the bridge."""
    assert to_send([(name, b"x")], "1.1") == [VIA]


@pytest.mark.parametrize("name", [*HOP_BY_HOP, b"Set-Cookie", b"Via", b"Alt-Svc", b"Strict-Transport-Security"])
def test_what_is_about_the_service_s_host_is_not_returned(name: bytes) -> None:
    """The program gets no session of the real user, and nothing that is about another host or connection."""
    assert to_return([(name, b"x"), (b"ETag", b"y")], SERVICE, PUBLIC) == [(b"etag", b"y")]


def test_no_page_of_another_site_is_let_in() -> None:
    """What the service says to browsers about other sites does not count for the bridge."""
    headers = [(b"Access-Control-Allow-Origin", b"*"), (b"access-control-allow-credentials", b"true")]
    assert to_return(headers, SERVICE, PUBLIC) == []


@pytest.mark.parametrize("value", [b"close, X-Mine", b"x-mine", b" X-MINE ,keep-alive"])
def test_what_connection_names_goes_no_further(value: bytes) -> None:
    """A header that `Connection` names is about this connection, in both directions."""
    headers = [(b"connection", value), (b"x-mine", b"1"), (b"x-other", b"2")]
    assert to_send(headers, "1.1") == [(b"x-other", b"2"), VIA]
    assert to_return(headers, SERVICE, PUBLIC) == [(b"x-other", b"2")]


def test_connection_can_not_take_the_body_away() -> None:
    """The length and the type of a body stay, whatever `Connection` names: servers must agree on its end."""
    headers = [(b"connection", b"content-length, content-type"), (b"content-length", b"2"), (b"content-type", b"a/b")]
    assert to_send(headers, "1.1") == [(b"content-length", b"2"), (b"content-type", b"a/b"), VIA]


def test_a_length_beside_chunks_goes_no_further() -> None:
    """Of a length and chunks only the chunks count: another server must not read the length (RFC 9112, 6.3)."""
    headers = [(b"content-length", b"2"), (b"transfer-encoding", b"chunked"), (b"x-other", b"2")]
    assert to_send(headers, "1.1") == [(b"x-other", b"2"), VIA]
    assert to_return(headers, SERVICE, PUBLIC) == [(b"x-other", b"2")]


def test_the_way_is_told_and_a_loop_is_found() -> None:
    """`Via` is continued, and a request that has come through a bridge is known; one through another proxy is not."""
    before = [(b"via", b"1.0 proxy.example")]
    sent = to_send(before, "1.1")
    assert sent == [(b"via", b"1.0 proxy.example, 1.1 procountor-auth-bridge")]
    assert is_loop(sent)
    assert not is_loop(before)
    assert not is_loop([])


@pytest.mark.parametrize(
    ("location", "returned"),
    [
        ("https://api.procountor.com/api/invoices/1?x=1", "https://bridge.example/api/invoices/1?x=1"),
        ("HTTPS://API.procountor.com/api", "https://bridge.example/api"),
        ("https://api.procountor.com", "https://bridge.example"),
        ("https://api.procountor.com?x", "https://bridge.example?x"),
        ("/api/invoices/1", "/api/invoices/1"),
        ("invoices/1", "invoices/1"),
        ("https://api.procountor.com.evil.example/", "https://api.procountor.com.evil.example/"),
        ("https://api.procountor.com@evil.example/", "https://api.procountor.com@evil.example/"),
        ("https://other.example/report", "https://other.example/report"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("name", [b"Location", b"content-location"])
def test_an_address_of_the_service_leads_through_the_bridge(name: bytes, location: str, returned: str) -> None:
    """What names the service's host names the bridge then; any other address stays as it is."""
    received = [(name, location.encode())]
    assert to_return(received, SERVICE, PUBLIC) == [(name.lower(), returned.encode())]


def test_headers_that_come_twice_stay_two() -> None:
    """Nothing is joined, and the order stays."""
    headers = [(b"Link", b"<a>"), (b"X-A", b"1"), (b"Link", b"<b>")]
    assert to_return(headers, SERVICE, PUBLIC) == [(b"link", b"<a>"), (b"x-a", b"1"), (b"link", b"<b>")]
