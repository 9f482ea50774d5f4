"""Which headers pass the bridge, in both directions."""

from __future__ import annotations

import pytest

from tests.bridge.place import passing
from tests.bridge.raw_program import status_of
from tests.bridge.raw_upstream import CLIENT_SECRET, TOKEN, Call

pytestmark = pytest.mark.once


def test_a_program_s_headers_come_to_the_service() -> None:
    """What a program says comes as it is, twice if it says it twice, with `Via` and the service's own host."""
    with passing() as place, place.raw() as program:
        program.begin("GET", "/api/users", ["X-One: a", "X-One: b", "Accept: */*", 'If-Match: "7"', "Via: 1.0 office"])
        program.read_head()
    (call,) = place.upstream.calls
    assert [value for name, value in call.headers if name == b"x-one"] == [b"a", b"b"]
    assert call.header(b"accept") == b"*/*"
    assert call.header(b"if-match") == b'"7"'
    assert call.header(b"host") == place.upstream.url.removeprefix("http://").encode()
    assert call.header(b"via") == b"1.0 office, 1.1 procountor-auth-bridge"
    assert call.header(b"user-agent") is None


@pytest.mark.parametrize(
    "header",
    [
        "Cookie: a=b",
        "Proxy-Authorization: Basic eDp5",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Trailer: X-Sum",
        "Upgrade: h2c",
        "Proxy-Connection: close",
        "Forwarded: for=10.0.0.1",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Host: bridge.example",
        "X-Hop: named by Connection",
    ],
)
def test_what_is_not_the_service_s_business_stays(header: str) -> None:
    """Headers about the connection, cookies, and what tells of the network before the bridge are not passed on."""
    with passing() as place, place.raw() as program:
        program.begin("GET", "/api/users", [header, "Connection: keep-alive, X-Hop"])
        program.read_head()
    (call,) = place.upstream.calls
    assert call.header(header.partition(":")[0].lower().encode()) is None
    assert b"x-hop" not in (call.header(b"connection") or b"").lower()


def test_no_token_of_the_bridge_reaches_the_service() -> None:
    """The service gets its own token, and neither the bridge's token nor the password of the old login."""
    with passing() as place:
        place.program.call("POST", "/api/users", content=b"{}")
        heads = repr([(call.target, call.headers, call.body()) for call in place.upstream.calls])
        assert f"Bearer {TOKEN}1" in heads
        secrets = (place.program.access_token, place.program.refresh_token, place.program.password, CLIENT_SECRET)
        assert not [secret for secret in secrets if secret in heads]


def test_an_answer_s_headers_come_to_the_program() -> None:
    """What the service says comes as it is, less what is about its connection, its own host, cookies and CORS."""
    kept = [
        "X-One: a",
        "X-One: b",
        'ETag: "7"',
        "Date: Thu, 26 Nov 2026 10:00:00 GMT",
        "Server: theirs",
        "Vary: Accept",
    ]
    dropped = [
        "Set-Cookie: session=1",
        "Keep-Alive: timeout=5",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "Alt-Svc: h3",
        "Strict-Transport-Security: max-age=1",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Credentials: true",
        "Via: 1.1 theirs",
        "Proxy-Authenticate: Basic",
    ]
    with passing(lambda call: call.answer(200, b"{}", *kept, *dropped)) as place:
        answer = place.program.call()
    assert answer.headers.get_list("x-one") == ["a", "b"]
    for each in kept[2:]:
        name, _, value = each.partition(": ")
        assert answer.headers[name] == value
    assert not [each for each in dropped if each.partition(":")[0] in answer.headers]


def test_every_answer_says_that_the_login_ends() -> None:
    """Answers of the service and of the bridge carry `Deprecation` and a link; the service's own words come first."""
    with passing() as place:
        place.upstream.act = lambda call: call.answer(200, b"{}", "Deprecation: @1")
        assert place.program.call().headers.get_list("deprecation") == ["@1"]
        place.upstream.act = Call.answer
        for answer in (place.program.call(), place.program.call(path="/nothing"), place.program.authz(company="1")):
            assert answer.headers["deprecation"].startswith("@")
            assert 'rel="deprecation"' in answer.headers["link"]


def test_a_call_that_has_been_here_before_is_a_loop() -> None:
    """A bridge that is its own service answers 508 instead of calling itself for ever."""
    with passing() as place:
        answer = place.program.call(headers={"Via": "1.1 procountor-auth-bridge"})
        assert (answer.status_code, answer.json()["errors"][0]["status"]) == (508, 508)
        assert place.upstream.calls == []


@pytest.mark.parametrize("public", [None, "https://bridge.example"])
@pytest.mark.parametrize(
    ("rest", "whose"),
    [
        ("/api/files/7?x=1", "the service's"),
        ("", "the service's"),
        ("?a", "the service's"),
        ("9/api", "another's"),
        (".evil.example/", "another's"),
    ],
)
def test_an_address_at_the_service_leads_through_the_bridge(rest: str, whose: str, public: str | None) -> None:
    """`Location` and `Content-Location` at the service's host name the bridge instead, and nothing else changes."""

    def act(call: Call) -> None:
        address = place.upstream.url + rest
        call.answer(303, b"", f"Location: {address}", f"Content-Location: {address}")

    with passing(act, public_url=public) as place, place.raw() as program:
        program.begin("GET", "/api/files")
        answer = program.read_head()
        led_to = ((public or place.bridge.url) if whose == "the service's" else place.upstream.url) + rest
    assert status_of(answer) == 303
    lines = answer.decode().split("\r\n")
    assert f"location: {led_to}" in lines
    assert f"content-location: {led_to}" in lines
    assert len(place.upstream.calls) == 1


@pytest.mark.parametrize(
    "address",
    ["/api/files/7", "files/7", "https://files.example/7", "//files.example/7", "http://[", "http://x:port/", "\xe4"],
)
def test_other_addresses_stay(address: str) -> None:
    """A relative address, one at another host, and one that is none are the service's own words; none is followed."""
    with passing(lambda call: call.answer(302, b"", f"Location: {address}")) as place, place.raw() as program:
        program.begin("GET", "/api/files")
        answer = program.read_head()
    assert status_of(answer) == 302
    assert f"location: {address}" in answer.decode("latin-1").split("\r\n")
    assert len(place.upstream.calls) == 1
