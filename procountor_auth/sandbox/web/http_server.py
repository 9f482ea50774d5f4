"""The HTTP server: one thread per connection, keep-alive, no output, and an immediate stop."""

from __future__ import annotations

import io
import os
import re
import selectors
import socket
import struct
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes, urlsplit

from werkzeug.serving import DechunkedInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import WSGIApplication, WSGIEnvironment

_MAX_BODY = 1024 * 1024
_MAX_DIGITS = 18
#: Seconds to wait for a thread that is sending a response when the server stops.
_STOP_TIMEOUT = 5.0
#: In the WSGI environment: a function that the application calls to reset the connection, either
#: ``"before"`` any byte of its response or in its ``"middle"``.
RESET = "procountor_sandbox.reset"
#: ``struct linger``, switched on with no time to linger: closing sends a reset (two shorts on Windows).
_NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class _Reset(Exception):
    """The application has requested a reset of the connection."""


class Httpd(HTTPServer):
    """Serves a WSGI application on a loopback address.

    Werkzeug's own server closes every connection after one response, and waits a moment before that:
    clients with a connection pool would be tested against behaviour that no service has. This one
    keeps connections, accepts a thousand at once, and writes nothing to the terminal.

    Args:
        host: The loopback address to bind to.
        port: The port; 0 takes a free one.

    Raises:
        OSError: The address cannot be bound.
    """

    request_queue_size = 1024
    allow_reuse_address = True
    timeout: float | None = 0  # do not wait for a connection that is already gone

    app: WSGIApplication
    clock: Callable[[], float]
    on_refusal: Callable[[str, str, HTTPStatus], object]

    def __init__(self, host: str, port: int) -> None:
        self.address_family: int = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._stopping = threading.Event()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._connections_lock = threading.Lock()
        self._waker, self._woken = socket.socketpair()
        super().__init__((host, port), _Connection)
        self._thread = threading.Thread(target=self._serve, name="procountor-sandbox", daemon=True)

    def server_bind(self) -> None:
        """Bind without looking up the host's full name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address: Any = self.socket.getsockname()
        self.server_name: str = str(self.server_address[0])
        self.server_port: int = self.server_address[1]

    def start(
        self,
        app: WSGIApplication,
        clock: Callable[[], float],
        stopping: threading.Event,
        on_refusal: Callable[[str, str, HTTPStatus], object],
    ) -> None:
        """Serve the application in a daemon thread; the socket listens already when this returns.

        Args:
            app: The application.
            clock: Returns the Unix time in seconds, for the header ``Date``.
            stopping: Set when the server stops, before it waits for its threads.
            on_refusal: Called with the method, path and status of a request that does not reach the application.
        """
        self.on_refusal = on_refusal
        self.app = app
        self.clock = clock
        self._stopping = stopping
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting, close the connections, and wait until every thread has finished."""
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
                continue  # Its thread has already closed it.
        for thread, _ in open_connections:
            thread.join(_STOP_TIMEOUT)

    def server_close(self) -> None:
        """Close the sockets."""
        super().server_close()
        self._waker.close()
        self._woken.close()

    def _serve(self) -> None:
        """Accept connections until the server stops; unlike `serve_forever`, this notices the stop at once."""
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
            # Out of file descriptors: the connection stays in the queue. A short pause keeps the
            # accept loop from taking CPU time from threads that finish other responses.
            self._stopping.wait(0.01)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's signature
        """Start a thread for the connection."""
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
        """Print nothing: the only errors here are connections that the client dropped."""

    def _serve_connection(self, request: socket.socket, client_address: Any) -> None:  # noqa: ANN401 - socketserver's
        close = self.shutdown_request
        try:
            self.finish_request(request, client_address)
        except _Reset:
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            # A shutdown would send a FIN first.
            close = self.close_request
        except OSError:
            self.handle_error(request, client_address)
        finally:
            close(request)
            with self._connections_lock:
                self._connections.pop(threading.current_thread(), None)


class _Connection(BaseHTTPRequestHandler):
    """Handles the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "procountor-sandbox"
    sys_version = ""
    # Without it, a response in two packets waits up to 40 ms for the client's acknowledgement.
    disable_nagle_algorithm = True
    timeout = 60

    _reset: str | None = None

    @property
    def _httpd(self) -> Httpd:
        return cast("Httpd", self.server)

    def do_GET(self) -> None:
        """Handle a request of any method."""
        body, problem = self._read_body()
        if problem is not None:
            self.close_connection = True
            self._httpd.on_refusal(self.command, self.path, problem)
            self._write(f"{problem} {problem.phrase}", [("Connection", "close"), ("Content-Length", "0")], b"")
            return
        status = ""
        headers: list[tuple[str, str]] = []
        self._request_reset(None)

        def start_response(given: str, given_headers: list[tuple[str, str]], _exc_info: object = None) -> Any:  # noqa: ANN401 - WSGI's write()
            nonlocal status, headers
            status, headers = given, given_headers

        chunks: Iterable[bytes] = self._httpd.app(self._environ(body), start_response)
        try:
            content = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
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
        """Write nothing: request lines of old clients contain passwords."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the header ``Date`` by the application's clock."""
        return super().date_time_string(self._httpd.clock() if timestamp is None else timestamp)

    def _request_reset(self, when: str | None) -> None:
        self._reset = when

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Reject an invalid request, such as an unknown method or an endless path (called by http.server)."""
        self._httpd.on_refusal(getattr(self, "command", None) or "?", getattr(self, "path", ""), HTTPStatus(code))
        super().send_error(code, message, explain)

    def _read_body(self) -> tuple[bytes, HTTPStatus | None]:
        """Return the body, and the reason if it is rejected."""
        # The whole body is read before the response, so that the next request on the connection
        # never starts in the middle of it.
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = _read_at_most(DechunkedInput(cast("IO[bytes]", self.rfile)), _MAX_BODY + 1)
            return body, HTTPStatus.REQUEST_ENTITY_TOO_LARGE if len(body) > _MAX_BODY else None
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit():
            return b"", HTTPStatus.BAD_REQUEST
        if len(length) > _MAX_DIGITS or int(length) > _MAX_BODY:
            return b"", HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return self.rfile.read(int(length)), None

    def _environ(self, body: bytes) -> WSGIEnvironment:
        # Clients that join a base and a path often send two slashes between them.
        path, question, query = self.path.partition("?")
        url = urlsplit(re.sub("//+", "/", path) + question + query if path.startswith("/") else self.path)
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
            "QUERY_STRING": url.query,
            "SERVER_NAME": self._httpd.server_name,
            "SERVER_PORT": str(self._httpd.server_port),
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
            # "A_B" and "A-B" would become the same variable: no legitimate client sends the first.
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
        # One write: head and body are sent in one packet.
        response = head if self.command == "HEAD" else head + body
        if self._reset is not None:
            # The first half of the body; if there is none, half of the head.
            cut = len(head) + len(body) // 2 if len(response) > len(head) else len(head) // 2
            response = response[:cut]
        self.wfile.write(response)


def _read_at_most(source: io.RawIOBase, size: int) -> bytes:
    body = bytearray()
    while len(body) < size and (piece := source.read(size - len(body))):
        body += piece
    return bytes(body)
