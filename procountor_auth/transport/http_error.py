"""Our errors for those of the HTTP library: whose fault it is, whether it passes, and what to do."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ConnectionFailed, ProcountorAuthError
from procountor_auth.protocol.error_response import is_temporary
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Request
    from procountor_auth.transport.deadline import Deadline

CHECK_HOST: Final = "Check PROCOUNTOR_BASE_URL and the network."

_CHECK_PROXY: Final = "Check PROCOUNTOR_PROXY and the network."

_STATUS: Final = re.compile(r"[1-5][0-9]{2}\b")
"""With which the HTTP libraries begin what a proxy has answered."""


def translate(failure: Exception, request: Request, deadline: Deadline, *, at_proxy: bool) -> ProcountorAuthError:
    """Return our error for whatever the HTTP library raised; its text may repeat what it was sent or got.

    Args:
        failure: What it raised.
        request: The request.
        deadline: When its response has to be there.
        at_proxy: Whether not even a proxy was reached, which is between here and the host.
    """
    whither, hint = ("The proxy", _CHECK_PROXY) if at_proxy else (request.host, CHECK_HOST)
    if isinstance(failure, ProcountorAuthError):
        return failure.with_traceback(None)
    if isinstance(failure, backend.ConnectTimeout):
        return _unsent(ConnectionFailed(f"{whither} could not be reached in time.", hint=hint))
    if isinstance(failure, backend.ProxyError):
        status = _STATUS.match(str(failure))
        return refused_by_the_proxy(int(status[0]) if status else None)
    if isinstance(failure, backend.ConnectError):
        # The operating system's words, such as "Connection refused": nothing was sent yet.
        error = ConnectionFailed(f"{whither} can't be reached: {failure}.", hint=hint)
        if "CERTIFICATE" in str(failure):
            error.retryable = "not yet valid" in str(failure)
            error.hint = _certificate_hint(str(failure))
        return _unsent(error)
    if isinstance(failure, backend.TimeoutException | TimeoutError) or deadline.time_left <= 0:
        return deadline.error()
    if isinstance(failure, backend.RemoteProtocolError | backend.DecodingError):
        return ConnectionFailed("The connection broke, or what came over it is not HTTP.", hint=CHECK_HOST)
    return ConnectionFailed(f"The request failed ({type(failure).__name__}).", hint=CHECK_HOST)


def _unsent(error: ConnectionFailed) -> ConnectionFailed:
    error.sent = False
    return error


def _certificate_hint(said: str) -> str:
    if "not yet valid" in said or "expired" in said:
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        return f"Check the clock of this machine, which says {now}. If it is right, the certificate is wrong."
    return "Check PROCOUNTOR_BASE_URL; name your own authority's file in PROCOUNTOR_CA_BUNDLE."


def refused_by_the_proxy(status: int | None) -> ConnectionFailed:
    """Return the error for a proxy that opens no way to the host: for now, or until somebody changes something."""
    passes = status is not None and is_temporary(status)
    hint = "Check PROCOUNTOR_PROXY."
    if passes:
        hint = "Nothing needs to be changed here; try again later."
    elif status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        hint = "It wants a user name and a password: http://USER:PASSWORD@HOST:PORT in PROCOUNTOR_PROXY."
    answered = f" (status {status})" if status is not None else ""
    error = ConnectionFailed(f"The proxy refused the connection{answered}.", hint=hint)
    error.retryable = passes
    return _unsent(error)
