"""(g) Many processes on one store: one token request, however many there are."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from benchmarks.redis_server import redis_server
from benchmarks.report import Claim, Report, duration
from procountor_auth import TokenSource

if TYPE_CHECKING:
    from benchmarks.server import TokenServer
    from benchmarks.size import Size

_ROUNDS: Final = 5

_LATENCY: Final = 0.1

_VARIABLE: Final = "PROCOUNTOR_TOKEN_STORE"


def measure(size: Size, server: TokenServer) -> Report:
    """Let so many processes ask at once, with nothing in the store and then with a token in it."""
    report = Report(
        "g",
        "Many processes, one store",
        f"Forked processes request the token at the same moment; the server takes {_LATENCY * 1000:g} ms. The time "
        "is until the last process has its token. For comparison, the same with a token already in the store: "
        "what this number of processes costs on two cores without a request. The difference is the cost of one "
        "request for all of them.",
        ("", "processes", "token requests", "nothing stored", "a token stored", "difference"),
    )
    with TemporaryDirectory() as folder:
        places = {"file store": f"file:{Path(folder) / 'tokens'}"}
        with redis_server() as redis:
            if redis is not None:
                places["Redis"] = redis.url
            else:
                report.rows.append(("Redis: there is no redis-server on this machine", "", "", "", "", ""))
            for name, place in places.items():
                os.environ[_VARIABLE] = place
                differences = {}
                for count in size.processes:
                    cold, warm, requests = [], [], []
                    for _ in range(_ROUNDS):
                        TokenSource.from_env().invalidate()
                        server.reset(_LATENCY)
                        cold.append(_crowd(count))
                        requests.append(server.count)
                        warm.append(_crowd(count))
                    differences[count] = min(cold) - min(warm)
                    row = (
                        name,
                        str(count),
                        str(max(requests)),
                        *map(duration, (min(cold), min(warm), differences[count])),
                    )
                    report.rows.append(row)
                    crowd = f"{count} process" if count == 1 else f"{count} processes"
                    report.claims.append(Claim(f"{name}, {crowd}: token requests", max(requests), 1, unit=""))
                most, least = max(size.processes), min(size.processes)
                report.claims.append(
                    Claim(
                        f"{name}: the difference with {most} processes, relative to {least}",
                        differences[most] / differences[least],
                        2,
                    )
                )
    del os.environ[_VARIABLE]
    return report


def _crowd(count: int) -> float:
    context = multiprocessing.get_context("fork")
    ready, ended = context.SimpleQueue(), context.SimpleQueue()
    start = os.pipe()
    children = [context.Process(target=_child, args=(ready, start, ended)) for _ in range(count)]
    for child in children:
        child.start()
    for _ in children:
        ready.get()
    begun = time.monotonic()  # before they start: on two cores, this process may come last
    os.close(start[1])
    for _ in children:
        ended.get()
    taken = time.monotonic() - begun
    for child in children:
        child.join()
    os.close(start[0])
    return taken


def _child(ready: Any, start: tuple[int, int], ended: Any) -> None:  # noqa: ANN401 - multiprocessing's own
    source = TokenSource.from_env()
    os.close(start[1])
    ready.put(1)
    os.read(start[0], 1)  # until the parent has closed the other end
    source.token()
    ended.put(1)
