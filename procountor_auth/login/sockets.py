"""Opens the sockets for the redirect: one for a literal address, two for `localhost`."""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import CannotListen

if TYPE_CHECKING:
    from procountor_auth.protocol.loopback_redirect import LoopbackRedirect

_MAX_ATTEMPTS: Final = 20
"""How many free ports are tried for one that is free on both IPv4 and IPv6."""

_BACKLOG: Final = 128
"""How many connections the system queues until they are accepted."""

_FAMILIES: Final = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}

_ADDRESSES: Final = {"127.0.0.1": ("127.0.0.1",), "[::1]": ("::1",), "localhost": ("127.0.0.1", "::1")}
"""The addresses for each host. For `localhost`, a browser may use either of the two."""

_NOT_HERE: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
"""The error codes of a machine without IPv6."""


def listen(loopback: LoopbackRedirect) -> tuple[list[socket.socket], int]:
    """Return sockets that listen on the redirect URI's port, or on a free one, and the port.

    Raises:
        CannotListen: The port is in use, or this user may not listen on it.
    """
    failed: OSError | None = None
    for _ in range(_MAX_ATTEMPTS if loopback.port is None else 1):
        try:
            return _listen_once(_ADDRESSES[loopback.host], loopback.port or 0)
        except OSError as error:
            failed = error
            if error.errno != errno.EADDRINUSE:
                break
    said = os.strerror(failed.errno) if failed and failed.errno else "unknown error"
    port = "A free port" if loopback.port is None else f"Port {loopback.port}"
    raise CannotListen(
        f"{port} of {loopback.host}, as in PROCOUNTOR_REDIRECT_URI, is not available: {said}.",
        hint="End the program that uses the port (another login, perhaps), or log in with --no-browser and paste the "
        "address that the browser ends up at.",
    )


def _listen_once(addresses: tuple[str, ...], port: int) -> tuple[list[socket.socket], int]:
    """Listen on one port of all the addresses that this machine has.

    Raises:
        OSError: The port is in use on one of them, or there is no address. All sockets are closed then.
    """
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for address in addresses:
            try:
                listening = _bind(address, port)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
                continue
            sockets.append(listening)
            port = listening.getsockname()[1]
        if missing is not None and not sockets:
            raise missing
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets, port


def _bind(address: str, port: int) -> socket.socket:
    family = _FAMILIES[address]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # there, SO_REUSEADDR would let another program take the port as well
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, port))
        listening.listen(_BACKLOG)
        listening.settimeout(0)
    except OSError:
        listening.close()
        raise
    return listening
