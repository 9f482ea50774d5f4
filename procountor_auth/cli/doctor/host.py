"""Checks of Procountor's host: whether its name resolves, whether it responds, and whether the clocks agree."""

from __future__ import annotations

import socket
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from procountor_auth.errors import ConnectionFailed, ProcountorAuthError
from procountor_auth.protocol.availability import is_temporary
from procountor_auth.protocol.flow import Repeat, Request
from procountor_auth.protocol.sunset import read_sunset_notice
from procountor_auth.settings.hosts import is_localhost
from procountor_auth.transport.proxy import Proxy
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.flow import Flow, Response
    from procountor_auth.settings.settings import Settings

    from .check import Findings
    from .unread_variables import UnreadVariables

_MAX_CLOCK_SKEW: Final = 60.0
"""Tolerated difference between this machine's clock and the server's, in seconds."""


def check_host(findings: Findings, settings: Settings, unread: UnreadVariables, clock: Callable[[], float]) -> bool:
    """Check the host with a request that has no token; return whether it responds.

    Args:
        findings: Where the results go.
        settings: The settings.
        unread: Variables that may have been meant for this connection, but are not read.
        clock: The wall clock, in Unix seconds.
    """
    host = settings.endpoints.host
    transport = Transport.from_settings(settings)
    if transport.proxy is None and not _resolve(findings, host, unread):
        return False
    try:
        response = transport.run(_get(f"{settings.endpoints.api}/sessioninfo"))
    except ProcountorAuthError as error:
        if isinstance(error, ConnectionFailed):
            error.hint = f"{error.hint} {unread.hint(error.message)}".rstrip()
        findings.add_error("host", error)
        return False
    findings.add_sunset_notice(read_sunset_notice(response.header))
    through = f" through {Proxy.at(transport.proxy)}" if transport.proxy else ""
    if is_temporary(response.status):
        hint = "Try again later; if the problem persists, ask Procountor."
        findings.add("host", "warning", f"{host} responds{through} with status {response.status}", hint)
    elif response.is_html:
        message = f"{host} responds{through} with a web page, status {response.status}"
        hint = "Check PROCOUNTOR_BASE_URL and PROCOUNTOR_API_VERSION; a gateway may also block this machine."
        findings.add("host", "warning", message, hint)
    else:
        message = f"{host} responds{through}: status {response.status} to a request without a token"
        findings.add("host", "ok", message)
    _check_clock(findings, response, clock())
    return True


def _get(url: str) -> Flow[Response]:
    return (yield Request("GET", url, repeat=Repeat.SAFE))


def _resolve(findings: Findings, host: str, unread: UnreadVariables) -> bool:
    """Look up the host's name in the DNS; return whether it was found."""
    parts = urlsplit(host)
    if is_localhost(parts.hostname or ""):
        return True  # always this machine: no DNS lookup
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        hint = f"Check PROCOUNTOR_BASE_URL, and whether this machine has a network. {unread.hint()}".rstrip()
        findings.add("host", "failed", f"{parts.hostname} is not found (DNS)", hint)
        return False
    addresses = sorted({str(each[4][0]) for each in found})
    if addresses != [parts.hostname]:
        findings.add("host", "ok", f"{parts.hostname} has the address {' and '.join(addresses)}")
    return True


def _check_clock(findings: Findings, response: Response, now: float) -> None:
    try:
        ahead = now - parsedate_to_datetime(response.header("date") or "").timestamp()
    except (ValueError, TypeError):
        findings.add("clock", "ok", "the server's response has no date")
        return
    if abs(ahead) > _MAX_CLOCK_SKEW:
        direction = "ahead of" if ahead > 0 else "behind"
        message = f"this machine's clock is {abs(ahead):.0f} seconds {direction} the server's"
        findings.add("clock", "warning", message, "Synchronize the machine's clock over the network (NTP).")
    else:
        findings.add("clock", "ok", "this machine's clock agrees with the server's")
