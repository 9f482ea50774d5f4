"""A token endpoint that answers everybody at once, in a process of its own: so that the clients are what is measured.

Whatever is posted gets a token; `GET /count` says how many there were, and `POST /reset?latency=SECONDS` begins again.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

_TOKEN = json.dumps({"access_token": "t" * 300, "token_type": "bearer", "expires_in": 3600}).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 2048
    count = 0
    latency = 0.0

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Say nothing of clients that have gone."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Say how many tokens were given."""
        self._say(json.dumps(self.server.count).encode())

    def do_POST(self) -> None:
        """Give a token."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        if parts.path == "/reset":
            self.server.count, self.server.latency = 0, float(parse_qs(parts.query)["latency"][0])
            self._say(b"0")
            return
        self.server.count += 1
        time.sleep(self.server.latency)
        self._say(_TOKEN)

    def _say(self, body: bytes) -> None:
        # In one piece: two would wait for each other on a slow day.
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
        """Say nothing."""


class TokenServer:
    """The running endpoint.

    Attributes:
        url: Its base URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def token_url(self) -> str:
        """The token endpoint, where this package looks for it."""
        return f"{self.url}/api/oauth/token"

    def reset(self, latency: float = 0.0) -> None:
        """Begin to count again; each answer takes `latency` seconds from now on."""
        urlopen(Request(f"{self.url}/reset?latency={latency}", data=b"", method="POST")).close()  # noqa: S310 - our own

    @property
    def count(self) -> int:
        """How many tokens were given since the last reset."""
        with urlopen(f"{self.url}/count") as response:  # noqa: S310 - our own
            return int(json.load(response))

    @property
    def variables(self) -> dict[str, str]:
        """The configuration for this package."""
        return {
            "PROCOUNTOR_STRATEGY": "client_credentials",
            "PROCOUNTOR_BASE_URL": self.url,
            "PROCOUNTOR_CLIENT_ID": "client",
            "PROCOUNTOR_CLIENT_SECRET": "client-secret",
            "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
            "PROCOUNTOR_API_KEY": "api-key",
        }


def _serve(says: Connection) -> None:
    server = _Server(("127.0.0.1", 0), _Handler)
    says.send(server.server_address[1])
    server.serve_forever()


@contextmanager
def token_server() -> Iterator[TokenServer]:
    """Run the endpoint."""
    context = multiprocessing.get_context("spawn")
    hears, says = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(says,), daemon=True)
    process.start()
    try:
        yield TokenServer(f"http://127.0.0.1:{hears.recv()}")
    finally:
        process.terminate()
        process.join()
