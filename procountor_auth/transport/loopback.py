"""`localhost` and the names below it lead to this machine, whatever DNS says (RFC 6761, section 6.3)."""

from __future__ import annotations

from typing import Final

from procountor_auth.settings.hosts import is_localhost
from procountor_auth.transport.backend import backend

_ADDRESSES: Final = ("127.0.0.1", "::1")
"""Tried in this order."""


class LoopbackNames(backend.BaseTransport):
    """A transport that looks up no name of this machine: requests for it connect to the loopback addresses alone.

    Args:
        transport: Sends the requests. It is not closed with this one.
    """

    def __init__(self, transport: backend.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: backend.Request) -> backend.Response:
        """Send a request; to this machine, first with IPv4, and if nothing listens there, with IPv6."""
        if not is_localhost(request.url.host.rstrip(".")):
            return self._transport.handle_request(request)
        refused: backend.ConnectError | None = None
        for address in _ADDRESSES:
            try:
                return self._transport.handle_request(_to(address, request))
            except backend.ConnectError as error:
                refused = refused or error
        raise refused or backend.ConnectError("there is no loopback address")


def _to(address: str, request: backend.Request) -> backend.Request:
    """Return the same request for an address; its `Host`, and the name that the certificate must have, stay."""
    return backend.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
