"""What lies between, as data: proxies, inspection of TLS, gateways, names, IPv6. The expectations came first."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ConnectionFailed, ServiceUnavailable, UnexpectedResponse
from tests.faults.acts import (
    GOOD,
    answer,
    close,
    close_after,
    drip,
    first,
    location,
    message,
    page,
    reset,
    say,
    stall_after,
    token,
)
from tests.faults.fault import SHORT, Accepted, Refused

from .case import Way
from .network import ESTABLISHED, LOCAL_NAME, NAME, Network, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.acts import Act

_JSON: Final = json.dumps(GOOD).encode()
_TOKEN: Final = message(200, _JSON)

_TWICE: Final = Accepted(safe=2, once=2)
_UNSENT: Final = Refused(ConnectionFailed, retryable=True, safe=0, once=0)
_FINAL: Final = Refused(ConnectionFailed, safe=0, once=0)
_UNTRUSTED: Final = Refused(ConnectionFailed, says="PROCOUNTOR_CA_BUNDLE", safe=0, once=0)
_LATE: Final = Refused(ConnectionFailed, retryable=True)
_LOST: Final = Refused(ConnectionFailed, retryable=True, safe=3, once=1)
_DOWN: Final = Refused(ServiceUnavailable, retryable=True, safe=3, once=1)
_DOWN_ONCE: Final = Refused(ServiceUnavailable, retryable=True, once=1)
_STRANGE: Final = Refused(UnexpectedResponse)


def _connect(*acts: Act | bytes, then: str = "service") -> Callable[[Network], Route]:
    """Do something else with the first CONNECTs, or with none; then open the tunnel."""

    def build(network: Network) -> Route:
        begun = [each if callable(each) else network.tunnel(head=each) for each in acts]
        return network.through(network.start_proxy(first(*begun, then=network.tunnel(then))), "service")

    return build


def _within(act: Act, *trusts: str, tls: str = "service", begun: tuple[str, ...] = ()) -> Callable[[Network], Route]:
    """Open a tunnel at once, and answer in there; `begun` is who stands at the end of the first tunnels."""

    def build(network: Network) -> Route:
        tunnels = [network.tunnel(each) for each in begun]
        return network.through(network.start_proxy(first(*tunnels, then=network.tunnel(tls)), act), *trusts)

    return build


def _tunnelled(act: Act) -> Callable[[Network], Route]:
    return _within(act, "service")


def _direct(act: Act) -> Callable[[Network], Route]:
    """Answer over TLS, as whatever ends it in front of the service."""
    return lambda network: Route(network.serve(act, "service").url, ("service",))


def _named(*answers: tuple[str, ...] | BaseException, address: str = "127.0.0.1") -> Callable[[Network], Route]:
    """Serve at an address, and answer lookups of the service's name."""

    def build(network: Network) -> Route:
        server = network.serve(None, "service", address=address)
        network.resolve(*answers)
        reached = {each for found in answers if not isinstance(found, BaseException) for each in found}
        return Route(
            f"https://{NAME}:{server.port}",
            ("service",),
            may_reach=frozenset((each, server.port) for each in reached),
        )

    return build


def _silent(count: int, alive: str = "127.0.0.1") -> Callable[[Network], Route]:
    """Have `count` addresses that do not respond before one that may."""
    dead = tuple(f"127.0.0.{number}" for number in range(5, 5 + count))

    def build(network: Network) -> Route:
        server = network.serve(None, "service")
        for address in dead:
            network.serve(address=address, port=server.port, accepts=False)
        addresses = (*dead, alive) if alive else dead
        network.resolve(addresses)
        reached = frozenset((each, server.port) for each in addresses)
        return Route(f"https://{NAME}:{server.port}", ("service",), may_reach=reached)

    return build


def _slow_lookup(network: Network) -> Route:
    server = network.serve(None, "service")

    def wait() -> tuple[str, ...]:
        threading.Event().wait(4 * SHORT)
        return ("127.0.0.1",)

    network.resolve(wait)
    return Route(f"https://{NAME}:{server.port}", ("service",))


def _moved(network: Network) -> Route:
    """Have another server answer from the second renewal on."""
    old = network.serve(None, "service")
    network.serve(None, "service", address="127.0.0.2", port=old.port)
    network.resolve(("127.0.0.1",), ("127.0.0.2",))
    reached = frozenset({("127.0.0.2", old.port)})
    return Route(f"https://{NAME}:{old.port}", ("service",), renewals=2, may_reach=reached)


def _hijacked(network: Network) -> Route:
    """Have the name lead to somebody else, who listens."""
    server = network.serve(None, "inspector")
    network.resolve(("127.0.0.1",))
    return Route(f"https://{NAME}:{server.port}", ("service",))


def _local(address: str) -> Callable[[Network], Route]:
    def build(network: Network) -> Route:
        server = network.serve(None, "service", address=address)
        network.resolve(AssertionError(f"{LOCAL_NAME} was looked up"))
        reached = frozenset((each, server.port) for each in ("127.0.0.1", "::1"))
        return Route(f"https://{LOCAL_NAME}:{server.port}", ("service",), may_reach=reached)

    return build


def _ipv6_literal(network: Network) -> Route:
    server = network.serve(None, "service", address="::1")
    return Route(f"https://[::1]:{server.port}", ("service",))


def _connect_status(status: int) -> Act:
    return answer(status, b"", "Proxy-Agent: test")


PROXY: Final = (
    *(
        Way("proxy", f"connect-{status}-then-open", Accepted(), _connect(_connect_status(status)), connects=2)
        for status in (429, 502, 503, 504)
    ),
    Way("proxy", "connect-hung-up-then-open", Accepted(), _connect(close), connects=2),
    Way("proxy", "connect-reset-then-open", Accepted(), _connect(reset), connects=2),
    Way("proxy", "connect-502-twice-then-open", Accepted(), _connect(page(502), page(502)), connects=3),
    Way("proxy", "connect-407-then-open", _FINAL, _connect(_connect_status(407)), connects=1),
    Way("proxy", "connect-403-then-open", _FINAL, _connect(page(403)), connects=1),
    Way("proxy", "connect-511-then-open", _FINAL, _connect(page(511)), connects=1),
    Way("proxy", "connect-to-a-portal", _FINAL, _connect(location("http://portal.example/", 302)), connects=1),
    Way("proxy", "connect-101", Accepted(), _connect(say(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")), connects=2),
    Way("proxy", "connect-http-1.0", Accepted(), _connect(b"HTTP/1.0 200 OK\r\n\r\n"), connects=1),
    Way("proxy", "connect-204", Accepted(), _connect(b"HTTP/1.1 204 No Content\r\n\r\n"), connects=1),
    Way("proxy", "connect-with-length", Accepted(), _connect(ESTABLISHED[:-2] + b"Content-Length: 9\r\n\r\n")),
    Way(
        "proxy",
        "connect-chunked",
        Accepted(),
        _connect(ESTABLISHED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"),
        connects=1,
    ),
    Way("proxy", "connect-100-first", Accepted(), _connect(b"HTTP/1.1 100 Continue\r\n\r\n" + ESTABLISHED)),
    Way("proxy", "connect-102-thrice", Accepted(), _connect(b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + ESTABLISHED)),
    Way(
        "proxy",
        "open-and-silent",
        _UNSENT,
        _connect(stall_after(ESTABLISHED)),
        timeout=SHORT,
    ),
    Way("proxy", "502-within-once", Accepted(safe=2), _tunnelled(first(page(502), then=token())), _DOWN_ONCE),
    Way("proxy", "504-within-once", Accepted(safe=2), _tunnelled(first(page(504), then=token())), _DOWN_ONCE),
    Way("proxy", "503-within-once", _TWICE, _tunnelled(first(page(503), then=token()))),
    Way("proxy", "502-within", _DOWN, _tunnelled(page(502))),
    Way("proxy", "407-within", Refused(ConnectionFailed), _tunnelled(page(407))),
    Way("proxy", "511-within", _STRANGE, _tunnelled(page(511))),
    Way("proxy", "portal-within", _STRANGE, _tunnelled(location("{trap}/login", 302))),
    Way("proxy", "hung-up-within", _LOST, _tunnelled(close)),
)

PROVISIONAL: Final = (
    *(
        Way("1xx", f"{status}-first", Accepted(), _direct(say(b"HTTP/1.1 %d Wait\r\n\r\n" % status + _TOKEN)))
        for status in (100, 102, 103, 199)
    ),
    Way("1xx", "hundred-times", Accepted(), _direct(say(b"HTTP/1.1 102 Processing\r\n\r\n" * 100 + _TOKEN))),
    Way("1xx", "for-ever", _LATE, _direct(drip(b"HTTP/1.1 102 Processing\r\n\r\n" * 1_000)), timeout=SHORT),
    Way("1xx", "then-hung-up", _LOST, _direct(close_after(b"HTTP/1.1 103 Early Hints\r\n\r\n"))),
    Way("1xx", "then-silence", _LATE, _direct(stall_after(b"HTTP/1.1 100 Continue\r\n\r\n")), timeout=SHORT),
    Way(
        "1xx",
        "then-503-then-right",
        _TWICE,
        _direct(first(say(b"HTTP/1.1 103 Early Hints\r\n\r\n" + message(503, b"")), then=token())),
    ),
    Way("1xx", "101", _LOST, _direct(say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"))),
)

INSPECTION: Final = (
    Way("TLS inspection", "no-bundle", _UNTRUSTED, _within(token(), tls="inspector"), connects=1),
    Way("TLS inspection", "the-service-s-bundle", _UNTRUSTED, _within(token(), "service", tls="inspector"), connects=1),
    Way("TLS inspection", "its-bundle", Accepted(), _within(token(), "inspector", tls="inspector"), connects=1),
    Way("TLS inspection", "both-in-the-bundle", Accepted(), _within(token(), "service", "inspector", tls="inspector")),
    Way("TLS inspection", "for-another-name", _FINAL, _within(token(), "stranger", tls="stranger"), connects=1),
    Way(
        "TLS inspection",
        "begins-later",
        Refused(ConnectionFailed, says="PROCOUNTOR_CA_BUNDLE"),
        _within(answer(503, b"", "Connection: close"), "service", tls="inspector", begun=("service",)),
        connects=2,
    ),
    Way("TLS inspection", "ends-later", Accepted(), _within(token(), "inspector", "service", begun=("inspector",))),
    Way("TLS inspection", "block-page", _STRANGE, _within(page(403), "inspector", tls="inspector")),
    Way("TLS inspection", "page-with-200", _STRANGE, _within(page(200), "inspector", tls="inspector")),
)


def _chunked(*headers: str, parts: bytes = b"", trailers: bytes = b"") -> Act:
    body = parts or b"%x\r\n%s\r\n0\r\n" % (len(_JSON), _JSON)
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked", *headers]
    return say("\r\n".join(lines).encode() + b"\r\n\r\n" + body + trailers + b"\r\n")


def _plain(*headers: str, status: bytes = b"HTTP/1.1 200 OK", end: bytes = b"\r\n") -> Act:
    lines = [status, b"Content-Length: %d" % len(_JSON), *(each.encode() for each in headers)]
    return say(end.join(lines) + end * 2 + _JSON)


_GZIP: Final = gzip.compress(_JSON)

GATEWAY: Final = (
    Way("gateway", "forwarded", Accepted(), _direct(_plain("Via: 1.1 a, 1.1 b", "X-Forwarded-Proto: http"))),
    Way("gateway", "lower-case", Accepted(), _direct(_plain("x-cache: MISS", "age: 0", "vary: *"))),
    Way("gateway", "cookies", Accepted(), _direct(_plain("Set-Cookie: a=1", "Set-Cookie: b=2; Secure"))),
    Way(
        "gateway",
        "cookie-with-503",
        _TWICE,
        _direct(first(answer(503, b"", "Set-Cookie: route=1"), then=token())),
    ),
    Way("gateway", "html-type", Accepted(), _direct(_plain("Content-Type: text/html"))),
    Way("gateway", "fifty-headers", Accepted(), _direct(_plain(*(f"X-Trace-{each}: {each}" for each in range(50))))),
    Way("gateway", "not-latin-1", Accepted(), _direct(_plain("Server: gateway-\u00e4"))),
    Way("gateway", "folded-header", Accepted(), _direct(_plain("Via: 1.1 a,\r\n 1.1 b"))),
    Way("gateway", "no-reason", Accepted(), _direct(_plain(status=b"HTTP/1.1 200"))),
    Way("gateway", "line-feeds", Accepted(), _direct(_plain(end=b"\n"))),
    Way("gateway", "http-1.0", Accepted(), _direct(_plain(status=b"HTTP/1.0 200 OK"))),
    Way("gateway", "until-the-end", Accepted(), _direct(close_after(b"HTTP/1.0 200 OK\r\n\r\n" + _JSON))),
    Way("gateway", "connection-close", Accepted(), _direct(_plain("Connection: close"))),
    Way("gateway", "length-twice", Accepted(), _direct(_plain(f"Content-Length: {len(_JSON)}"))),
    Way("gateway", "two-lengths", _LOST, _direct(_plain(f"Content-Length: {len(_JSON) - 9}"))),
    Way("gateway", "identity", Accepted(), _direct(_plain("Content-Encoding: identity"))),
    Way("gateway", "identity-in-capitals", Accepted(), _direct(_plain("Content-Encoding: Identity"))),
    Way("gateway", "identity-twice", Accepted(), _direct(_plain("Content-Encoding: identity, identity"))),
    Way("gateway", "empty-encoding", Accepted(), _direct(_plain("Content-Encoding: "))),
    Way("gateway", "gzip", _STRANGE, _direct(answer(200, _GZIP, "Content-Encoding: GZIP"))),
    Way(
        "gateway",
        "gzip-chunked",
        _STRANGE,
        _direct(_chunked("Content-Encoding: gzip", parts=b"%x\r\n%s\r\n0\r\n" % (len(_GZIP), _GZIP))),
    ),
    Way("gateway", "chunked", Accepted(), _direct(_chunked())),
    Way(
        "gateway",
        "chunked-bytes",
        Accepted(),
        _direct(_chunked(parts=b"".join(b"1\r\n%c\r\n" % each for each in _JSON) + b"0\r\n")),
    ),
    Way(
        "gateway",
        "chunk-extensions",
        Accepted(),
        _direct(_chunked(parts=b"%x;name=value\r\n%s\r\n0;last\r\n" % (len(_JSON), _JSON))),
    ),
    Way("gateway", "trailers", Accepted(), _direct(_chunked(trailers=b"X-Checksum: 1\r\nSet-Cookie: a=1\r\n"))),
    Way("gateway", "chunked-with-length", Accepted(), _direct(_chunked("Content-Length: 3"))),
    Way("gateway", "to-http", _STRANGE, _direct(location("http://127.0.0.1/api/oauth/token", 301))),
    Way("gateway", "to-http-308", _STRANGE, _direct(location("http://127.0.0.1/api/oauth/token", 308))),
    Way(
        "gateway",
        "http-to-https",
        _STRANGE,
        lambda network: Route(network.serve(location("https://127.0.0.1/api/oauth/token", 308)).url),
    ),
    Way("gateway", "to-a-slash", _STRANGE, _direct(location("{host}/api/oauth/token/", 308))),
    Way("gateway", "413", _STRANGE, _direct(page(413))),
    Way("gateway", "421", _STRANGE, _direct(page(421))),
    Way("gateway", "425", _DOWN, _direct(page(425))),
    Way("gateway", "431", _STRANGE, _direct(page(431))),
    *(Way("gateway", str(status), _DOWN, _direct(page(status))) for status in (520, 522, 524, 530)),
    Way(
        "gateway",
        "forgets-the-connection",
        Refused(ConnectionFailed, retryable=True, safe=2, once=2),
        _direct(first(answer(503), then=stall_after(b""))),
        timeout=0.6,
    ),
)

_NOBODY: Final = ("127.0.0.3",)
_HERE: Final = ("127.0.0.1",)
_UNKNOWN: Final = socket.gaierror(socket.EAI_NONAME, "Name or service not known")

NAMES: Final = (
    Way("names", "first-refuses", Accepted(), _named((*_NOBODY, *_HERE))),
    Way("names", "all-refuse", _UNSENT, _named(_NOBODY)),
    Way("names", "first-is-silent", Accepted(), _silent(1), timeout=1.0),
    Way("names", "three-are-silent", _UNSENT, _silent(3, alive=""), timeout=SHORT),
    Way("names", "three-are-silent-before-one", _UNSENT, _silent(3), timeout=SHORT),
    Way("names", "lookup-takes-too-long", _UNSENT, _slow_lookup, timeout=SHORT),
    Way("names", "unknown", _UNSENT, _named(_UNKNOWN)),
    Way("names", "unknown-once", Accepted(), _named(_UNKNOWN, _HERE)),
    Way("names", "try-again-once", Accepted(), _named(socket.gaierror(socket.EAI_AGAIN, "Try again"), _HERE)),
    Way("names", "no-address-once", Accepted(), _named((), _HERE)),
    Way("names", "dead-answer-once", Accepted(), _named(_NOBODY, _HERE)),
    Way("names", "moves-between-renewals", _TWICE, _moved),
    Way("names", "hijacked", _UNTRUSTED, _hijacked),
    Way("names", "below-localhost", Accepted(), _local("127.0.0.1")),
)

IPV6: Final = (
    Way("IPv6", "address", Accepted(), _ipv6_literal),
    Way("IPv6", "only-AAAA", Accepted(), _named(("::1",), address="::1")),
    Way("IPv6", "AAAA-refuses", Accepted(), _named(("::1", "127.0.0.1"))),
    Way("IPv6", "A-refuses", Accepted(), _named(("127.0.0.3", "::1"), address="::1")),
    Way("IPv6", "AAAA-alone-refuses", _UNSENT, _named(("::1",))),
    Way("IPv6", "AAAA-unknown-once", Accepted(), _named(_UNKNOWN, ("::1",), address="::1")),
    Way("IPv6", "below-localhost", Accepted(), _local("::1")),
)

WAYS: Final = (*PROXY, *PROVISIONAL, *INSPECTION, *GATEWAY, *NAMES, *IPV6)
