"""A transport that tells when the service has answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable


class AfterResponse(backend.BaseTransport):
    """Sends requests, and calls a function when the service has answered.

    Args:
        happens: The function.
    """

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens = happens
        self._real = backend.HTTPTransport()

    def handle_request(self, request: backend.Request) -> backend.Response:
        """Send a request."""
        response = self._real.handle_request(request)
        response.read()
        response = backend.Response(response.status_code, headers=response.headers, content=response.content)
        self._happens()
        return response

    def close(self) -> None:
        """Close the connections."""
        self._real.close()
