"""(d) How long callers are blocked while a token is renewed that is still valid."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from benchmarks import others
from benchmarks.report import Claim, Report, duration
from procountor_auth import Settings, TokenSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.server import TokenServer
    from benchmarks.size import Size

_LATENCY: Final = 0.4
"""Seconds that the server takes for the new token."""

_BLOCKED: Final = _LATENCY / 4
"""A call of more seconds has waited for the server, and not for the machine."""

_CALLERS: Final = 8

_LEFT: Final = 100.0
"""Seconds that the token is still valid for when the callers come."""

_OTHERS_LEFT: Final = 15
"""The same for the others, each of which takes a token for due that is valid for less than 20 seconds."""


def measure(size: Size, server: TokenServer) -> Report:  # noqa: ARG001 - as all of them
    """Have callers ask all the time, for longer than a renewal takes."""
    report = Report(
        "d",
        "Across an expiry",
        f"{_CALLERS} threads request the token repeatedly for {_LATENCY * 2:g} s. The token is valid for {_LEFT:g} "
        f"s more but due for renewal, which takes {_LATENCY * 1000:g} ms at the server. A call that takes more "
        f"than {_BLOCKED * 1000:g} ms has waited for the server.",
        ("", "longest call", "calls that waited", "token requests"),
    )
    now = [time.time()]
    source = TokenSource.from_settings(Settings(), clock=lambda: now[0])
    now[0] = source.token().expires_at - _LEFT
    for name, ask in {"procountor-auth": source.token, **others.askers(server, _OTHERS_LEFT)}.items():
        server.reset(_LATENCY)
        calls = _calls(ask)
        blocked = [taken for taken in calls if taken > _BLOCKED]
        report.rows.append((name, duration(max(calls)), str(len(blocked)), str(server.count)))
        if name == "procountor-auth":
            report.claims.append(Claim("calls that waited while the token was valid", len(blocked), 0, unit=""))
            report.claims.append(Claim("token requests", server.count, 1, unit=""))
    return report


def _calls(ask: Callable[[], object]) -> list[float]:
    until = time.perf_counter() + 2 * _LATENCY
    taken: list[float] = []

    def caller() -> None:
        while (begun := time.perf_counter()) < until:
            ask()
            taken.append(time.perf_counter() - begun)
            time.sleep(0.001)

    threads = [threading.Thread(target=caller) for _ in range(_CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken
