"""A service of bare bytes behind a bridge: it keeps exactly what it got, and answers what a test says."""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from procountor_auth import Settings
from procountor_auth.bridge.login import BridgeLogin

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    Act: TypeAlias = Callable[["Call"], None]

PATIENCE: Final = 60.0
"""Seconds that a server waits for a byte: longer than any test needs."""

TOKEN: Final = "CanaryUpstreamAccessToken-"
"""How each token of the service begins; its number follows."""

API_KEY: Final = "CanaryUpstreamApiKey-71c4"
CLIENT_SECRET: Final = "CanaryBridgeClientSecret-90ab"
USERNAME: Final = "canary.user@example.com"
PASSWORD: Final = "CanaryBridgePassword &%-5e2d"


class Call:
    """A request, while it is answered.

    Attributes:
        method: Its method.
        target: What stands behind that: path and query, as they were sent.
        headers: Its headers, with names in lower case.
    """

    def __init__(self, connection: socket.socket, head: bytes, begun: bytes) -> None:
        self._socket = connection
        self._begun = begun
        first, *lines = head.split(b"\r\n")
        self.method, self.target, _ = first.decode("ascii").split(" ")
        self.headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        self._kept: bytes | None = None

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header that is there once; None for one that is not."""
        found = [value for each, value in self.headers if each == name]
        assert len(found) < 2, f"{name!r} is there twice"
        return found[0] if found else None

    def body(self) -> bytes:
        """Read the body to its end."""
        if self._kept is None:
            self._kept = b"".join(self.chunks())
        return self._kept

    def chunks(self) -> Iterator[bytes]:
        """Read the body as it comes.

        Raises:
            EOFError: It breaks off.
        """
        if self.header(b"transfer-encoding") == b"chunked":
            while size := int(self._line(), 16):
                yield from self._exactly(size)
                self._line()
            self._line()
        else:
            yield from self._exactly(int(self.header(b"content-length") or 0))

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def answer(self, status: int = 200, body: bytes = b"{}", *headers: str) -> None:
        """Answer with a status, a body and headers, once the request has been read."""
        self.body()
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if self.method == "HEAD" else body))

    def close(self) -> None:
        """End the connection."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def set_patience(self, seconds: float) -> None:
        """Wait only so many seconds from now on, for bytes to come or to be taken."""
        self._socket.settimeout(seconds)

    def reset(self) -> None:
        """End the connection with an RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def wait_until_gone(self) -> bool:
        """Wait until the other side has closed the connection. Whatever comes before that is dropped."""
        try:
            while self._socket.recv(65_536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def _line(self) -> bytes:
        while b"\r\n" not in self._begun:
            self._more()
        line, _, self._begun = self._begun.partition(b"\r\n")
        return line

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._begun:
                self._more()
            part, self._begun = self._begun[:size], self._begun[size:]
            size -= len(part)
            yield part

    def _more(self) -> None:
        more = self._socket.recv(65_536)
        if not more:
            raise EOFError("the body breaks off")
        self._begun += more

    @property
    def rest(self) -> bytes:
        """What has come after this request."""
        return self._begun


class RawUpstream:
    """The service. A context manager: it serves inside. Its token endpoint gives another token to each who asks.

    Args:
        act: What is done with a call of the API; by default it is answered with `{}`.
        token: What is done with a request for a token, instead of giving one.
        tls: The certificate to show; none for plain HTTP.
    """

    def __init__(self, act: Act | None = None, *, token: Act | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.act: Act = act or Call.answer
        self.token: Act = token or self._give_token
        self.calls: list[Call] = []
        self.tokens: list[Call] = []
        self.connections = 0
        self.failed: list[BaseException] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        assert not self.failed, self.failed

    def close(self) -> None:
        """Stop to serve, and end all connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.end_connections()
        for thread in self._threads:
            thread.join(10)

    def end_connections(self) -> None:
        """End all connections, as a server does with those that are idle."""
        with self._lock:
            still_open = list(self._open)
        for each in still_open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def login(self, **changes: Any) -> BridgeLogin:  # noqa: ANN401 - as settings take them
        """Return a login whose calls are passed on to here.

        Args:
            changes: Settings that differ, by their names.
        """
        values: dict[str, Any] = {
            "strategy": "client_credentials",
            "base_url": self.url,
            "client_id": "client-1",
            "client_secret": CLIENT_SECRET,
            "redirect_uri": "redirect-uri-placeholder",
            "api_key": API_KEY,
            "username": USERNAME,
            "password": PASSWORD,
            "company": "4711",
            "profile": None,
            **changes,
        }
        login = BridgeLogin.of(
            Settings(**{name: value for name, value in values.items() if value is not None}), has_file=False
        )
        assert login is not None
        return login

    def _give_token(self, call: Call) -> None:
        token = {"access_token": f"{TOKEN}{len(self.tokens)}", "expires_in": 3600}
        call.answer(200, json.dumps(token).encode(), "Content-Type: application/json")

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
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
            connection.settimeout(PATIENCE)
            if self._tls is not None:
                connection = self._tls.wrap_socket(raw, server_side=True)
            self._converse(connection)
        except (OSError, EOFError):
            pass
        except BaseException as error:  # noqa: BLE001 - the test fails at its end
            self.failed.append(error)
        finally:
            with self._lock:
                self._open.discard(raw)
            for each in (connection, raw):
                with suppress(OSError):
                    each.close()

    def _converse(self, connection: socket.socket) -> None:
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = connection.recv(65_536)
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            call = Call(connection, head, data)
            is_token = call.target == "/api/oauth/token"
            (self.tokens if is_token else self.calls).append(call)
            (self.token if is_token else self.act)(call)
            data = call.rest
