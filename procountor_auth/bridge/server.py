"""Serving a bridge with uvicorn."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from .connection import IDLE_SECONDS, Connection
from .disconnect import BrokenOff
from .exchange import LOGGER
from .forwarding import SEND_SECONDS
from .shortage import Shortage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from pathlib import Path

    from .bridge import Bridge

GRACEFUL_SECONDS: Final = 30
"""Seconds that pending requests have to finish after the signal to stop."""

MAX_HEAD: Final = 65_536
"""Bytes of a request before its body."""

_BACKLOG: Final = 2_048

_logger = logging.getLogger(LOGGER)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: The address can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named: asyncio turns Nagle's algorithm off then, which holds up short answers for 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def check_certificate(certificate: Path, key: Path | None) -> str | None:
    """Return what is wrong with a certificate and its key, or None."""

    def no_password() -> str:
        raise ValueError("the key needs a password: write it without one into a file that only the bridge can read")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=no_password)
    except FileNotFoundError as error:
        return f"{error.filename or certificate} does not exist"
    except ssl.SSLError as error:
        return f"they don't fit together, or are no PEM files ({error.reason or 'unreadable'})"
    except OSError as error:
        return f"they can't be read: {error.strerror}"
    except ValueError as error:
        return str(error)
    return None


class BridgeServer(uvicorn.Server):
    """Serves a bridge on a socket until it is stopped.

    Args:
        bridge: The bridge.
        listening: The socket.
        certificate: The certificate, as a PEM file; None for plain HTTP.
        key: Its key.
        on_started: Called when requests are accepted.
        reload: Reads the configuration again, on SIGHUP.
        idle_seconds: Seconds until the head of a connection's first or next request is complete.
        unread_seconds: Seconds in which a program takes nothing of what it is sent.
    """

    def __init__(
        self,
        bridge: Bridge,
        listening: socket.socket,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        on_started: Callable[[], None] = lambda: None,
        reload: Callable[[], Awaitable[None]] | None = None,
        idle_seconds: float = IDLE_SECONDS,
        unread_seconds: float = SEND_SECONDS,
    ) -> None:
        options: dict[str, Any] = {
            "http": partial(Connection, idle_seconds=idle_seconds, unread_seconds=unread_seconds),
            "timeout_keep_alive": idle_seconds,
        }
        if certificate is not None:
            options |= {"ssl_certfile": certificate, "ssl_keyfile": key}
        super().__init__(
            uvicorn.Config(
                bridge,
                ws="none",
                loop="asyncio",
                lifespan="on",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=GRACEFUL_SECONDS,
                h11_max_incomplete_event_size=MAX_HEAD,
                **options,
            )
        )
        self._listening = listening
        # For asyncio that is also how many connections it tries to accept at a time. Where none can be accepted, it
        # plans to try again for each of them, and each time that many more: with one, that does not grow.
        self.config.backlog = 1
        self._on_started = on_started
        self._certificate, self._key = certificate, key
        self._reload = reload
        self._reloads: set[asyncio.Task[None]] = set()
        self._needs_terminal = False

    def run_until_stopped(self) -> None:
        """Serve, in the main thread, until SIGINT or SIGTERM; after a second one end at once. SIGHUP reloads."""
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        asyncio.run(self._run())

    async def _run(self) -> None:
        if self._reload is not None and hasattr(signal, "SIGHUP"):  # Windows has none
            # A program that is started with nohup goes on when its terminal is closed; others end then, as always.
            self._needs_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._on_hangup)
        await self.serve(sockets=[self._listening])

    def _on_hangup(self) -> None:
        if self._needs_terminal and not _has_terminal():
            self.should_exit: bool = True
            return
        task = asyncio.ensure_future(self._reload_all())
        self._reloads.add(task)  # the loop itself does not keep it
        task.add_done_callback(self._reloads.discard)

    async def _reload_all(self) -> None:
        if self._certificate is not None:
            await asyncio.to_thread(self._load_certificate, self._certificate)
        if self._reload is not None:
            await self._reload()

    def _load_certificate(self, certificate: Path) -> None:
        """Use the certificate that is in the file now for new connections."""
        problem = check_certificate(certificate, self._key)
        if problem is None and self.config.ssl is not None:
            self.config.ssl.load_cert_chain(certificate, self._key)
        elif problem is not None:
            _logger.error("the certificate can't be used, and the old one goes on: %s", problem)

    def _on_signal(self, _number: int, _frame: object) -> None:
        self.force_exit: bool = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to `run_until_stopped` (called by uvicorn, which would raise them again at the end)."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept requests (called by uvicorn)."""
        asyncio.get_running_loop().set_exception_handler(Shortage())
        await super().startup(sockets=sockets)
        if self.started:
            self._listening.listen(_BACKLOG)
            self._on_started()


def _has_terminal() -> bool:
    """Whether this process belongs to a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record of uvicorn says what our own log does not. A traceback could show what was sent."""
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        # What was cancelled is told by the line of its request, or by why the bridge has ended.
        if isinstance(error, BrokenOff | asyncio.CancelledError):
            return False
        record.msg, record.args = "%s: %s", (record.getMessage().strip(), type(error).__name__)
        record.exc_info = record.exc_text = None
    return record.levelno >= logging.WARNING
