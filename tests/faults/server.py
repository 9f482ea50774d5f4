"""A server of bare bytes that misbehaves as a case says, and counts who comes."""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_LONGEST_WAIT: Final = 20.0
"""Seconds after which a stalled connection is given up, should a test forget to close its server."""

_CLIENT_HELLO: Final = b"\x16"
"""How a TLS connection begins (RFC 8446, section 5.1): the type of its first record."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that a server has read."""

    method: str
    path: str
    state: str
    body: str = field(repr=False)


@dataclass(slots=True)
class Visit:
    """A connection, while one request of it is answered."""

    server: FaultServer
    socket: socket.socket
    asked: Asked
    number: int
    """Which request for this path it is, from 1."""

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def reset(self) -> None:
        """End the connection with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait(self, seconds: float) -> bool:
        """Wait; whether the server is being closed."""
        return self.server.closing.wait(seconds)


class FaultServer:
    """Serves `script` on a port of its own.

    Args:
        script: What is done with a request, by the end of its path. A path that is not there is answered with a 404.
        tls: The certificate to show; none for plain HTTP.
        accepts: Whether connections are accepted at all.
        trap: The URL of another server, for redirects that nobody must follow.
        at: Address and port; by default a free port with IPv4.
    """

    def __init__(
        self,
        script: dict[str, Callable[[Visit], None]],
        *,
        tls: ssl.SSLContext | None = None,
        accepts: bool = True,
        trap: str = "",
        at: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.script = script
        self.trap = trap
        self.requests: list[Asked] = []
        self.connections = 0
        self.closing = threading.Event()
        self._tls = tls
        self._address = at[0]
        family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
        self._listener = socket.create_server(at, family=family, backlog=128 if accepts else 0)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._fillers: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        if accepts:
            self._begin(self._accept)
        else:
            self._fill()

    def count(self, path: str) -> int:
        """How many requests for a path have come."""
        with self._lock:
            return sum(asked.path.endswith(path) for asked in self.requests)

    def close(self) -> None:
        """Stop, and wait for what is still being answered."""
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            still_open = [*self._open, *self._fillers]
        for each in still_open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        for each in self._fillers:
            each.close()

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _fill(self) -> None:
        """Fill the line of those who wait, so that the next one's packets are dropped."""
        for _ in range(4):
            filler = socket.socket()
            filler.settimeout(0)
            filler.connect_ex((self._address, self.port))
            self._fillers.append(filler)

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            self._begin(self._serve, connection)

    def _serve(self, raw: socket.socket) -> None:
        connection = raw
        try:
            connection.settimeout(_LONGEST_WAIT)
            if self._tls is not None:
                connection = self._tls.wrap_socket(raw, server_side=True)
                self._converse(connection)
            elif raw.recv(1, socket.MSG_PEEK) == _CLIENT_HELLO:
                raw.recv(65_536)
                raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            else:
                self._converse(connection)
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open.discard(raw)
            for each in (connection, raw):
                with suppress(OSError):
                    each.close()

    def _converse(self, connection: socket.socket) -> None:
        while not self.closing.is_set() and (asked := _read(connection)) is not None:
            with self._lock:
                self.requests.append(asked)
                number = sum(each.path == asked.path for each in self.requests)
            act = next((act for path, act in self.script.items() if asked.path.endswith(path)), _not_found)
            act(Visit(self, connection, asked, number))

    def converse_within(self, connection: socket.socket) -> None:
        """Answer the requests of a connection that is within another one."""
        self._converse(connection)


def _not_found(visit: Visit) -> None:
    visit.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def _read(connection: socket.socket) -> Asked | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65_536)):
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *([0-9]+)", head)
    while length and len(body) < int(length[1]):
        if not (more := connection.recv(65_536)):
            return None
        body += more
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    parts = urlsplit(target)
    state = parse_qs(parts.query).get("state", [""])[0]
    return Asked(method, parts.path if method != "CONNECT" else target, state, body.decode("latin-1"))
