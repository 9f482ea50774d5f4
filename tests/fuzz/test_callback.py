"""Thousands of requests at the loopback listener, over real sockets."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from procountor_auth.errors import LoginTimedOut, RedirectError
from procountor_auth.login.listener import LoopbackListener

from .mutation import BATCH, FEWER, mutated

pytestmark = [pytest.mark.server, pytest.mark.fuzz]

_STATE: Final = "St4te" * 8


class Listening:
    """A listener that waits until its login is ended, and what it was given."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.errors: list[BaseException] = []
        self.listener = LoopbackListener("http://127.0.0.1/callback")
        self.listener.__enter__()
        self.port = int(self.listener.redirect_uri.split(":")[2].split("/")[0])
        self.thread = threading.Thread(target=self._wait)
        self.thread.start()

    def _complete(self, address: str) -> str:
        self.given.append(address)
        if address == f"http://127.0.0.1:{self.port}/callback?code=the-last&state={_STATE}":
            return "done"
        raise RedirectError("no")

    def _wait(self) -> None:
        try:
            self.listener.wait(self._complete, 600)
        except BaseException as error:  # noqa: BLE001 - whatever comes is looked at
            self.errors.append(error)

    def send(self, data: bytes) -> bytes:
        """Send bytes and hang up; return what comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            with suppress(OSError):
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            with suppress(ConnectionResetError):
                while more := connection.recv(65_536):
                    answer += more
        return answer

    def end(self) -> None:
        """End the login as the right redirect does."""
        head = f"GET /callback?code=the-last&state={_STATE} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n"
        assert self.send(head.encode()).startswith(b"HTTP/1.1 200 ")
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.listener.__exit__(None, None, None)


@settings(max_examples=max(1, FEWER // BATCH), deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_callback_line(seed: int) -> None:
    """Whatever comes is answered or hung up on, repeats nothing, and the right redirect is still taken afterwards."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    listening = Listening()
    host = f"127.0.0.1:{listening.port}"
    samples = [
        f"GET /callback?code=c0deCanary&state={_STATE} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(),
        f"GET /favicon.ico HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n".encode(),
        f"POST /callback HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\r\na=b".encode(),
    ]
    try:
        for _ in range(BATCH):
            answer = listening.send(mutated(rng, samples))
            assert not answer or answer.startswith(b"HTTP/1.1 ")
            assert b"c0deCanary" not in answer
            assert _STATE.encode() not in answer
    finally:
        listening.end()
    assert not [error for error in listening.errors if not isinstance(error, LoginTimedOut)]
    assert all(address.startswith(f"http://{host}/callback") for address in listening.given)
