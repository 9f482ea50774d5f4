"""Resolves `localhost` and its subdomains to this machine, without DNS (RFC 6761, section 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from procountor_auth.settings.hosts import is_localhost
from procountor_auth.transport.backend import library, library_of, loaded

if TYPE_CHECKING:
    import httpx

_ADDRESSES: Final = ("127.0.0.1", "::1")
"""The loopback addresses, in the order in which they are tried."""


class LoopbackNames:
    """A transport that connects to the loopback addresses for names of this machine, without looking them up.

    Args:
        transport: The transport that sends the requests. It is not closed with this one.
    """

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. To this machine, it tries IPv4 first, and IPv6 if nothing listens there."""
        if not is_localhost(request.url.host.rstrip(".")):
            return self._transport.handle_request(request)
        refused: Exception | None = None
        for address in _ADDRESSES:
            try:
                return self._transport.handle_request(_to(address, request))
            except loaded("ConnectError") as error:
                refused = refused or error
        raise refused or library(library_of(request)).ConnectError("there is no loopback address")


def _to(address: str, request: httpx.Request) -> httpx.Request:
    """Return the same request for an address, with the same `Host` and the same name for the certificate."""
    kind: Any = type(request)
    moved: httpx.Request = kind(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
    return moved
