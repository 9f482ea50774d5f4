"""A proxy of the tests' own, which opens tunnels (CONNECT) or refuses to."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


class ProxyServer:
    """A proxy on a port of its own.

    Args:
        status: What it answers to CONNECT; 0 to hang up instead, None to say nothing until it ends.
        leads_to: The port on this machine that every tunnel leads to, whatever host is asked for; None to hang up.
        tls: What stands in for the host in a tunnel, as a company's proxy does that looks into TLS.
        own_tls: For an `https://` proxy, what it shows.

    Attributes:
        asked: The first line of each request.
        address: Host and port.
    """

    def __init__(
        self,
        status: int | None = 200,
        leads_to: int | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        own_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.asked: list[str] = []
        self._status = status
        self._leads_to = leads_to
        self._tls = tls
        self._own_tls = own_tls
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Stop, when what is still being answered has been."""
        self._closing.set()
        socket.create_connection(self._listener.getsockname()).close()  # wakes `accept`
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._closing.is_set():
                connection.close()
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with suppress(OSError):
            if self._own_tls is not None:
                connection = self._own_tls.wrap_socket(connection, server_side=True)
            self._answer(connection)
        connection.close()

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (more := connection.recv(65_536)):
                return
            head += more
        self.asked.append(head.split(b"\r\n")[0].decode())
        if self._status is None:
            self._closing.wait(10)
        elif self._status:
            connection.sendall(b"HTTP/1.1 %d Word\r\nContent-Length: 0\r\n\r\n" % self._status)
        if self._status == 200 and self._leads_to is not None and self._tls is not None:
            with (
                self._tls.wrap_socket(connection, server_side=True) as inner,
                socket.create_connection(("127.0.0.1", self._leads_to), timeout=10) as host,
            ):
                back = threading.Thread(target=_pump, args=(host, inner), daemon=True)
                back.start()
                _pump(inner, host)
                back.join(10)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65_536):
            target.sendall(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
