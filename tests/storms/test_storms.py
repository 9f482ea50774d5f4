"""Many callers at once: threads, coroutines, processes, hosts, cancellations, forks. The server counts."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth import Settings, Token, TokenSource
from procountor_auth.errors import ProcountorAuthError, ServiceUnavailable
from procountor_auth.sandbox import Faults, Quirks, Sandbox
from procountor_auth.transport.backend import backend
from tests.sizes import size
from tests.variables import inherited

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.forkserver.forkserver import ForkServer
    from tests.postgres import PostgresServer

    Run = Callable[..., list[str]]
    TokenRequests = Callable[[Sandbox], list[str]]

pytestmark = pytest.mark.long

HERE = Path(__file__).parent

THREADS = size(200, 1000)
COROUTINES = size(1000, 10_000)
PROCESSES = size(16, 64)
ROUNDS = size(100, 1000)
FORKS = size(40, 200)
SOURCES = 500
LATENCY = size(2, 5) / 10
"""Seconds that an answer takes: long enough for all callers to have asked."""


class Clock:
    """A wall clock that a test moves."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time in Unix seconds."""
        return self.now


def source(sandbox: Sandbox, strategy: str = "client_credentials", clock: Clock | None = None) -> TokenSource:
    """Build a source for a sandbox, with a clock of the test's own."""
    variables = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
    named = {name.removeprefix("PROCOUNTOR_").lower(): value for name, value in variables.items()}
    return TokenSource.from_settings(Settings(**named, legacy_policy="allow"), clock=clock or Clock())


@pytest.fixture
def run(fork_server: ForkServer) -> Callable[..., list[str]]:
    """Run one of the scripts beside this file in a process of its own; return the lines that it prints."""

    def script(name: str, *arguments: object, variables: dict[str, str]) -> list[str]:
        done = subprocess.run(
            [fork_server.python, str(HERE / name), *map(str, arguments)],
            env=inherited() | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return script


@pytest.fixture
def where(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """What `PROCOUNTOR_TOKEN_STORE` is for a kind of store."""

    def url(store: str) -> str:
        if store == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            return server.url
        return str(request.getfixturevalue("redis_url")) if store == "redis" else store

    return url


_PAUSED = " Nothing was sent now: what was refused is sent again in 1 second."


def ask_all(tokens: TokenSource, threads: int, calls: int) -> list[Token | str]:
    """Have threads ask at one moment, several times each; return tokens and the texts of errors."""
    together = threading.Barrier(threads, timeout=60)  # seconds, for one that could not start

    def ask(_: int) -> list[Token | str]:
        together.wait()
        got: list[Token | str] = []
        for _call in range(calls):
            try:
                got.append(tokens.token())
            except ProcountorAuthError as error:
                # Who comes after the others are served is told so, too.
                got.append(str(error).replace(_PAUSED, ""))
        return got

    with ThreadPoolExecutor(threads) as pool:
        return [each for got in pool.map(ask, range(threads)) for each in got]


def test_s1_threads(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """S1: threads (1,000 in the long run) that ask 10 times each, cold, make 1 token request."""
    got = ask_all(source(sandbox), threads=THREADS, calls=10)

    assert len(got) == THREADS * 10
    assert len(set(got)) == 1
    assert len(token_requests(sandbox)) == 1


def test_s2_coroutines(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """S2: coroutines (10,000 in the long run), cold, make 1 token request."""
    tokens = source(sandbox)

    async def crowd() -> set[Token]:
        return set(await asyncio.gather(*(tokens.atoken() for _ in range(COROUTINES))))

    assert len(asyncio.run(crowd())) == 1
    assert len(token_requests(sandbox)) == 1


def test_s4_processes_share_a_file(sandbox: Sandbox, token_requests: TokenRequests, run: Run, tmp_path: Path) -> None:
    """S4: processes (64 in the long run) with one file store make 1 token request."""
    variables = sandbox.environment("client_credentials") | {"PROCOUNTOR_TOKEN_STORE": "file"}

    got = run("herd.py", PROCESSES, 1, tmp_path, variables=variables)

    assert len(got) == PROCESSES
    assert len(set(got)) == 1
    assert len(token_requests(sandbox)) == 1


@pytest.mark.parametrize("store", ["redis", "postgresql"])
def test_s5_8_hosts_share_a_server(
    sandbox: Sandbox, token_requests: TokenRequests, run: Run, tmp_path: Path, where: Callable[[str], str], store: str
) -> None:
    """S5: 8 hosts with several processes each (8 in the long run) make 1 token request over Redis, or PostgreSQL."""
    variables = sandbox.environment("client_credentials") | {"PROCOUNTOR_TOKEN_STORE": where(store)}

    got = run("herd.py", PROCESSES, 8, tmp_path, variables=variables)

    assert len(got) == PROCESSES
    assert len(set(got)) == 1
    assert len(token_requests(sandbox)) == 1


def test_s6_threads_share_a_failure(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """S6: with 503, threads (1,000 in the long run) share one error, after at most 3 attempts."""
    sandbox.faults = Faults(status=503, latency=LATENCY)

    got = ask_all(source(sandbox), threads=THREADS, calls=1)

    assert len(got) == THREADS
    assert len(set(got)) == 1
    assert len(token_requests(sandbox)) <= 3


def test_s6_coroutines_share_a_failure(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """S6: with 503, coroutines (10,000 in the long run) share one error, after at most 3 attempts."""
    sandbox.faults = Faults(status=503, latency=LATENCY)  # long enough for all of them to have started
    tokens = source(sandbox)

    async def crowd() -> set[str]:
        got = await asyncio.gather(*(tokens.atoken() for _ in range(COROUTINES)), return_exceptions=True)
        assert all(isinstance(each, ServiceUnavailable) for each in got)
        return set(map(str, got))

    assert len(asyncio.run(crowd())) == 1
    assert len(token_requests(sandbox)) <= 3


@pytest.mark.both_error_shapes
def test_s6_threads_share_a_refusal(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """S6: with a revoked key, threads (1,000 in the long run) share one refusal, after one request."""
    sandbox.faults = Faults(revoked_keys=True, latency=LATENCY)

    got = ask_all(source(sandbox), threads=THREADS, calls=1)

    assert len(set(got)) == 1
    assert "PROCOUNTOR_API_KEY" in str(got[0])
    assert token_requests(sandbox) == ["client_credentials"]


@pytest.mark.both_error_shapes
@pytest.mark.parametrize(
    ("strategy", "grants"),
    [
        ("legacy_password", ["authorization_code", "refresh_token", "authorization_code"]),
        ("authorization_code", ["refresh_token", "refresh_token"]),
    ],
)
def test_s6_threads_share_the_end_of_a_login(
    sandbox: Sandbox, token_requests: TokenRequests, strategy: str, grants: list[str]
) -> None:
    """S6: where a login has ended at the server, threads find out with one request; a password logs in once again."""
    clock = Clock()
    tokens = source(sandbox, strategy, clock)
    first = tokens.token()
    with backend.Client(verify=False) as client:
        client.post(f"{sandbox.base_url}/logout", headers={"Authorization": f"Bearer {first.access_token}"})
    clock.now = first.expires_at
    sandbox.faults = Faults(latency=LATENCY)

    got = ask_all(tokens, threads=THREADS, calls=1)

    assert len(set(got)) == 1
    assert isinstance(got[0], Token) is (strategy == "legacy_password")
    assert token_requests(sandbox) == grants


@pytest.mark.parametrize(("hosts", "store"), [(1, "file"), (8, "redis"), (8, "postgresql")])
def test_s6_processes_share_a_failure(
    sandbox: Sandbox,
    token_requests: TokenRequests,
    run: Run,
    tmp_path: Path,
    where: Callable[[str], str],
    *,
    hosts: int,
    store: str,
) -> None:
    """S6: with 503, processes (64 in the long run) on 1 or 8 hosts share one error, after at most 3 attempts."""
    sandbox.faults = Faults(status=503, latency=LATENCY)
    variables = sandbox.environment("client_credentials") | {"PROCOUNTOR_TOKEN_STORE": where(store)}

    got = run("herd.py", PROCESSES, hosts, tmp_path, variables=variables)

    assert len(got) == PROCESSES
    assert len(set(got)) == 1
    assert got[0].startswith("ServiceUnavailable")
    assert len(token_requests(sandbox)) <= 3


def test_s7_expiries(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """S7: over many expiries with strictly rotating refresh tokens none is used twice, and no caller is blocked."""
    sandbox.quirks = Quirks(refresh_token="rotate")
    clock = Clock()
    tokens = source(sandbox, "authorization_code", clock)
    token = tokens.token()
    blocked = 0
    seen = {token.refresh_token}
    for _ in range(ROUNDS):
        clock.now = token.stale_from(0.0)
        blocked += tokens.token() is not token  # the stale token at once, while the renewal runs behind
        renewal = tokens._cache.renewal
        token = renewal.result() if renewal else tokens.token()
        seen.add(token.refresh_token)

    assert blocked == 0
    assert len(seen) == ROUNDS + 1
    assert token_requests(sandbox) == ["refresh_token"] * (ROUNDS + 1)


def test_s8_cancellations(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """S8: with the leader and half of the waiters cancelled again and again, no rotated refresh token is lost."""
    sandbox.quirks = Quirks(refresh_token="rotate")
    clock = Clock()
    tokens = source(sandbox, "authorization_code", clock)

    async def round_of_cancellations() -> Token:
        waiters = [asyncio.create_task(tokens.atoken()) for _ in range(8)]
        await asyncio.sleep(0)
        for waiter in waiters[::2]:  # the first of them is the leader
            waiter.cancel()
        got = await asyncio.gather(*waiters, return_exceptions=True)
        assert isinstance(got[0], asyncio.CancelledError)
        kept = {each for each in got[1::2] if isinstance(each, Token)}
        assert len(kept) == 1
        return kept.pop()

    async def storm() -> None:
        for _ in range(ROUNDS):
            clock.now = (await round_of_cancellations()).expires_at

    asyncio.run(storm())

    assert token_requests(sandbox) == ["refresh_token"] * ROUNDS


def test_s9_forks(sandbox: Sandbox, run: Run) -> None:
    """S9: each of many processes that were forked in the middle of a renewal gets a token within 2 seconds."""
    sandbox.faults = Faults(latency=0.01)

    assert run("forks.py", FORKS, variables=sandbox.environment("client_credentials")) == [str(FORKS)]


_DOWN: Final = ["redis://127.0.0.1:{}/0", "postgresql+psycopg://u:p@127.0.0.1:{}/tokens"]


@pytest.mark.parametrize("url", _DOWN)
def test_s10_a_server_down_for_client_credentials(
    sandbox: Sandbox, token_requests: TokenRequests, run: Run, tmp_path: Path, closed_port: int, url: str
) -> None:
    """S10: without Redis, or PostgreSQL, 8 hosts with several processes each make 1 token request per host."""
    variables = sandbox.environment("client_credentials") | {"PROCOUNTOR_TOKEN_STORE": url.format(closed_port)}

    got = run("herd.py", PROCESSES, 8, tmp_path, variables=variables)

    assert len(got) == PROCESSES
    assert len(set(got)) == 8
    assert len(token_requests(sandbox)) == 8


@pytest.mark.parametrize("url", _DOWN)
def test_s10_a_server_down_for_refresh_tokens(
    sandbox: Sandbox, token_requests: TokenRequests, run: Run, tmp_path: Path, closed_port: int, url: str
) -> None:
    """S10: without it, a refresh token that may rotate is not used; the refusal says why."""
    variables = sandbox.environment("authorization_code", refresh_token=True)
    variables["PROCOUNTOR_TOKEN_STORE"] = url.format(closed_port)

    got = run("herd.py", 4, 1, tmp_path, variables=variables)

    assert all(line.startswith("StoreUnavailable") and "refresh token" in line for line in got)
    assert token_requests(sandbox) == []


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86_400.0])
def test_s11_clock_jumps(sandbox: Sandbox, token_requests: TokenRequests, jump: float) -> None:
    """S11: a clock that jumps an hour, or wakes up a day later, costs at most one more request, and no loop."""
    clock = Clock()
    tokens = source(sandbox, clock=clock)
    tokens.token()
    clock.now += jump
    for _ in range(100):
        tokens.token()
    clock.now -= jump
    for _ in range(100):
        tokens.token()

    assert len(token_requests(sandbox)) <= 2


def test_s12_sources_do_not_renew_together(sandbox: Sandbox) -> None:
    """S12: 500 sources whose tokens end together are renewed over minutes, not in one second."""
    clock = Clock()
    token = source(sandbox, clock=clock).token()
    moments = []
    for _ in range(SOURCES):
        tokens = source(sandbox, clock=clock)  # finds the token in the store of the process
        assert tokens.token() is token
        held = tokens._cache.cached
        assert held is not None
        moments.append(held.stale_from)

    assert max(moments) - min(moments) > 100
    assert max(moments.count(moment) for moment in moments) < 10
