"""Ports for servers that are told theirs."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """Return a port that nobody listens at, as far as can be told, nor at the one that is 10,000 higher.

    It is none of those that the system gives to outgoing connections.
    """
    while True:
        port = random.randint(10_000, 20_000)  # noqa: S311 - no secret
        with socket.socket() as probe, socket.socket() as second, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 10_000))
            return port
