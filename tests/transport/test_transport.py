"""The only modules that open sockets for tokens, against servers that misbehave."""

from __future__ import annotations

import gc
import importlib.util
import itertools
import logging
import os
import socket
import ssl
import struct
import threading
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import pytest
from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, ConnectionFailed, ProcountorAuthError, UnexpectedResponse
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.transport.backend import backend
from procountor_auth.transport.connection import MAX_BODY, tls_context
from procountor_auth.transport.transport import Transport
from tests.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from procountor_auth.protocol.flow import Flow

pytestmark = pytest.mark.server

T = TypeVar("T")

_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

_SLOWEST: Final = 0.15
"""Seconds that a flow may take here before it is too late."""


_IMPATIENT: Final = Transport(sleep=lambda _: None)
"""Tries again at once."""


class Server:
    """A server of bare bytes on a port of its own.

    Args:
        answer: What it does with a connection once a request has been read.
        tls: The certificate to show; none for plain HTTP.
    """

    def __init__(self, answer: Callable[[Server, socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.asked = threading.Event()
        self.closing = threading.Event()
        self.connections = 0
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.closing.is_set():
                connection.close()
                return
            self.connections += 1
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            while (request := self._read(connection)) is not None:
                self.requests.append(request)
                self.asked.set()
                self._answer(self, connection)
        connection.close()

    @staticmethod
    def _read(connection: socket.socket) -> bytes | None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(65_536)):
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                while len(body) < int(line.partition(b":")[2]):
                    body += connection.recv(65_536)
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        """Stop, and wait for what is still being answered."""
        self.closing.set()
        socket.create_connection(("127.0.0.1", self.port)).close()  # wakes `accept`
        for thread in self._threads:
            thread.join(10)
        self._listener.close()


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_left_open() -> Iterator[None]:
    """Fail, with a `ResourceWarning`, if a test has left a socket to the garbage collector."""
    yield
    gc.collect()


class Serve(Protocol):
    """Starts a server that is stopped with the test."""

    def __call__(self, answer: Callable[[Server, socket.socket], None], tls: ssl.SSLContext | None = ...) -> Server:
        """Return the running server."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers of bare bytes."""
    servers: list[Server] = []

    def start(answer: Callable[[Server, socket.socket], None], tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(answer, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def _say(*parts: bytes) -> Callable[[Server, socket.socket], None]:
    def answer(_server: Server, connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)

    return answer


def _say_and_hang_up(*parts: bytes) -> Callable[[Server, socket.socket], None]:
    def answer(server: Server, connection: socket.socket) -> None:
        _say(*parts)(server, connection)
        connection.shutdown(socket.SHUT_RDWR)

    return answer


def _say_and_reset(*parts: bytes) -> Callable[[Server, socket.socket], None]:
    def answer(server: Server, connection: socket.socket) -> None:
        _say(*parts)(server, connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return answer


def _say_and_stall(*parts: bytes) -> Callable[[Server, socket.socket], None]:
    def answer(server: Server, connection: socket.socket) -> None:
        _say(*parts)(server, connection)
        server.closing.wait(10)
        connection.close()

    return answer


def _ask(*urls: str) -> Flow[list[Response]]:
    """Post a secret to each URL in turn."""
    responses = []
    for url in urls:
        response = yield Request("POST", url, "password=s3cret", bearer="b34rer")
        responses.append(response)
    return responses


def _fails(transport: Transport, url: str) -> ProcountorAuthError:
    """Return the error of a request, which must be ours, whole, and free of secrets."""
    with pytest.raises(ProcountorAuthError) as caught:
        transport.run(_ask(f"{url}/api/oauth/token?state=st4te"))
    error = caught.value
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown.stack[:] = [frame for frame in shown.stack if frame.filename != __file__]
    frames = "".join(shown.format())
    assert not [secret for secret in ("s3cret", "b34rer", "st4te", "answ3r") if secret in f"{error}{vars(error)}"]
    assert not [secret for secret in ("s3cret", "b34rer", "answ3r") if secret in frames]
    assert error.__cause__ is None
    assert error.__context__ is None
    assert error.hint
    return error


def test_an_answer_comes_back_whole(serve: Serve) -> None:
    """Status, every value of every header, and the body arrive, whatever the status is."""
    server = serve(_say(b"HTTP/1.1 418 No\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\n\xff\x00a"))
    (response,) = Transport().run(_ask(server.url))
    assert (response.status, response.headers["x-a"], response.body) == (418, ("1", "2"), b"\xff\x00a")


def test_a_chunked_answer_is_put_together(serve: Serve) -> None:
    """A body that comes in chunks is one body."""
    server = serve(
        _say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n")
    )
    assert Transport().run(_ask(server.url))[0].body == b"{}"


def test_the_request_is_as_the_flow_says(serve: Serve) -> None:
    """Method, path, form body and bearer token are sent; no compression is asked for; no cookie is kept."""
    server = serve(_say(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    Transport().run(_ask(f"{server.url}/api/oauth/token?a=b", f"{server.url}/second"))
    first, second = server.requests
    assert first.startswith(b"POST /api/oauth/token?a=b HTTP/1.1\r\n")
    assert first.endswith(b"\r\n\r\npassword=s3cret")
    headers = dict(line.split(b": ", 1) for line in first.lower().split(b"\r\n\r\n")[0].split(b"\r\n")[1:])
    assert headers[b"authorization"] == b"bearer b34rer"
    assert headers[b"content-type"] == b"application/x-www-form-urlencoded"
    assert headers[b"accept-encoding"] == b"identity"
    assert headers[b"accept"] == b"application/json"
    assert b"cookie" not in second.lower()


def test_a_get_has_no_body_and_no_token(serve: Serve) -> None:
    """A request without body and bearer has neither their headers nor a length."""

    def get(url: str) -> Flow[int]:
        response = yield Request("GET", url)
        return response.status

    server = serve(_say(_OK))
    assert Transport().run(get(server.url)) == 200
    assert not [name for name in (b"authorization", b"content-") if name in server.requests[0].lower()]


def test_one_flow_is_one_connection_that_ends_with_it(serve: Serve) -> None:
    """The requests of a flow share a connection, and the server sees it end when the flow does."""
    server = serve(_say(_OK))
    Transport().run(_ask(server.url, server.url, server.url))
    for thread in server._threads[1:]:
        thread.join(10)
    assert (server.connections, len(server.requests)) == (1, 3)
    assert not any(thread.is_alive() for thread in server._threads[1:])


def test_a_dead_connection_is_not_used_again(serve: Serve) -> None:
    """A server that hangs up after each answer gets a new connection for the flow's next request."""
    server = serve(_say_and_hang_up(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"))
    assert len(Transport().run(_ask(server.url, server.url))) == 2
    assert server.connections == 2


_BROKEN: Final[dict[str, Callable[[Server, socket.socket], None]]] = {
    "reset before the answer": _say_and_reset(),
    "reset in the head": _say_and_reset(b"HTTP/1.1 200 OK\r\nContent-"),
    "reset in the body": _say_and_reset(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nansw3r"),
    "end before the answer": _say_and_hang_up(),
    "end in the head": _say_and_hang_up(b"HTTP/1.1 200 OK\r\nContent-"),
    "end in the body": _say_and_hang_up(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nansw3r"),
    "end in a chunk": _say_and_hang_up(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nansw3r"),
    "another protocol": _say_and_hang_up(b"SSH-2.0-answ3r\r\n"),
    "binary": _say_and_hang_up(b"\x00\x01\x02\xffansw3r\r\n\r\n"),
    "no status": _say_and_hang_up(b"HTTP/1.1 answ3r\r\n\r\n"),
    "a header that is none": _say_and_hang_up(b"HTTP/1.1 200 OK\r\nansw3r\r\n\r\n"),
    "two lengths": _say_and_hang_up(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nansw3r"),
    "a chunk size that is none": _say_and_hang_up(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nansw3r\r\n"),
    "an endless head": _say_and_hang_up(b"HTTP/1.1 200 OK\r\n", b"X-A: answ3r\r\n" * 20_000),
}


@pytest.mark.parametrize("answer", _BROKEN.values(), ids=_BROKEN)
def test_a_broken_answer_may_be_tried_again(serve: Serve, answer: Callable[[Server, socket.socket], None]) -> None:
    """A connection that breaks, or is not HTTP, is a retryable failure that repeats nothing of the answer."""
    error = _fails(Transport(), serve(answer).url)
    assert type(error) is ConnectionFailed
    assert error.retryable


_STALLS: Final[dict[str, Callable[[Server, socket.socket], None]]] = {
    "before the answer": _say_and_stall(),
    "in the head": _say_and_stall(b"HTTP/1.1 200 OK\r\nContent-"),
    "in the body": _say_and_stall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nansw3r"),
    "before the end": _say_and_stall(b"HTTP/1.1 200 OK\r\n\r\nansw3r"),
}


@pytest.mark.parametrize("answer", _STALLS.values(), ids=_STALLS)
def test_a_server_that_stalls_meets_the_deadline(serve: Serve, answer: Callable[[Server, socket.socket], None]) -> None:
    """A server that falls silent is given up at the deadline, with the setting that would give it more time."""
    server = serve(answer)
    began = time.monotonic()
    error = _fails(Transport(timeout=_SLOWEST), server.url)
    assert _SLOWEST <= time.monotonic() - began < _SLOWEST + 0.5
    assert type(error) is ConnectionFailed
    assert error.retryable
    assert f"{_SLOWEST} seconds" in error.message
    assert "PROCOUNTOR_TIMEOUT" in error.hint


def test_a_body_that_goes_on_past_the_deadline_is_given_up(serve: Serve) -> None:
    """Bytes that keep coming do not extend the deadline, by the transport's own clock."""
    server = serve(_say_and_stall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nansw3r"))
    clock = itertools.chain([0.0, 0.0], itertools.repeat(31.0))
    error = _fails(Transport(timeout=30.0, monotonic=lambda: next(clock)), server.url)
    assert "did not respond within 30 seconds" in error.message


def test_the_deadline_is_for_the_whole_flow(serve: Serve) -> None:
    """A second request is not sent once the flow's time is up."""
    server = serve(_say(_OK))
    clock = iter([0.0, 0.0, 1.0, 31.0])
    with pytest.raises(ConnectionFailed, match="within 30 seconds"):
        Transport(timeout=30.0, monotonic=lambda: next(clock, 31.0)).run(_ask(server.url, server.url))
    assert len(server.requests) == 1


_TOO_LARGE: Final = {
    "with a length": _say_and_hang_up(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), b"x" * (MAX_BODY + 1)
    ),
    "to the end": _say_and_hang_up(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * (MAX_BODY + 1)),
}


@pytest.mark.parametrize("answer", _TOO_LARGE.values(), ids=_TOO_LARGE)
def test_a_huge_answer_is_refused(serve: Serve, answer: Callable[[Server, socket.socket], None]) -> None:
    """An answer of more than a mebibyte is not kept, and asking again would not help."""
    error = _fails(Transport(), serve(answer).url)
    assert type(error) is UnexpectedResponse
    assert "1024 KiB" in error.message
    assert not error.retryable


def test_the_largest_answer_is_read(serve: Serve) -> None:
    """An answer of exactly a mebibyte is read."""
    server = serve(_say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MAX_BODY, b"x" * MAX_BODY))
    assert len(Transport().run(_ask(server.url))[0].body) == MAX_BODY


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"deflate", b"identity, gzip"])
def test_a_compressed_answer_is_refused(serve: Serve, encoding: bytes) -> None:
    """What was not asked for is not unpacked: a few bytes could become gigabytes."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: 6\r\n\r\nansw3r" % encoding
    error = _fails(Transport(), serve(_say(head)).url)
    assert type(error) is UnexpectedResponse
    assert "compressed" in error.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer(serve: Serve, status: int) -> None:
    """A redirect to another origin comes back as it is, and the other origin sees nothing at all."""
    other = serve(_say(_OK))
    location = f"HTTP/1.1 {status} Moved\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n".encode()
    (response,) = Transport().run(_ask(serve(_say(location)).url))
    assert (response.status, response.header("location")) == (status, f"{other.url}/")
    assert other.connections == 0


def test_a_closed_port_is_unreachable() -> None:
    """A refused connection is retryable and asks to check the host."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = _fails(_IMPATIENT, f"http://127.0.0.1:{port}")
    assert type(error) is ConnectionFailed
    assert error.retryable
    assert "can't be reached" in error.message
    assert "PROCOUNTOR_BASE_URL" in error.hint


def test_an_unknown_name_is_unreachable() -> None:
    """A host name that nobody knows is retryable: name servers have bad days."""
    began = time.monotonic()
    with pytest.raises(OSError, match=r"(?i)name|address|resol"):
        socket.getaddrinfo("name.invalid", 80)
    if time.monotonic() - began > 1:
        pytest.skip("looking up a name takes a network here")
    error = _fails(_IMPATIENT, "http://name.invalid")
    assert type(error) is ConnectionFailed
    assert error.retryable
    assert "can't be reached" in error.message


def test_an_unknown_authority_is_refused(serve: Serve, tmp_path: Path) -> None:
    """A certificate that nobody vouches for ends the connection before anything is sent, for good."""
    server = serve(_say(_OK), Certificate(tmp_path).shown)
    error = _fails(Transport(), server.url)
    assert type(error) is ConnectionFailed
    assert not error.retryable
    assert "PROCOUNTOR_CA_BUNDLE" in error.hint
    assert server.requests == []


def test_a_named_authority_is_trusted(serve: Serve, tmp_path: Path) -> None:
    """With the authority's file in the CA bundle the connection stands."""
    certificate = Certificate(tmp_path)
    server = serve(_say(_OK), certificate.shown)
    assert Transport(ca_bundle=certificate.file).run(_ask(server.url))[0].status == 200


def test_another_host_s_certificate_is_refused(serve: Serve, tmp_path: Path) -> None:
    """A trusted certificate for another address is refused before anything is sent."""
    certificate = Certificate(tmp_path, "192.0.2.1")
    server = serve(_say(_OK), certificate.shown)
    error = _fails(Transport(ca_bundle=certificate.file), server.url)
    assert not error.retryable
    assert server.requests == []


def test_variables_of_the_tls_library_are_not_read(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SSL_CERT_FILE` does not decide whom we trust: the CA bundle that is configured does."""
    certificate = Certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    monkeypatch.setattr("procountor_auth.transport.connection._contexts", {})
    assert not _fails(Transport(), serve(_say(_OK), certificate.shown).url).retryable


def test_plain_http_sets_up_no_tls(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a host on this machine no authority is read; TLS is set up with the first request that needs it."""
    read: list[object] = []

    def reading(ca_bundle: Path | None, name: str | None = None) -> ssl.SSLContext:
        read.append(ca_bundle)
        return tls_context(ca_bundle, name)

    monkeypatch.setattr("procountor_auth.transport.connection.tls_context", reading)
    url = serve(_say(_OK)).url
    transport = Transport(timeout=_SLOWEST)
    transport.prepare()
    transport.run(_ask(url))
    assert read == []
    _fails(transport, url.replace("http:", "https:"))
    assert read == [None]


def test_a_connection_without_tls_trusts_nobody(serve: Serve, tmp_path: Path) -> None:
    """Should a connection for this machine ever be used for HTTPS, it refuses every certificate."""
    server = serve(_say(_OK), Certificate(tmp_path).shown)
    with Transport(timeout=_SLOWEST).open(without_tls=True) as http:
        assert "CERTIFICATE" in str(_fails(Transport(timeout=_SLOWEST, http=http), server.url))
    assert server.requests == []


def test_tls_with_a_server_that_has_none_fails(serve: Serve) -> None:
    """HTTPS to a port that speaks plain HTTP is a failed connection, and nothing is sent in the clear."""
    server = serve(_say_and_hang_up(_OK))
    assert type(_fails(Transport(timeout=_SLOWEST), server.url.replace("http:", "https:"))) is ConnectionFailed
    assert server.requests == []


@pytest.mark.parametrize("content", [None, b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_an_unusable_ca_bundle_is_named(tmp_path: Path, content: bytes | None) -> None:
    """A CA bundle that is not there, or holds no certificate, is a configuration error that names its variable."""
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_bytes(content)
    for bundle in (file, tmp_path):
        error = _fails(Transport(ca_bundle=bundle), "https://127.0.0.1:1")
        assert type(error) is ConfigurationError
        assert "PROCOUNTOR_CA_BUNDLE" in error.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_a_ca_bundle_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A CA bundle that is no regular file is a configuration error at once, however often it is asked for."""
    os.mkfifo(tmp_path / "pipe")
    transport = Transport(ca_bundle=tmp_path / "pipe")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="PROCOUNTOR_CA_BUNDLE does not name a PEM file"):
            transport.prepare()


@pytest.mark.parametrize(
    "proxy", ["answ3r", "answ3r://proxy.example", "http://[::1", "http://proxy.example:port", "://"]
)
def test_an_unusable_proxy_is_named(proxy: str) -> None:
    """A proxy that is no URL of a proxy is a configuration error that names its variable, and not its value."""
    error = _fails(Transport(proxy=SecretStr(proxy)), "http://127.0.0.1:1")
    assert type(error) is ConfigurationError
    assert "PROCOUNTOR_PROXY" in error.message


@pytest.mark.skipif(importlib.util.find_spec("socksio") is not None, reason="the SOCKS library is installed")
def test_a_proxy_that_needs_another_library_is_named() -> None:
    """A SOCKS proxy without the library for it is a configuration error."""
    error = _fails(Transport(proxy=SecretStr("socks5://127.0.0.1:1")), "http://127.0.0.1:1")
    assert "PROCOUNTOR_PROXY" in error.message
    assert "pip install socksio" in error.hint


def test_a_replaced_authority_counts_at_once(serve: Serve, tmp_path: Path) -> None:
    """The next request trusts what the CA bundle holds now: a removed authority no more, and a new one."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old, new = Certificate(tmp_path / "old"), Certificate(tmp_path / "new")
    first, second = serve(_say(_OK), old.shown), serve(_say(_OK), new.shown)
    bundle = tmp_path / "bundle.pem"
    transport = Transport(ca_bundle=bundle)
    bundle.write_bytes(old.file.read_bytes())
    assert transport.run(_ask(first.url))[0].status == 200
    (tmp_path / "next.pem").write_bytes(new.file.read_bytes())
    (tmp_path / "next.pem").replace(bundle)
    assert not _fails(transport, first.url).retryable
    assert transport.run(_ask(second.url))[0].status == 200


def test_a_company_s_authority_needs_no_key_identifiers(tmp_path: Path) -> None:
    """A named authority is not held to rules that companies' own often break; whom it vouches for is still verified."""
    context = tls_context(Certificate(tmp_path).file)
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_proxy_with_tls_is_verified_with_the_named_authority(serve: Serve, tmp_path: Path) -> None:
    """An `https://` proxy whose certificate is of the CA bundle's authority is used; without the bundle it is not."""
    certificate = Certificate(tmp_path)
    proxy = serve(_say(_OK), certificate.shown)
    through = SecretStr(f"https://127.0.0.1:{proxy.port}")
    assert Transport(ca_bundle=certificate.file, proxy=through).run(_ask("http://host.invalid/path"))[0].status == 200
    assert type(_fails(Transport(proxy=through), "http://host.invalid/path")) is ConnectionFailed
    assert len(proxy.requests) == 1


def test_the_configured_proxy_is_used(serve: Serve) -> None:
    """Requests go through the proxy, with the password that its URL has."""
    proxy = serve(_say(_OK))
    through = SecretStr(f"http://me:pr0xy@127.0.0.1:{proxy.port}")
    assert Transport(proxy=through).run(_ask("http://host.invalid/path"))[0].status == 200
    assert proxy.requests[0].startswith(b"POST http://host.invalid/path HTTP/1.1\r\n")
    assert b"proxy-authorization: basic" in proxy.requests[0].lower()


def test_a_proxy_that_refuses_is_named(serve: Serve) -> None:
    """A proxy that wants other credentials is an error of its own, and asking again would not help."""
    proxy = serve(_say_and_hang_up(b"HTTP/1.1 407 answ3r\r\nContent-Length: 0\r\n\r\n"))
    error = _fails(Transport(proxy=SecretStr(proxy.url)), "https://host.invalid")
    assert type(error) is ConnectionFailed
    assert not error.retryable
    assert "PROCOUNTOR_PROXY" in error.hint


def test_the_environment_s_proxies_and_passwords_are_not_used(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither proxy variables nor `.netrc` touch a request for a token."""
    other, server = serve(_say(_OK)), serve(_say(_OK))
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(variable, other.url)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password n3trc\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    Transport().run(_ask(server.url))
    assert other.connections == 0
    assert b"authorization: bearer b34rer" in server.requests[0].lower()


def test_a_url_that_is_none_is_our_error() -> None:
    """Whatever the HTTP library raises for a URL that it can't read is one of our errors."""
    assert type(_fails(Transport(), "http://127.0.0.1:x")) is ConnectionFailed


def test_nothing_is_logged_but_the_path(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at DEBUG we log one line for each request, and nobody logs what was sent or answered."""
    server = serve(_say(b"HTTP/1.1 302 Found\r\nLocation: word?code=answ3r\r\nContent-Length: 6\r\n\r\nansw3r"))
    with caplog.at_level(logging.DEBUG):
        Transport().run(_ask(f"{server.url}/api/oauth/authz?state=st4te"))
    ours = [record.getMessage() for record in caplog.records if record.name == "procountor_auth"]
    assert ours == ["POST /api/oauth/authz: status 302"]
    assert not [secret for secret in ("s3cret", "b34rer", "answ3r", "st4te") if secret in caplog.text]


def test_a_program_s_own_requests_are_still_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """The silence ends with the flow: a request of the program's own client is logged as ever."""
    server = serve(_say(_OK))
    Transport().run(_ask(server.url))
    with caplog.at_level(logging.INFO), backend.Client(trust_env=False, verify=False) as client:
        client.get(f"{server.url}/own")
    assert "/own" in caplog.text


def test_a_transport_can_be_passed_in(serve: Serve) -> None:
    """A transport of the HTTP library is used as it is, and left open for its owner."""
    server = serve(_say(_OK))
    with backend.HTTPTransport(trust_env=False) as http:
        for _ in range(2):
            Transport(http=http).run(_ask(server.url))
    assert (server.connections, len(server.requests)) == (1, 2)


class Strange(backend.BaseTransport):
    """A transport of somebody else's that raises what no HTTP library does."""

    def handle_request(self, request: Any) -> Any:  # noqa: ANN401 - either library's
        """Fail."""
        raise LookupError(f"answ3r to {request.content!r}")


def test_whatever_a_transport_raises_is_ours() -> None:
    """An error that nobody knows is named by its class, and its text, which may repeat the request, is not kept."""
    error = _fails(Transport(http=Strange()), "http://127.0.0.1:1")
    assert type(error) is ConnectionFailed
    assert "LookupError" in error.message


def test_a_flow_is_closed_however_it_ends(serve: Serve) -> None:
    """A flow's own cleanup has run when the driver returns or raises."""
    ended = []

    def asking(url: str) -> Flow[str]:
        try:
            yield Request("GET", url)
        finally:
            ended.append(url)
        return "result"

    good, bad = serve(_say(_OK)).url, serve(_say_and_reset()).url
    assert Transport().run(asking(good)) == "result"
    with pytest.raises(ConnectionFailed):
        Transport().run(asking(bad))
    assert ended == [good, bad]


def test_an_error_of_the_flow_comes_out_as_it_is(serve: Serve) -> None:
    """What a flow raises about an answer is what the driver raises."""

    def refusing(url: str) -> Flow[None]:
        yield Request("GET", url)
        raise UnexpectedResponse("It is not right.")

    with pytest.raises(UnexpectedResponse, match="It is not right"):
        Transport().run(refusing(serve(_say(_OK)).url))


def test_a_flow_without_requests_needs_no_server() -> None:
    """A flow that knows its result already opens no connection."""

    def knowing() -> Flow[int]:
        yield from ()
        return 5

    assert Transport().run(knowing()) == 5
