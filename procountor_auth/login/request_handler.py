"""Handles the one request of a connection to the loopback server: it rejects anything but the redirect."""

from __future__ import annotations

import io
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.login import pages

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from procountor_auth.login.pages import Page
    from procountor_auth.protocol.loopback_redirect import LoopbackRedirect

MAX_LINE: Final = 8_192
"""The longest accepted request line, in bytes."""

MAX_HEAD: Final = 65_536
"""The largest accepted headers, in bytes. A browser sends the cookies of every program on this machine."""

_HTTP_PORT: Final = 80


@dataclass(frozen=True, slots=True)
class ExpectedRequest:
    """What the redirect must match, and the function that handles it.

    Attributes:
        loopback: The registered redirect URI.
        port: The port that the listener uses.
        on_redirect: Called with the complete address of the redirect; returns the page to send, and a function to call
            after sending it.
    """

    loopback: LoopbackRedirect
    port: int
    on_redirect: Callable[[str], tuple[Page, Callable[[], None]]]

    @property
    def hosts(self) -> frozenset[str]:
        """The accepted values of the `Host` header: another name for this address would be DNS rebinding."""
        host = self.loopback.host
        return frozenset({f"{host}:{self.port}"} | ({host} if self.port == _HTTP_PORT else set()))

    def address(self, query: str | None) -> str:
        """The complete address of a request for the path."""
        return self.loopback.at(self.port) + ("" if query is None else f"?{query}")


class RequestHandler(BaseHTTPRequestHandler):
    """Reads the one request of a connection, and responds to it.

    Args:
        connection: The connection. It is not closed.
        expected: What the redirect must match.
        on_request: Called when the complete request has been read.
        on_response: Called when the response has been sent, or can't be sent.
    """

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # even an invalid request gets a response with headers

    def __init__(
        self,
        connection: socket.socket,
        expected: ExpectedRequest,
        on_request: Callable[[], None],
        on_response: Callable[[], None],
    ) -> None:
        self._expected = expected
        self._on_request = on_request
        self._on_response = on_response
        no_server: Any = None
        super().__init__(connection, ("", 0), no_server)

    def handle(self) -> None:
        """Read one request, and respond to it."""
        self.requestline: str = ""
        self.request_version: str = self.default_request_version
        self.command: str = ""
        self.raw_requestline: bytes = self.rfile.readline(MAX_LINE + 1)
        if len(self.raw_requestline) > MAX_LINE:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        head = self._read_head()
        if not self.raw_requestline or head is None:
            return
        if len(head) > MAX_HEAD:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self._on_request()
        stream = self.rfile
        self.rfile: io.BufferedIOBase = io.BytesIO(head)
        try:
            if self.parse_request():
                self._respond()
        finally:
            self.rfile = stream

    def _read_head(self) -> bytes | None:
        """Return the headers, maybe more bytes than allowed, or None if the client disconnected before their end."""
        head = b""
        while len(head) <= MAX_HEAD:
            line = self.rfile.readline(MAX_HEAD + 1 - len(head))
            if not line:
                return None
            head += line
            if line in {b"\r\n", b"\n"}:
                break
        return head

    def _respond(self) -> None:
        # Not `self.path`, in which a double slash at the start has become a single one.
        words = self.requestline.split()
        path, mark, query = words[1].partition("?")
        status = self._problem(path) if len(words) > 2 else HTTPStatus.BAD_REQUEST  # noqa: PLR2004 - a version
        if status is not None:
            self.send_error(status)
            return
        page, on_sent = self._expected.on_redirect(self._expected.address(query if mark else None))
        try:
            self._send(page)
        finally:
            self._on_response()
            on_sent()

    def _problem(self, path: str) -> HTTPStatus | None:
        """Return the status for a request that can't be the redirect."""
        own = self._expected.hosts
        if self.request_version < self.default_request_version:
            return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
        host = [each.strip().lower() for each in self.headers.get_all("Host", [])]
        origin = self.headers.get("Origin", "null").lower()
        if len(host) != 1 or host[0] not in own:
            return HTTPStatus.MISDIRECTED_REQUEST
        if path != self._expected.loopback.path:
            return HTTPStatus.NOT_FOUND
        if self.command != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED
        # A browser that follows the login page's redirect navigates at the top level, and sends no origin or `null`. A
        # script of another page can't send such a request.
        if origin != "null" and origin.removeprefix("http://") not in own:
            return HTTPStatus.FORBIDDEN
        if self.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            return HTTPStatus.FORBIDDEN
        if self.headers.get("Sec-Fetch-Dest", "document") != "document":
            return HTTPStatus.FORBIDDEN
        return None

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Respond to a request that is not the redirect. Both texts are ignored, because they repeat the request."""
        try:
            self._send(pages.nothing_here(HTTPStatus(code)))
        finally:
            self._on_response()

    def _send(self, page: Page) -> None:
        body = page.html()
        self.request_version = self.protocol_version  # to HTTP/0.9, the base class sends no headers
        self.send_response(page.status)
        for name, value in pages.HEADERS.items():
            self.send_header(name, value)
        if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Return the value of the `Server` header."""
        return "procountor-auth"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: the request line contains the code and the state."""
