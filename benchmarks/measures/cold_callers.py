"""(c) Many callers who find no token: how many token requests there are, and how long they wait."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from typing import TYPE_CHECKING, Final

from benchmarks import others
from benchmarks.report import Claim, Report, duration
from procountor_auth import Settings, TokenSource
from procountor_auth.strategies import build

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.server import TokenServer
    from benchmarks.size import Size

_ROUNDS: Final = 7

_LATENCY: Final = 0.02
"""Seconds that the server takes for a token: as good as none, so that the callers themselves are what is measured."""

_STACK: Final = 256 * 1024
"""Bytes of a thread's stack: ten thousand of them are to fit."""


def measure(size: Size, server: TokenServer) -> Report:
    """Let so many callers ask at once, again and again with a source that has no token."""
    report = Report(
        "c",
        "Many callers, no token",
        f"All callers request a token from an empty source at once; the server takes {_LATENCY * 1000:g} ms. For "
        "comparison: how long a single caller waits, and how long it takes to start and end the same number of "
        "threads or coroutines that only wait for an event. The other libraries are called from threads that "
        "share one client.",
        (
            "",
            "token requests",
            "all have a token after",
            "one caller",
            "as many idle waiters",
            "relative to the sum of both",
        ),
    )
    settings = Settings()
    threading.stack_size(_STACK)
    for kind, counts, crowd in (
        ("threads", size.threads, _threads),
        ("coroutines", size.coroutines, _coroutines),
    ):
        for count in counts:
            alone, idle, all_of_them, requests = [], [], [], []
            for _ in range(_ROUNDS):
                server.reset(_LATENCY)
                alone.append(crowd(TokenSource(build(settings)), 1))
                idle.append(crowd(None, count))
                server.reset(_LATENCY)
                all_of_them.append(crowd(TokenSource(build(settings)), count))
                requests.append(server.count)
            ratio = min(all_of_them) / (min(alone) + min(idle))
            most = max(requests)
            report.rows.append(
                (
                    f"procountor-auth, {count:,} {kind}",
                    str(most),
                    f"{duration(min(all_of_them))} (median {duration(statistics.median(all_of_them))})",
                    duration(min(alone)),
                    duration(min(idle)),
                    f"{ratio:.2f}",
                )
            )
            report.claims += [
                Claim(f"{count:,} {kind}: token requests", most, 1, unit=""),
                Claim(f"{count:,} {kind}: relative to one caller and as many idle waiters", ratio, 1.5),
            ]
    count = size.threads[0]
    msal = others.msal_application(server)
    cold = others.askers(server, 0) | {"msal": lambda: msal.acquire_token_for_client(scopes=["all"])}
    for name, ask in cold.items():
        server.reset(_LATENCY)
        taken = _crowd(ask, count)
        report.rows.append((f"{name}, {count:,} threads", str(server.count), duration(taken), "", "", ""))
    return report


def _threads(source: TokenSource | None, count: int) -> float:
    if source is not None:
        return _crowd(source.token, count)
    all_are_there = threading.Event()
    return _crowd(all_are_there.wait, count, all_are_there.set)


def _crowd(ask: Callable[[], object], count: int, begin: Callable[[], object] = lambda: None) -> float:
    """Return the seconds from the first start of a thread to the end of the last one."""
    threads = [threading.Thread(target=ask) for _ in range(count)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    begin()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun


def _coroutines(source: TokenSource | None, count: int) -> float:
    async def crowd() -> float:
        all_are_there = asyncio.Event()

        async def last() -> None:
            all_are_there.set()

        begun = time.perf_counter()
        waiting = (source.atoken() if source else all_are_there.wait() for _ in range(count))
        await asyncio.gather(*waiting, last())
        return time.perf_counter() - begun

    return asyncio.run(crowd())
