"""The reception of the loopback listener: sockets, connections, and the one request of each.

What can't be the redirect is answered here with a short error page; what may be is for `Expected.arrive` to judge.
"""

from __future__ import annotations

import errno
import io
import os
import selectors
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Final

from procountor_auth import landing
from procountor_auth.errors import CannotListen

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.landing import Page
    from procountor_auth.protocol.redirect import LoopbackRedirect

LONGEST_LINE: Final = 8_192
"""A request line of more bytes than this is refused."""

LONGEST_HEAD: Final = 65_536
"""Headers of more bytes than this are refused. A browser sends the cookies of every program on this machine."""

MOST_CONNECTIONS: Final = 32
"""When one more comes, the one that has been silent for longest is cut."""

PATIENCE: Final = 10.0
"""Seconds that a client may take for its request. A browser opens connections ahead, and may never use them."""

_ATTEMPTS: Final = 20
"""How many free ports are tried for one that is free on both IPv4 and IPv6."""

_DRAINED: Final = 262_144
_LINGER: Final = 1.0
"""Bytes and seconds that are still read after an answer: a connection that is closed on unread bytes is reset, and the
client may lose the answer."""

_IN_LINE: Final = 128
"""Connections that the system keeps until they are accepted."""

_HTTP_PORT: Final = 80

_FAMILIES: Final = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}

_ADDRESSES: Final = {"127.0.0.1": ("127.0.0.1",), "[::1]": ("::1",), "localhost": ("127.0.0.1", "::1")}
"""Where to listen for each host. A browser may take either of the two for `localhost`."""

_NOT_HERE: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
"""What a machine without IPv6 says."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a request must be to be the redirect, and who takes it then.

    Attributes:
        loopback: The registered redirect URI.
        port: The port that is listened at.
        arrive: Takes the whole address that a browser came to; returns its page, and what to call once it is sent.
    """

    loopback: LoopbackRedirect
    port: int
    arrive: Callable[[str], tuple[Page, Callable[[], None]]]

    @property
    def hosts(self) -> frozenset[str]:
        """What the header Host may be: another name for this address is somebody's DNS rebinding."""
        host = self.loopback.host
        return frozenset({f"{host}:{self.port}"} | ({host} if self.port == _HTTP_PORT else set()))

    def address(self, query: str | None) -> str:
        """The whole address of a request for the path."""
        return self.loopback.at(self.port) + ("" if query is None else f"?{query}")


@dataclass(slots=True, eq=False)
class _Connection:
    """A connection, with when it came."""

    socket: socket.socket
    since: float
    busy: bool = False
    """Its request is there and is being answered, which may take as long as the login's own deadline."""
    answered: bool = False

    def cut(self) -> None:
        """End it, whatever its thread is waiting for."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class Reception:
    """Accepts connections, gives each a thread, and cuts those that stay silent."""

    def __init__(
        self,
        sockets: list[socket.socket],
        expected: Expected,
        patience: float,
        monotonic: Callable[[], float],
    ) -> None:
        self.expected = expected
        self._sockets = sockets
        self._patience = patience
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._closed = threading.Event()
        self._awake, self._wake = socket.socketpair()
        # Daemons, all: a client that does not hang up must not keep the interpreter alive.
        self._thread = threading.Thread(target=self._accept, name="procountor-auth-loopback", daemon=True)

    def open(self) -> None:
        """Start accepting."""
        self._thread.start()

    def close(self) -> None:
        """Stop accepting, and cut what has not been answered. What has been is read to its end by its client."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._wake.send(b"\0")
        if self._thread.ident is not None:
            self._thread.join()
        self._awake.close()
        self._wake.close()
        with self._lock:
            unanswered = [each for each in self._connections if not each.answered]
        for each in unanswered:
            each.cut()

    def read(self, connection: _Connection) -> None:
        """Note that the request is there."""
        with self._lock:
            connection.busy = True

    def answered(self, connection: _Connection) -> None:
        """Note that the answer has been sent."""
        with self._lock:
            connection.busy, connection.answered = False, True

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            try:
                for each in (self._awake, *self._sockets):
                    selector.register(each, selectors.EVENT_READ)
            except (ValueError, OSError):
                if self._closed.is_set():
                    return  # Ctrl-C came while this thread was being started, and its sockets are gone
                raise
            while not self._closed.is_set():
                for key, _ in selector.select(self._until_next()):
                    if isinstance(key.fileobj, socket.socket) and key.fileobj is not self._awake:
                        self._take(key.fileobj)
                self._cut_the_silent()

    def _take(self, listening: socket.socket) -> None:
        try:
            accepted, _ = listening.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._closed.wait(0.05)  # the connection stays in line until there is a file for it
            return
        accepted.settimeout(self._patience)
        connection = _Connection(accepted, self._monotonic())
        with self._lock:
            if len(self._connections) >= MOST_CONNECTIONS:
                idle = [each for each in self._connections if not each.busy]
                oldest = min(idle, key=lambda each: each.since, default=connection)
                self._connections.discard(oldest)
                oldest.cut()
            self._connections.add(connection)
        threading.Thread(
            target=self._serve, args=(connection,), name="procountor-auth-loopback-connection", daemon=True
        ).start()

    def _until_next(self) -> float | None:
        """Return the seconds until the next connection has been silent for too long."""
        with self._lock:
            since = [each.since for each in self._connections if not each.busy]
        return max(0.0, min(since) + self._patience - self._monotonic()) if since else None

    def _cut_the_silent(self) -> None:
        latest = self._monotonic() - self._patience
        with self._lock:
            late = {each for each in self._connections if not each.busy and each.since <= latest}
            self._connections -= late
        for each in late:
            each.cut()

    def _serve(self, connection: _Connection) -> None:
        with connection.socket as accepted:
            with suppress(OSError, ValueError):  # a client that has gone, or was cut
                _Visitor(accepted, connection, self)
                _hang_up(accepted)
            with self._lock:
                self._connections.discard(connection)


class _Visitor(BaseHTTPRequestHandler):
    """Answers the one request of a connection."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # even what is no HTTP gets an answer with a head

    def __init__(self, accepted: socket.socket, connection: _Connection, reception: Reception) -> None:
        self._connection = connection
        self._reception = reception
        self._expected = reception.expected
        super().__init__(accepted, ("", 0), None)  # type: ignore[arg-type]  # there is no server object

    def handle(self) -> None:
        """Read one request, and answer it."""
        self.requestline, self.request_version, self.command = "", self.default_request_version, ""
        self.raw_requestline = self.rfile.readline(LONGEST_LINE + 1)
        if len(self.raw_requestline) > LONGEST_LINE:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        head = self._head()
        if not self.raw_requestline or head is None:
            return
        if len(head) > LONGEST_HEAD:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self._reception.read(self._connection)
        stream, self.rfile = self.rfile, io.BytesIO(head)
        try:
            if self.parse_request():
                self._answer()
        finally:
            self.rfile = stream

    def _head(self) -> bytes | None:
        """Return the headers, or more bytes than are allowed, or None if the client has hung up in between."""
        head = b""
        while len(head) <= LONGEST_HEAD:
            line = self.rfile.readline(LONGEST_HEAD + 1 - len(head))
            if not line:
                return None
            head += line
            if line in {b"\r\n", b"\n"}:
                break
        return head

    def _answer(self) -> None:
        # Not `self.path`: there, a doubled slash at the start has become one.
        words = self.requestline.split()
        path, mark, query = words[1].partition("?")
        status = self._problem(path) if len(words) > 2 else HTTPStatus.BAD_REQUEST  # noqa: PLR2004 - a version
        if status is not None:
            self.send_error(status)
            return
        page, settle = self._expected.arrive(self._expected.address(query if mark else None))
        try:
            self._send(page)
        finally:
            self._reception.answered(self._connection)
            settle()

    def _problem(self, path: str) -> HTTPStatus | None:
        """Return the status for a request that can't be the redirect."""
        own = self._expected.hosts
        host = [each.strip().lower() for each in self.headers.get_all("Host", [])]
        origin = self.headers.get("Origin", "null").lower()
        if len(host) != 1 or host[0] not in own:
            return HTTPStatus.MISDIRECTED_REQUEST
        if path != self._expected.loopback.path:
            return HTTPStatus.NOT_FOUND
        if self.command != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED
        # A browser that follows a redirect of the login page navigates, in a window of its own. It names no origin, or
        # one that it keeps to itself; a script of another page can't do that.
        if origin != "null" and origin.removeprefix("http://") not in own:
            return HTTPStatus.FORBIDDEN
        if self.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            return HTTPStatus.FORBIDDEN
        if self.headers.get("Sec-Fetch-Dest", "document") != "document":
            return HTTPStatus.FORBIDDEN
        return None

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer a request that is not the redirect. Nothing of it is repeated, so both texts are left out."""
        try:
            self._send(landing.nothing_here(HTTPStatus(code)))
        finally:
            self._reception.answered(self._connection)

    def _send(self, page: Page) -> None:
        body = page.html()
        self.send_response(page.status)
        for name, value in landing.HEADERS.items():
            self.send_header(name, value)
        if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Return what stands in the header Server."""
        return "procountor-auth"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the request line has the code and the state in it."""


def _hang_up(accepted: socket.socket) -> None:
    """Say that the answer is complete, and wait a moment for the client to hang up."""
    accepted.shutdown(socket.SHUT_WR)
    accepted.settimeout(_LINGER)
    ends, left = time.monotonic() + _LINGER, _DRAINED
    while left > 0 and time.monotonic() < ends:
        read = len(accepted.recv(65_536))
        if not read:
            break
        left -= read


def listen(loopback: LoopbackRedirect) -> tuple[list[socket.socket], int]:
    """Return sockets that listen at the redirect URI's port, or at a free one, and the port."""
    failed: OSError | None = None
    for _ in range(_ATTEMPTS if loopback.port is None else 1):
        try:
            return _listen_once(_ADDRESSES[loopback.host], loopback.port or 0)
        except OSError as error:
            failed = error
            if error.errno != errno.EADDRINUSE:
                break
    said = os.strerror(failed.errno) if failed and failed.errno else "unknown error"
    port = "A free port" if loopback.port is None else f"Port {loopback.port}"
    raise CannotListen(
        f"{port} of {loopback.host}, where PROCOUNTOR_REDIRECT_URI leads, can't be listened at: {said}.",
        hint="End the program that has the port (another login, perhaps), or log in with --no-browser and paste the "
        "address that the browser ends at.",
    )


def _listen_once(addresses: tuple[str, ...], port: int) -> tuple[list[socket.socket], int]:
    """Listen at one port of all the addresses that this machine has.

    Raises:
        OSError: One of them is taken, or there is none. Nothing is listened at then.
    """
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for address in addresses:
            try:
                listening = _bind(address, port)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
                continue
            sockets.append(listening)
            port = listening.getsockname()[1]
        if missing is not None and not sockets:
            raise missing
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets, port


def _bind(address: str, port: int) -> socket.socket:
    family = _FAMILIES[address]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # there, SO_REUSEADDR would let another program take the port as well
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, port))
        listening.listen(_IN_LINE)
        listening.settimeout(0)
    except OSError:
        listening.close()
        raise
    return listening
