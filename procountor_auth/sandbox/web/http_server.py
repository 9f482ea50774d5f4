"""The HTTP server: one thread per connection, keep-alive, silent, and gone at once when stopped."""

from __future__ import annotations

import io
import os
import selectors
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes, urlsplit

from werkzeug.serving import DechunkedInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import WSGIApplication, WSGIEnvironment

_MAX_BODY = 1024 * 1024
#: Seconds to wait for a thread that is in the middle of an answer when the server stops.
_STOP_TIMEOUT = 5.0
#: In the WSGI environment: a function with which the application has the connection reset, either
#: ``"before"`` any byte of its answer or in the ``"middle"`` of it.
RESET = "procountor_sandbox.reset"
#: ``struct linger``, switched on with no time to linger: closing sends a reset (two shorts on Windows).
_NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class _Reset(Exception):
    """The connection is to be reset, as the application wants."""


class Httpd(HTTPServer):
    """Serves a WSGI application on a loopback address.

    Werkzeug's own server closes every connection after one answer, and waits a moment before it does:
    clients with a connection pool would be tested against something that no service does. This one
    keeps connections, accepts a thousand at once, and writes nothing to the terminal.

    Args:
        host: The loopback address to bind to.
        port: The port; 0 takes a free one.

    Raises:
        OSError: The address cannot be bound.
    """

    request_queue_size = 1024
    allow_reuse_address = True
    timeout = 0  # a connection that is gone when its turn comes is not waited for

    app: WSGIApplication
    clock: Callable[[], float]

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._stopping = threading.Event()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._connections_lock = threading.Lock()
        self._waker, self._woken = socket.socketpair()
        super().__init__((host, port), _Connection)
        self._thread = threading.Thread(target=self._serve, name="procountor-sandbox", daemon=True)

    def server_bind(self) -> None:
        """Bind without a look-up of the host's full name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def start(self, app: WSGIApplication, clock: Callable[[], float], stopping: threading.Event) -> None:
        """Serve the application in a daemon thread; the socket listens already when this returns.

        Args:
            app: The application.
            clock: Returns the Unix time in seconds, for the header ``Date``.
            stopping: Set when the server stops, before it waits for its threads.
        """
        self.app = app
        self.clock = clock
        self._stopping = stopping
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting, cut the connections, and wait until every thread has finished."""
        self._stopping.set()
        self._waker.close()
        self._thread.join()
        self.server_close()
        with self._connections_lock:
            open_connections = list(self._connections.items())
        for _, connection in open_connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # Its thread was faster.
        for thread, _ in open_connections:
            thread.join(_STOP_TIMEOUT)

    def server_close(self) -> None:
        """Close the sockets."""
        super().server_close()
        self._waker.close()
        self._woken.close()

    def _serve(self) -> None:
        """Accept connections until the server stops, which is noticed at once, unlike with `serve_forever`."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not any(key.fileobj is self._woken for key, _ in selector.select()):
                self.handle_request()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection."""
        try:
            return super().get_request()
        except OSError:
            # Out of file descriptors: the connection stays in the queue. A moment's pause keeps the
            # accept loop from eating the processor that would finish others' answers.
            self._stopping.wait(0.01)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's signature
        """Give the connection a thread of its own."""
        thread = threading.Thread(
            target=self._serve_connection,
            args=(request, client_address),
            name="procountor-sandbox-connection",
            daemon=True,
        )
        with self._connections_lock:
            self._connections[thread] = request
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's signature
        """Say nothing: the only failures that arrive here are connections which the client dropped."""

    def _serve_connection(self, request: socket.socket, client_address: Any) -> None:  # noqa: ANN401 - socketserver's
        close = self.shutdown_request
        try:
            self.finish_request(request, client_address)
        except _Reset:
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            # A shutdown would say goodbye first.
            close = self.close_request
        except OSError:
            self.handle_error(request, client_address)
        finally:
            close(request)
            with self._connections_lock:
                self._connections.pop(threading.current_thread(), None)


class _Connection(BaseHTTPRequestHandler):
    """Answers the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "procountor-sandbox"
    sys_version = ""
    # Without it, an answer in two packets waits up to 40 ms for the client's acknowledgement.
    disable_nagle_algorithm = True
    timeout = 60

    server: Httpd
    _reset: str | None = None

    def do_GET(self) -> None:
        """Answer a request of any method."""
        body = self._read_body()
        if body is None:
            self.close_connection = True
            self._write("413 Content Too Large", [("Connection", "close"), ("Content-Length", "0")], b"")
            return
        status = ""
        headers: list[tuple[str, str]] = []
        self._reset = None

        def start_response(given: str, given_headers: list[tuple[str, str]], _exc_info: object = None) -> Any:  # noqa: ANN401 - WSGI's write()
            nonlocal status, headers
            status, headers = given, given_headers

        chunks: Iterable[bytes] = self.server.app(self._environ(body), start_response)
        try:
            content = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        if not any(name.lower() == "content-length" for name, _ in headers) and not status.startswith(("204", "304")):
            headers = [*headers, ("Content-Length", str(len(content)))]
        if self.close_connection:
            headers = [*headers, ("Connection", "close")]
        if self._reset == "before":
            raise _Reset
        self._write(status, headers, content)
        if self._reset == "middle":
            raise _Reset

    do_POST = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
        """Write nothing: request lines of old clients have passwords in them."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the header ``Date`` by the application's clock."""
        return super().date_time_string(self.server.clock() if timestamp is None else timestamp)

    def _request_reset(self, when: str) -> None:
        self._reset = when

    def _read_body(self) -> bytes | None:
        # The whole body is read before the answer, so that the next request of a kept connection
        # never starts in the middle of it.
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = _read_at_most(DechunkedInput(cast("IO[bytes]", self.rfile)), _MAX_BODY + 1)
            return body if len(body) <= _MAX_BODY else None
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > _MAX_BODY:
            return None
        return self.rfile.read(int(length))

    def _environ(self, body: bytes) -> WSGIEnvironment:
        url = urlsplit(self.path)
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
            "QUERY_STRING": url.query,
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            RESET: self._request_reset,
        }
        for name, value in self.headers.items():
            # "A_B" and "A-B" would become the same variable: the first is nobody's honest header.
            if "_" not in name:
                environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        # The body has been read and is no longer chunked.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_TYPE"] = self.headers.get("Content-Type", "")
        environ["CONTENT_LENGTH"] = str(len(body))
        return environ

    def _write(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status}", f"Server: {self.server_version}", f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in headers]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        # One write: head and body leave in one packet.
        response = head if self.command == "HEAD" else head + body
        if self._reset is not None:
            # Of a body its first half; of an answer without one, half of the head.
            cut = len(head) + len(body) // 2 if len(response) > len(head) else len(head) // 2
            response = response[:cut]
        self.wfile.write(response)


def _read_at_most(source: io.RawIOBase, size: int) -> bytes:
    body = bytearray()
    while len(body) < size and (piece := source.read(size - len(body))):
        body += piece
    return bytes(body)
