"""trio, which httpx runs on as well as on asyncio: the same tokens, and the same cancelling."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest
import trio

from procountor_auth import TokenSource
from procountor_auth.errors import ConnectionFailed
from procountor_auth.sandbox import Faults, Sandbox
from procountor_auth.transport.trio_gate import TrioGate

if TYPE_CHECKING:
    from collections.abc import Callable

    Environment = Callable[[dict[str, str]], None]

pytestmark = pytest.mark.server


@pytest.fixture
def source(sandbox: Sandbox, environment: Environment) -> TokenSource:
    """A source of the environment."""
    environment(sandbox.environment("client_credentials"))
    return TokenSource.from_env()


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_a_client_on_trio_gets_its_token(sandbox: Sandbox, environment: Environment, name: str) -> None:
    """`AsyncClient(auth=ProcountorAuth())` works there, renewals after a 401 included."""
    client = pytest.importorskip(name)
    environment(sandbox.environment("client_credentials"))

    async def ask() -> list[int]:
        auth = importlib.import_module(f"procountor_auth.{name}").ProcountorAuth()
        async with client.AsyncClient(auth=auth, base_url=auth.api_url, trust_env=False) as http:
            first = (await http.get("sessioninfo")).status_code
            await http.post(f"{sandbox.base_url}/logout")
            return [first, (await http.get("sessioninfo")).status_code]

    assert trio.run(ask) == [200, 200]


def test_all_tasks_share_one_renewal(source: TokenSource, sandbox: Sandbox, token_requests: Any) -> None:  # noqa: ANN401
    """Many tasks that ask at one moment get one token, for one request."""
    got = set()

    async def ask() -> None:
        got.add((await source.atoken()).access_token)

    async def crowd() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(ask)

    trio.run(crowd)
    assert len(got) == 1
    assert token_requests(sandbox) == ["client_credentials"]


def test_who_is_cancelled_takes_nothing_from_the_others(source: TokenSource, sandbox: Sandbox) -> None:
    """A task that gives up leaves at once; the renewal goes on, and the others get its token."""
    sandbox.faults = Faults(latency=0.5)
    outcomes: list[str] = []

    async def hasty() -> None:
        with trio.move_on_after(0.05) as scope:
            await source.atoken()
        outcomes.append("cancelled" if scope.cancelled_caught else "in time")

    async def patient() -> None:
        outcomes.append((await source.atoken()).strategy)

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hasty)
            nursery.start_soon(patient)

    trio.run(both)
    assert outcomes == ["cancelled", "client_credentials"]


def test_errors_arrive(source: TokenSource, sandbox: Sandbox) -> None:
    """What goes wrong is our error there, too."""
    sandbox.stop()
    with pytest.raises(ConnectionFailed):
        trio.run(source.atoken)


def test_other_calls_work(source: TokenSource) -> None:
    """Invalidating, logging out and finishing wait in the same way."""

    async def all_of_them() -> str:
        await source.atoken()
        await source.ainvalidate()
        await source.atoken()
        await source.alogout()
        await source.afinish_all()
        return (await source.atoken()).strategy

    assert trio.run(all_of_them) == "client_credentials"


def test_runs_and_event_loops_share_a_source(source: TokenSource) -> None:
    """A run that has ended harms no later one, nor an event loop."""
    asyncio = importlib.import_module("asyncio")
    tokens = {trio.run(source.atoken).access_token for _ in range(2)}
    source.invalidate()
    tokens.add(asyncio.run(source.atoken()).access_token)
    assert len(tokens) == 2


def test_a_result_that_comes_as_a_run_ends_does_not_break_it() -> None:
    """What another thread passes to a run is called even after its last task, and must not raise there."""
    opened: list[TrioGate] = []

    async def leave_at_once() -> None:
        gate = TrioGate()
        for _ in range(2):
            gate.from_elsewhere(lambda: gate.open_after(0.1))
        trio.lowlevel.spawn_system_task(_closing, gate)
        opened.append(gate)

    async def _closing(gate: TrioGate) -> None:
        try:
            await trio.sleep_forever()
        finally:  # the run ends: system tasks are cancelled, and no more are started
            gate.from_elsewhere(lambda: gate.open_after(0.1))

    trio.run(leave_at_once)
    assert len(opened) == 1


def test_a_guest_run_leaves_its_host_alone(source: TokenSource) -> None:
    """Beside a trio run that is the guest of an asyncio loop, tasks of both get their tokens."""
    asyncio = importlib.import_module("asyncio")
    got: list[str] = []

    async def guest() -> None:
        got.append((await source.atoken()).strategy)
        source.invalidate()
        got.append((await source.atoken()).strategy)

    async def host() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        trio.lowlevel.start_guest_run(
            guest, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=lambda _: ended.set()
        )
        while not ended.is_set():
            got.append((await source.atoken()).strategy)
            await asyncio.sleep(0)
        got.append((await source.atoken()).strategy)

    asyncio.run(host())
    assert set(got) == {"client_credentials"}
