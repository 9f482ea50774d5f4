"""A program's connection to the bridge, and how long it may keep the bridge waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .forwarding import SEND_SECONDS

if TYPE_CHECKING:
    import asyncio

IDLE_SECONDS: Final = 75.0
"""Seconds that a connection is kept without a request: until the next one's head is complete."""


class Connection(H11Protocol):
    """HTTP with h11, the strict one: what two servers could read in two ways is refused.

    uvicorn's own timer, `timeout_keep_alive`, is set after an answer only, and the next byte stops it. A program that
    sends nothing, or half a head, would keep its connection forever.

    Without uvicorn's log of requests, whatever handlers a program has given it: it has their queries, in which the
    oldest programs send passwords.

    Args:
        arguments: uvicorn's own.
        idle_seconds: Seconds until the head of the first or next request is complete.
        unread_seconds: Seconds in which the program takes nothing of what it is sent.
        options: uvicorn's own.
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - uvicorn's own
        idle_seconds: float = IDLE_SECONDS,
        unread_seconds: float = SEND_SECONDS,
        **options: Any,  # noqa: ANN401 - the same
    ) -> None:
        super().__init__(*arguments, **options)
        self.access_log = False
        self._idle_seconds = idle_seconds
        self._unread_seconds = unread_seconds
        self._idle: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Wait for the first request (called by asyncio)."""
        super().connection_made(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more (called by asyncio)."""
        self._stop_waiting()
        self._stop_waiting_for_reader()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Stop waiting where a head is complete (called by uvicorn with what has come)."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request, and for the rest of a body that nobody reads (called by uvicorn)."""
        self._wait_for_request()  # first: the next one may have come already
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP (called by uvicorn, even in the middle of an answer or behind it)."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """Wait until the program reads (called by asyncio)."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self._unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on sending (called by asyncio)."""
        super().resume_writing()
        self._stop_waiting_for_reader()

    def _wait_for_request(self) -> None:
        self._stop_waiting()
        self._idle = self.loop.call_later(self._idle_seconds, self._close)

    def _close(self) -> None:
        self.timeout_keep_alive_handler()
        # Closing waits until the program has taken what was sent to it.
        self._idle = self.loop.call_later(self._unread_seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _stop_waiting_for_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
