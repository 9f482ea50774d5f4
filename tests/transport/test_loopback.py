"""`localhost` and the names below it lead to this machine and nowhere else."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from procountor_auth import Settings
from procountor_auth.errors import ConnectionFailed
from procountor_auth.protocol.flow import Request
from procountor_auth.transport.backend import backend
from procountor_auth.transport.loopback import LoopbackNames
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.protocol.flow import Flow, Response

_OTHER_MACHINE = "192.0.2.1"


class Witness(backend.BaseTransport):
    """Notes each request, and refuses the connection to the addresses that nobody listens at."""

    def __init__(self, *refused: str) -> None:
        self.requests: list[backend.Request] = []
        self._refused = refused

    def handle_request(self, request: backend.Request) -> backend.Response:
        """Respond to everything else."""
        self.requests.append(request)
        if request.url.host in self._refused:
            raise backend.ConnectError(f"nobody listens at {request.url.host}")
        return backend.Response(200, content=b"{}")


@pytest.fixture
def false_dns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have every name lead to another machine; return the names that were looked up."""
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def answer(host: str, *rest: Any, **named: Any) -> object:  # noqa: ANN401 - passed on as they came
        if host not in {"127.0.0.1", "::1"}:
            asked.append(host)
            host = _OTHER_MACHINE
        return look_up(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


@pytest.fixture
def listen() -> Iterator[Callable[[str], tuple[int, list[bytes]]]]:
    """Serve one request at an address; return the port, and where the request will be."""
    listeners: dict[socket.socket, threading.Thread] = {}

    def at(address: str) -> tuple[int, list[bytes]]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, 0), family=family)
        heard: list[bytes] = []

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:  # nobody has come
                return
            with connection:
                request = connection.recv(65_536)
                while not request.endswith(b"a=b"):
                    request += connection.recv(65_536)
                heard.append(request)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        listeners[listener] = threading.Thread(target=serve, daemon=True)
        listeners[listener].start()
        return int(listener.getsockname()[1]), heard

    yield at
    for listener, thread in listeners.items():
        with suppress(OSError):  # on some systems, only a socket that is connected can be shut down
            listener.shutdown(socket.SHUT_RDWR)  # closed while it is waited for, its number would be another file's
        listener.close()
        thread.join(10)


def _post(url: str) -> Flow[Response]:
    return (yield Request("POST", url, "a=b"))


@pytest.mark.server
@pytest.mark.parametrize("host", ["localhost", "procountor.localhost", "a.b.localhost", "LOCALHOST"])
def test_the_name_is_not_looked_up(
    host: str, false_dns: list[str], listen: Callable[[str], tuple[int, list[bytes]]]
) -> None:
    """A request for a token to a name of this machine arrives here, with its Host, whatever DNS says."""
    port, heard = listen("127.0.0.1")
    assert Transport(timeout=5).run(_post(f"http://{host}:{port}/token")).status == 200
    assert false_dns == []
    assert f"\r\nhost: {host}:{port}\r\n".lower().encode() in heard[0].lower()
    assert heard[0].endswith(b"a=b")


@pytest.mark.server
@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_is_tried_where_nothing_listens_with_ipv4(
    false_dns: list[str], listen: Callable[[str], tuple[int, list[bytes]]]
) -> None:
    """A server that listens at ::1 alone is found."""
    try:
        port, heard = listen("::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert Transport(timeout=5).run(_post(f"http://x.localhost:{port}/token")).status == 200
    assert false_dns == []
    assert heard


@pytest.mark.server
def test_where_nothing_listens_no_other_machine_is_asked(
    false_dns: list[str], listen: Callable[[str], tuple[int, list[bytes]]]
) -> None:
    """If neither loopback address has a server, that is the failure, with the name that was configured."""
    port, heard = listen("127.0.0.77")
    with pytest.raises(ConnectionFailed, match=rf"http://x\.localhost:{port} can't be reached") as caught:
        Transport(timeout=5, sleep=lambda _: None).run(_post(f"http://x.localhost:{port}/token"))
    assert not caught.value.sent
    assert false_dns == []
    assert heard == []


def test_the_certificate_is_still_the_name_s() -> None:
    """Over TLS the certificate has to be for the name, not for the address."""
    witness = Witness("127.0.0.1")
    LoopbackNames(witness).handle_request(backend.Request("POST", "https://x.localhost/token", content=b"a=b"))
    assert [request.url.host for request in witness.requests] == ["127.0.0.1", "::1"]
    assert {request.extensions["sni_hostname"] for request in witness.requests} == {"x.localhost"}
    assert {request.headers["host"] for request in witness.requests} == {"x.localhost"}


def test_other_names_are_left_alone() -> None:
    """A name that only looks like one of this machine is looked up as any other."""
    witness = Witness()
    for url in ("https://localhost.example/", "https://notlocalhost/", "https://127.0.0.1/"):
        sent = backend.Request("GET", url)
        LoopbackNames(witness).handle_request(sent)
        assert witness.requests[-1] is sent


@pytest.mark.parametrize("host", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "http://x.localhost:1"])
def test_plain_http_does_not_leave_by_the_proxy(environment: Callable[[dict[str, str]], None], host: str) -> None:
    """What is for this machine only is not handed to a proxy, in clear; what is for others is."""
    described = {
        "PROCOUNTOR_STRATEGY": "client_credentials",
        "PROCOUNTOR_CLIENT_ID": "c",
        "PROCOUNTOR_CLIENT_SECRET": "s",
        "PROCOUNTOR_REDIRECT_URI": "r",
        "PROCOUNTOR_API_KEY": "k",
        "PROCOUNTOR_PROXY": "http://proxy.example:3128",
    }
    environment(described | {"PROCOUNTOR_BASE_URL": host})
    assert Transport.from_settings(Settings()).proxy is None
    environment(described)
    assert Transport.from_settings(Settings()).proxy == SecretStr("http://proxy.example:3128")
