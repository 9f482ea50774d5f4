"""A program that sends a bridge exactly the bytes that a test says."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


class RawProgram:
    """One connection to a bridge. A context manager.

    Args:
        port: The bridge's port.
        access_token: The token of its calls.
    """

    def __init__(self, port: int, access_token: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._port = port
        self._access_token = access_token

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes. Where the bridge takes no more of them, that shows in its answer."""
        with suppress(OSError):
            self._socket.sendall(data)

    def begin(self, method: str, target: str, headers: Iterable[str] = ()) -> None:
        """Send the head of a call."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{self._port}", *headers]
        if self._access_token:
            lines.append(f"Authorization: Bearer {self._access_token}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")

    def read_head(self) -> bytes:
        """Read an answer up to its body, and the part of that which came with it."""
        data = b""
        while b"\r\n\r\n" not in data and (more := self._socket.recv(65_536)):
            data += more
        return data

    def read(self, size: int = 65_536) -> bytes:
        """Read a part of an answer; nothing at its end."""
        return self._socket.recv(size)

    def read_to_end(self) -> bytes:
        """Read until the bridge ends the connection."""
        data = b""
        with suppress(ConnectionResetError):
            while more := self._socket.recv(65_536):
                data += more
        return data


def status_of(answer: bytes) -> int | None:
    """Return the status that an answer begins with, or None."""
    found = re.match(rb"HTTP/1\.1 ([0-9]{3}) ", answer)
    return int(found[1]) if found else None
