"""What happens in a simulated day: jobs on hosts, and what befalls the service, Redis and the hosts meanwhile.

A job is what a scheduler gives to any of the hosts: it takes the company's token, and calls the API once. Each company
has one about every `JOB` seconds; for a part of the companies they come from cron, all at once on the quarter of the
hour. What a host has in memory is `CachedToken`, what happens to it says `decide`, and what is behind that is the
package's own: `TokenProvider.renew` on a `RedisStore`, over the transport with its retries. Only threads are missing:
jobs come one after the other.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.scale.clock import Clock
from benchmarks.scale.service import Service
from procountor_auth import Settings
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.stores import open_store
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.cache import COOLDOWN, CachedToken, decide
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.redis_server import RedisServer
    from procountor_auth.protocol.token import Token
    from procountor_auth.tokens.stored import Acquired

JOB: Final = 900.0
"""Seconds between two jobs of one company."""

HOUR: Final = 3600.0


class Event(NamedTuple):
    """Something that happens at a time of the day."""

    at: float
    what: str
    happen: Callable[[], None]


class _Held(NamedTuple):
    cached: CachedToken
    acquired: Acquired


@dataclass
class Host:
    """One process on one host.

    Attributes:
        backends: Its transport and stores. The one that it has for itself is for when Redis is down.
        held: The tokens in its memory, by company.
        cool_until: Until when it renews nothing early, by company.
    """

    backends: Backends
    held: dict[int, _Held] = field(default_factory=dict)
    cool_until: dict[int, float] = field(default_factory=dict)

    def restart(self) -> None:
        """Lose what was in memory."""
        self.held.clear()
        self.cool_until.clear()


class Day:
    """A simulated day.

    Args:
        redis: The server that the hosts share.
        hosts: How many hosts there are.
        companies: How many companies there are.
        cron: The share of the companies whose jobs come from cron.
        hours: How long the day is.

    Attributes:
        service: What the hosts get their tokens from.
        jobs: Jobs in each minute.
        visits: In each minute, how often a host went to the store, or would have.
        failed: Jobs that got no token, in each minute.
        rejected: Calls of the API that were answered with 401, in each minute.
    """

    def __init__(self, redis: RedisServer, *, hosts: int, companies: int, cron: float = 0.2, hours: float = 24) -> None:
        self.clock = Clock()
        self._cron = int(companies * cron)
        self.service = Service(self.clock, self._cron)
        self.end = hours * HOUR
        self.companies = companies
        self.jobs: Counter[int] = Counter()
        self.visits: Counter[int] = Counter()
        self.failed: Counter[int] = Counter()
        self.rejected: Counter[int] = Counter()
        self._random = random.Random(0)  # noqa: S311 - the same day each time
        transport = Transport(http=self.service, monotonic=self.clock.now, sleep=lambda _seconds: None)
        settings = [_settings(company, redis.url) for company in range(companies)]
        store = open_store(settings[0].token_store, settings[0].token_store_keys)
        self.hosts = [Host(Backends(transport=transport, store=store, local=MemoryStore())) for _ in range(hosts)]
        self._providers = [
            TokenProvider.from_settings(each, backends=self.hosts[0].backends, clock=self.clock.now)
            for each in settings
        ]
        self.keys = [provider.key for provider in self._providers]

    def run(self, events: Iterable[Event]) -> None:
        """Let everything happen in its order."""
        waiting = sorted(events, reverse=True)
        for at, company in self._schedule():
            while waiting and waiting[-1].at <= at:
                event = waiting.pop()
                self.clock.elapsed = event.at
                event.happen()
            self.clock.elapsed = at
            self._job(self._random.choice(self.hosts), company)

    def restart_all(self) -> None:
        """Restart every host."""
        for host in self.hosts:
            host.restart()

    def _schedule(self) -> Iterator[tuple[float, int]]:
        """Give the times of all jobs, each with its company."""
        due = [(0.0, company) for company in range(self._cron)]
        due += [(self._random.uniform(0, JOB), company) for company in range(self._cron, self.companies)]
        heapq.heapify(due)
        while due[0][0] < self.end:
            at, company = due[0]
            pause = JOB if company < self._cron else self._random.uniform(0.5, 1.5) * JOB
            heapq.heapreplace(due, (at + pause, company))
            yield at, company

    def _job(self, host: Host, company: int) -> None:
        minute = int(self.clock.elapsed // 60)
        self.jobs[minute] += 1
        held = host.held.get(company)
        cooling = self.clock.elapsed < host.cool_until.get(company, 0.0)
        decision = decide(held and held.cached, self.clock.now(), renewing=False, cooling=cooling)
        if decision.renews:
            renewed = self._renew(host, company, held, None)
            if not decision.serves and not renewed:
                self.failed[minute] += 1
                return
        token = host.held[company].acquired.token
        if not self.service.accepts(token.access_token):
            self.rejected[minute] += 1
            if not self._renew(host, company, host.held[company], token):
                self.failed[minute] += 1

    def _renew(self, host: Host, company: int, held: _Held | None, rejected: Token | None) -> bool:
        self.visits[int(self.clock.elapsed // 60)] += 1
        provider = self._providers[company]
        # One configuration of a company serves every host here: what a host has for itself are its backends.
        provider.backends = host.backends
        known = held.acquired if held is not None else None
        try:
            acquired = provider.renew(known and known.token, rejected, known and known.lineage)
        except ProcountorAuthError:
            host.cool_until[company] = self.clock.elapsed + COOLDOWN
            return False
        host.held[company] = _Held(CachedToken.of(acquired.token, self._random.random()), acquired)
        return True


def _settings(company: int, redis_url: str) -> Settings:
    return Settings(
        strategy="client_credentials",
        client_id="client",
        client_secret="client-secret",
        redirect_uri="https://integration.example/callback",
        api_key=f"key{company:06d}",
        token_store=redis_url,
        base_url="http://127.0.0.1:1",
    )
