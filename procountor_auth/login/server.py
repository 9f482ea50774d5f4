"""The server of the loopback listener: it accepts connections, and closes idle ones."""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from procountor_auth.login.request_handler import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.login.request_handler import ExpectedRequest

MAX_CONNECTIONS: Final = 32
"""The most open connections; one more closes the one that has been idle for longest."""

PATIENCE: Final = 10.0
"""The time limit for a client's request, in seconds. A browser opens connections in advance, and may never use them."""

_DRAINED: Final = 262_144
_LINGER: Final = 1.0
"""The most bytes and seconds to read after a response: closing a connection with unread bytes resets it, and the client
may lose the response."""


@dataclass(slots=True, eq=False)
class _Connection:
    """A connection and the time of its start."""

    socket: socket.socket
    since: float
    is_busy: bool = False
    """Whether its request is being handled, which may take until the login's deadline."""
    is_answered: bool = False

    def cut(self) -> None:
        """Shut the connection down, even if its thread is waiting for it."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class LoopbackServer:
    """Accepts connections, handles each on a thread, and closes idle ones."""

    def __init__(
        self,
        sockets: list[socket.socket],
        expected: ExpectedRequest,
        patience: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._expected = expected
        self._sockets = sockets
        self._patience = patience
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._closed = threading.Event()
        self._awake, self._wake = socket.socketpair()
        # All are daemon threads: a client that stays connected must not keep the interpreter alive.
        self._thread = threading.Thread(target=self._accept, name="procountor-auth-loopback", daemon=True)

    def open(self) -> None:
        """Start accepting connections."""
        self._thread.start()

    def close(self) -> None:
        """Stop accepting, and close connections without a response. Clients can still read responses to the end."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._wake.send(b"\0")
        if self._thread.ident is not None:
            self._thread.join()
        self._awake.close()
        self._wake.close()
        with self._lock:
            unanswered = [each for each in self._connections if not each.is_answered]
        for each in unanswered:
            each.cut()

    def _note_request(self, connection: _Connection) -> None:
        with self._lock:
            connection.is_busy = True

    def _note_response(self, connection: _Connection) -> None:
        with self._lock:
            connection.is_busy, connection.is_answered = False, True

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            try:
                for each in (self._awake, *self._sockets):
                    selector.register(each, selectors.EVENT_READ)
            except (ValueError, OSError):
                if self._closed.is_set():
                    return  # Ctrl-C came while this thread was starting, and its sockets are closed
                raise
            while not self._closed.is_set():
                for key, _ in selector.select(self._until_next()):
                    if isinstance(key.fileobj, socket.socket) and key.fileobj is not self._awake:
                        self._accept_one(key.fileobj)
                self._cut_the_silent()

    def _accept_one(self, listening: socket.socket) -> None:
        try:
            accepted, _ = listening.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._closed.wait(0.05)  # the connection stays queued until a file descriptor is free
            return
        accepted.settimeout(self._patience)
        connection = _Connection(accepted, self._monotonic())
        with self._lock:
            if len(self._connections) >= MAX_CONNECTIONS:
                idle = [each for each in self._connections if not each.is_busy]
                oldest = min(idle, key=lambda each: each.since, default=connection)
                self._connections.discard(oldest)
                oldest.cut()
            self._connections.add(connection)
        threading.Thread(
            target=self._serve, args=(connection,), name="procountor-auth-loopback-connection", daemon=True
        ).start()

    def _until_next(self) -> float | None:
        """Return the seconds until the next connection has been idle for too long."""
        with self._lock:
            since = [each.since for each in self._connections if not each.is_busy]
        return max(0.0, min(since) + self._patience - self._monotonic()) if since else None

    def _cut_the_silent(self) -> None:
        latest = self._monotonic() - self._patience
        with self._lock:
            late = {each for each in self._connections if not each.is_busy and each.since <= latest}
            self._connections -= late
        for each in late:
            each.cut()

    def _serve(self, connection: _Connection) -> None:
        with connection.socket as accepted:
            with suppress(OSError, ValueError):  # the client has disconnected, or was closed
                RequestHandler(
                    accepted,
                    self._expected,
                    on_request=partial(self._note_request, connection),
                    on_response=partial(self._note_response, connection),
                )
                _hang_up(accepted)
            with self._lock:
                self._connections.discard(connection)


def _hang_up(accepted: socket.socket) -> None:
    """Signal the end of the response, and wait a moment for the client to disconnect."""
    accepted.shutdown(socket.SHUT_WR)
    accepted.settimeout(_LINGER)
    ends, left = time.monotonic() + _LINGER, _DRAINED
    while left > 0 and time.monotonic() < ends:
        read = len(accepted.recv(65_536))
        if not read:
            break
        left -= read
