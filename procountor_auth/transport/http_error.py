"""Translates the HTTP library's errors into ours, with the cause, whether it is temporary, and what to do."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ConnectionFailed, ProcountorAuthError
from procountor_auth.protocol.availability import is_temporary
from procountor_auth.protocol.redaction import safe_excerpt
from procountor_auth.transport.backend import loaded

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Request
    from procountor_auth.transport.deadline import Deadline
    from procountor_auth.transport.proxy import Proxy

CHECK_HOST: Final = "Check PROCOUNTOR_BASE_URL and the network."

_CHECK_PROXY: Final = "Check PROCOUNTOR_PROXY and the network."

_STATUS: Final = re.compile(r"[1-5][0-9]{2}\b")
"""The prefix of a proxy's response in the HTTP libraries' errors."""


def translate(
    failure: Exception, request: Request, deadline: Deadline, *, proxy: Proxy | None = None
) -> ProcountorAuthError:
    """Return our error for an HTTP library's error, whose text may contain parts of the request or response.

    Args:
        failure: The error.
        request: The request.
        deadline: The deadline for the response.
        proxy: The proxy, if it had not yet connected to the host: then the error is not the host's.
    """
    said = _text_of(failure, request)
    whither, hint = (_capitalized(proxy), _CHECK_PROXY) if proxy else (request.host, CHECK_HOST)
    if isinstance(failure, ProcountorAuthError):
        return failure.with_traceback(None)
    if isinstance(failure, loaded("ConnectTimeout")):
        return _unsent(ConnectionFailed(f"{whither} can't be reached in time.", hint=hint))
    if isinstance(failure, loaded("ProxyError")):
        status = _STATUS.match(said)
        return refused_by_proxy(proxy, request.host, int(status[0]) if status else None)
    if isinstance(failure, loaded("ConnectError")):
        # The operating system's words, such as "Connection refused": nothing was sent yet.
        error = ConnectionFailed(f"{whither} can't be reached: {said}.", hint=hint)
        if is_about_certificate(said):
            error.retryable = "not yet valid" in said
            error.hint = _certificate_hint(said, "PROCOUNTOR_PROXY" if proxy else "PROCOUNTOR_BASE_URL")
        return _unsent(error)
    if isinstance(failure, (*loaded("TimeoutException"), TimeoutError)) or deadline.time_left <= 0:
        return _unsent(_no_way_in_time(proxy, request.host, deadline)) if proxy else deadline.error()
    if proxy:
        message = f"{whither} did not connect to {request.host}: the connection broke, or the response is not HTTP."
        return _unsent(ConnectionFailed(message, hint=hint))
    if isinstance(failure, (*loaded("RemoteProtocolError"), *loaded("DecodingError"))):
        return ConnectionFailed("The connection broke, or the response is not HTTP.", hint=CHECK_HOST)
    return ConnectionFailed(f"The request failed ({type(failure).__name__}).", hint=CHECK_HOST)


def _text_of(failure: Exception, request: Request) -> str:
    """Return what an error says, unless that is a secret: it may be of a transport of the program's own."""
    said = ""
    with suppress(Exception):
        said = str.__str__(str(failure))
    return safe_excerpt(said, request) or type(failure).__name__


def is_about_certificate(said: str) -> bool:
    """Whether an error's text says that a certificate was rejected."""
    return "CERTIFICATE" in said


def refused_by_proxy(proxy: Proxy | None, host: str, status: int | None) -> ConnectionFailed:
    """Return the error for a proxy that does not connect to the host, temporarily or permanently.

    Args:
        proxy: The configured proxy, if it is the one that responded.
        host: Scheme and host.
        status: The status of the response, if known.
    """
    passes = status is not None and is_temporary(status)
    hint = f"Check PROCOUNTOR_PROXY, and whether this proxy allows connections to {host}."
    if passes:
        hint = "It may be busy, or unable to reach the host: try again later, or ask its administrator."
    elif status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        hint = "It requires a user name and password: set PROCOUNTOR_PROXY=http://USER:PASSWORD@HOST:PORT."
        if proxy and proxy.has_password:
            hint = "Check the user name and password in PROCOUNTOR_PROXY (write special characters as %XX)."
    code = f" ({status})" if status is not None else ""
    who = _capitalized(proxy) if proxy else "A proxy"
    error = ConnectionFailed(f"{who} refused{code} to connect to {host}.", hint=hint)
    error.retryable = passes
    return _unsent(error)


def _no_way_in_time(proxy: Proxy, host: str, deadline: Deadline) -> ConnectionFailed:
    message = f"{_capitalized(proxy)} did not connect to {host} within {deadline.timeout:g} seconds."
    return ConnectionFailed(message, hint=deadline.error().hint)


def _unsent(error: ConnectionFailed) -> ConnectionFailed:
    error.sent = False
    return error


def _certificate_hint(said: str, variable: str) -> str:
    if "not yet valid" in said or "expired" in said:
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        return f"Check the clock of this machine, which shows {now}. If it is right, the certificate is wrong."
    return f"Check {variable}. For your own authority, set PROCOUNTOR_CA_BUNDLE to its PEM file."


def _capitalized(proxy: Proxy) -> str:
    text = str(proxy)
    return text[0].upper() + text[1:]
