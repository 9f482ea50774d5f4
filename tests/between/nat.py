"""What translates addresses between a program and a server: it may forget connections, or lead to another server."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class Nat:
    """Leads connections to a port of this machine.

    Args:
        port: The port, which may be changed: it counts for new connections.

    Attributes:
        listens_at: Its own port.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._forgotten: set[tuple[socket.socket, socket.socket]] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.listens_at: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and end everything."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in list(self._threads):
            thread.join(10)
        for each in [one for pair in self._pairs for one in pair]:
            each.close()

    def forget(self) -> None:
        """Lead nothing of the connections of now any more: no byte, and not the end of one either."""
        self._forgotten |= self._pairs

    def cut(self) -> None:
        """End the connections of now."""
        for each in [one for pair in self._pairs for one in pair]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                try:
                    server = socket.create_connection(("127.0.0.1", self.port))
                except OSError:
                    client.close()
                    continue
                pair = (client, server)
                self._pairs.add(pair)
                for ways in (pair, (server, client)):
                    self._threads.append(threading.Thread(target=self._lead, args=(*ways, pair), daemon=True))
                    self._threads[-1].start()

    def _lead(self, source: socket.socket, target: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if pair not in self._forgotten:
                    target.sendall(data)
        if pair not in self._forgotten:
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)
