"""Simulates a day of many hosts on a real Redis, and writes docs/scale.md.

Run: make scale, or .venv-bench/bin/python -m benchmarks.scale [--size smallest] [--write]
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from redis import Redis

from benchmarks.redis_server import redis_server
from benchmarks.scale.day import HOUR, Day, Event
from benchmarks.scale.meter import Meter, Use
from benchmarks.scale.page import Phase, Result, page, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.redis_server import RedisServer


class Scale(NamedTuple):
    """How many there are."""

    hosts: int
    companies: int


SIZES: Final = {"full": Scale(1_000, 5_000), "smallest": Scale(20, 100)}

_CONNECTIONS: Final = 200
"""So many are opened to see what one costs."""

_QUIET: Final = "ordinary hours"

_PHASES: Final = (
    (0.0, "the first hour: nothing is stored yet"),
    (1.0, _QUIET),
    (6.0, "all hosts are restarted at once"),
    (7.0, _QUIET),
    (9.0, "the service answers with 503 for half an hour"),
    (9.5, "the hour after it"),
    (10.5, _QUIET),
    (12.0, "Redis is down for 20 minutes"),
    (12.0 + 1 / 3, "the hour after it"),
    (13.0 + 1 / 3, _QUIET),
    (15.0, "every token is rejected at once: the hour after it"),
    (16.0, _QUIET),
    (24.0, ""),
)


def main() -> None:
    """Simulate, print, and write the page where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--write", action="store_true", help="write docs/scale.md")
    chosen = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("PROCOUNTOR_")]:
        del os.environ[name]
    # That a host goes on by itself is said once for each job here.
    logging.getLogger("procountor_auth").setLevel(logging.CRITICAL)
    with redis_server() as redis:
        if redis is None:
            sys.stderr.write("There is no redis-server on this machine.\n")
            return
        result = _simulate(redis, SIZES[chosen.size])
    sys.stdout.write(page(result))
    if chosen.write:
        write(result)


def _simulate(redis: RedisServer, scale: Scale) -> Result:
    begun = time.perf_counter()
    empty = redis.info("memory")["used_memory"]
    day = Day(redis, hosts=scale.hosts, companies=scale.companies)
    meter = Meter(redis)
    readings: list[Use] = []
    day.run(_events(day, meter, readings))
    readings.append(meter.read())
    full = redis.info("memory")["used_memory"]
    phases = [
        Phase.of(day, begin * HOUR, end * HOUR, what, used.since(before))
        for (begin, what), (end, _), before, used in zip(_PHASES, _PHASES[1:], readings, readings[1:], strict=False)
    ]
    return Result(
        hosts=scale.hosts,
        companies=scale.companies,
        took=time.perf_counter() - begun,
        phases=phases,
        day=Phase.of(day, 0, day.end, "the day", readings[-1].since(readings[0])),
        entry=redis.ask("MEMORY", "USAGE", f"procountor-auth:{{{day.keys[0]}}}"),
        memory=(full - empty) / scale.companies,
        connection=_connection(redis),
        max_connections=int(redis.ask("CONFIG", "GET", "maxclients")["maxclients"]),
        version=redis.info("server")["redis_version"],
    )


def _events(day: Day, meter: Meter, readings: list[Use]) -> Iterator[Event]:
    """Give what happens, and a reading of the meter where each phase begins."""
    happens = {
        6.0: day.restart_all,
        9.0: lambda: setattr(day.service, "away", True),
        9.5: lambda: setattr(day.service, "away", False),
        12.0: meter.stop,
        12.0 + 1 / 3: meter.start,
        15.0: day.service.reject_all,
    }
    for hour, what in _PHASES[:-1]:

        def begin(hour: float = hour) -> None:
            readings.append(meter.read())
            happens.get(hour, lambda: None)()

        yield Event(hour * HOUR, what, begin)
    for number, host in enumerate(day.hosts):
        yield Event((number + 0.5) * day.end / len(day.hosts), f"host {number}", host.restart)


def _connection(redis: RedisServer) -> float:
    """Return the bytes that Redis needs for a connection."""
    before = redis.info("memory")["mem_clients_normal"]
    clients = [Redis.from_url(redis.url) for _ in range(_CONNECTIONS)]
    for client in clients:
        client.ping()
    after = redis.info("memory")["mem_clients_normal"]
    for client in clients:
        client.close()
    return float(after - before) / _CONNECTIONS


if __name__ == "__main__":
    main()
