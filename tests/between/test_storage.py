"""A store's servers change under the tokens: nothing is lost that can be kept, and nothing is asked for in a loop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from procountor_auth import Settings, TokenSource
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.protocol.token import Token
from procountor_auth.sandbox import Sandbox
from procountor_auth.sandbox.behaviour.quirks import Quirks
from procountor_auth.stores import redis_connection, sql_connection, sql_lock
from procountor_auth.strategies.registry import build
from procountor_auth.transport.transport import Transport
from tests.conftest import RedisServer
from tests.faults.conftest import Run
from tests.faults.witness import Clock, Witness, hidden_in, shown
from tests.postgres import PostgresServer
from tests.variables import arguments

from .after_response import AfterResponse
from .nat import Nat
from .storage import CHANGES, Failover, PostgresFailover, RedisFailover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres import Cluster

    from .case import Change, Told

pytestmark = [pytest.mark.process, pytest.mark.server]

TIMEOUT = 20.0

CASES = [(change, store) for change in CHANGES for store in change.stores]


class Waiting(Clock):
    """The monotonic clock, which tells when somebody waits."""

    def __init__(self, failover: Failover) -> None:
        super().__init__()
        self._failover = failover

    def sleep(self, seconds: float) -> None:
        """Wait."""
        super().sleep(seconds)
        self._failover.slept()


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    """A service that replaces each refresh token that is used."""
    with Sandbox() as running:
        running.quirks = Quirks(refresh_token="rotate")
        yield running


@pytest.fixture(scope="module")
def two_redis(redis_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
    """Two Redis servers."""
    assert redis_program
    servers = [RedisServer(tmp_path_factory.mktemp("redis"), "--replica-serve-stale-data", "yes") for _ in range(2)]
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def two_postgres(postgres_cluster: Cluster) -> Iterator[list[PostgresServer]]:
    """Two PostgreSQL servers."""
    servers = [PostgresServer(postgres_cluster) for _ in range(2)]
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def fail_over(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Failover]]:
    """Put two empty servers of a kind behind an address."""
    for module in (sql_connection, sql_lock):
        monkeypatch.setattr(module, "ANSWER_TIMEOUT", 0.3)
    monkeypatch.setattr(sql_connection, "CLOSE_TIMEOUT", 0.1)
    monkeypatch.setattr(redis_connection, "READ_TIMEOUT", 0.3)
    roads = []

    def start(store: str) -> Failover:
        old, new = request.getfixturevalue("two_redis" if store == "redis" else "two_postgres")
        roads.append(Nat(old.port))
        failover = (RedisFailover if store == "redis" else PostgresFailover)(roads[0], old, new)
        failover.empty()
        return failover

    yield start
    for road in roads:
        road.close()


class Program:
    """A program with tokens in the store, and what it asks the service for."""

    def __init__(self, service: Sandbox, failover: Failover, variables: dict[str, str]) -> None:
        self._service = service
        self._failover = failover
        self._variables = variables
        self.http = AfterResponse(failover.answered)
        self.clock = Waiting(failover)

    def start(self) -> TokenSource:
        """Start the program, or another one."""
        strategy = build(Settings(**arguments(self._variables)))
        transport = Transport(timeout=TIMEOUT, http=self.http, monotonic=self.clock.monotonic, sleep=self.clock.sleep)
        store = self._failover.open_store()
        return TokenSource(strategy, transport=transport, store=store, monotonic=self.clock.monotonic)

    def requests(self) -> int:
        """Return how many token requests there were."""
        return sum(str(entry["path"]).rstrip("/").endswith("oauth/token") for entry in self._service.log())


@pytest.mark.parametrize("who", ["key", "same", "other"])
@pytest.mark.parametrize(("change", "store"), CASES, ids=[f"{store}: {change.name}" for change, store in CASES])
def test_a_change(
    change: Change,
    store: str,
    who: str,
    service: Sandbox,
    fail_over: Callable[[str], Failover],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What happens to the servers has the outcome that its table says, and a refusal is no loop."""
    failover = fail_over(store)
    strategy = "client_credentials" if who == "key" else "authorization_code"
    variables = service.environment(strategy, **({} if who == "key" else {"refresh_token": True}))
    program = Program(service, failover, variables)
    source = program.start()
    last = source.token()
    if change.replicates:
        failover.replicate()
        last = source.renew(last)
    before = program.requests()
    change.happens(failover)
    told: Told = getattr(change, who)
    began = time.monotonic()
    with Witness() as witness:
        if who == "other":
            source = program.start()
            run = Run(source.token)  # what is stored, if anything is
            last = run.result or last
        if who != "other" or run.error is None:
            run = Run(lambda: source.renew(last))
    assert time.monotonic() - began < TIMEOUT / 2
    secrets = [variables["PROCOUNTOR_CLIENT_SECRET"], last.access_token, last.refresh_token or last.access_token]
    _check(told, run, program, before, secrets)
    assert not hidden_in("".join(capfd.readouterr()) + witness.said, secrets)
    kept = change.key_kept if who == "key" else change.kept
    if told.accepts and kept is not None:
        assert _stored(failover, source) == (run.result if kept else last)
    if change.recovers:
        failover.set_read_only(on=False)
        again = source.renew(run.result or last)
        assert _stored(failover, source) == again
    elif not told.accepts:
        for _ in range(3):
            with pytest.raises(ProcountorAuthError) as caught:
                source.token()
            assert type(caught.value).__name__ == told.error
    # A call that is refused sends one request at most, and so do those after it.
    calls = 1 if told.accepts or told.retryable else 4
    assert program.requests() - before <= calls * told.requests + change.recovers
    program.http.close()


def _check(told: Told, run: Run, program: Program, before: int, secrets: list[str]) -> None:
    if told.accepts:
        assert run.error is None
        assert run.result.access_token not in secrets
    else:
        assert isinstance(run.error, ProcountorAuthError)
        assert (type(run.error).__name__, run.error.retryable) == (told.error, told.retryable)
        assert run.error.hint
        assert not hidden_in(shown(run.error), secrets)
    assert program.requests() - before <= told.requests


def _stored(failover: Failover, source: TokenSource) -> Token | None:
    entry = failover.open_store().read(source._cache.provider.key)
    return entry.token if entry else None


@pytest.mark.parametrize("store", ["redis", "postgresql"])
def test_a_lock_whose_connection_is_forgotten_is_released_in_time(
    store: str, fail_over: Callable[[str], Failover]
) -> None:
    """A transaction ends although nothing answers on its connections any more, and the next one is possible."""
    failover = fail_over(store)
    opened = failover.open_store()
    token = Token("access", 1.0, 4e9, "client_credentials")
    began = time.monotonic()
    with opened.transaction("entry", timeout=5) as transaction:
        transaction.write(token)
        failover.nat.forget()
    assert time.monotonic() - began < 4
    entry = opened.read("entry")
    assert entry is not None
    assert entry.token == token
