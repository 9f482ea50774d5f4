"""Whatever somebody else's code does inside the library, the caller has a token or a typed error, and goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.stores.file import FileStore
from procountor_auth.tokens import telemetry
from procountor_auth.transport import background
from tests.faults.acts import ACCESS, GOOD, answer
from tests.faults.conftest import CALLS, GRACE, OLD, SECRETS, Run
from tests.faults.fault import LONG, SHORT
from tests.faults.server import FaultServer
from tests.faults.witness import ADDRESSES, Clock, Pulse, Witness, hidden_in, shown
from tests.sizes import size

from .acts import KEY
from .scene import Scene
from .table import CELLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from procountor_auth import Token
    from tests.faults.server import Visit

    from .acts import Act
    from .table import Outcome, Place

pytestmark = [pytest.mark.process, pytest.mark.server]

_GIVE: Final = answer(200, GOOD, "Sunset: Sat, 01 Jan 2028 00:00:00 GMT")

_REFUSE: Final = answer(400, {"error": "invalid_grant"})


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    """A server that gives tokens, and announces that it ends."""
    serving = FaultServer({"oauth/token": _GIVE})
    yield serving
    serving.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("procountor_auth.tokens.provider.entry_key", lambda *_: KEY)
    monkeypatch.setattr(background, "GRACE", 0.05)
    monkeypatch.setattr(background, "TELLING", 0.05)
    telemetry._counter.cache_clear()
    yield
    telemetry._counter.cache_clear()


_CASES: Final = [(*cell, how) for cell in CELLS for how in CALLS]

_STEP: Final = size(5, 1)
"""Every how manieth case runs: 5 has no common divisor with the number of grants and of calls."""


@pytest.mark.parametrize(
    ("place", "act", "grant", "how"),
    _CASES[::_STEP],
    ids=[f"{place.name}-{act.name}-{grant}-{how}" for place, act, grant, how in _CASES[::_STEP]],
)
def test_a_guest(
    place: Place,
    act: Act,
    grant: str,
    how: str,
    server: FaultServer,
    pulse: Pulse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What a guest does has the outcome of its cell, all oracles agree, and the next call works once it behaves."""
    expected = place.outcome(act, grant)
    folder = tmp_path / "tokens"
    old = OLD if grant == "refresh_token" else replace(OLD, strategy=grant, refresh_token=None)
    with FileStore(folder).transaction(KEY, timeout=5) as transaction:
        transaction.write(old)
    late = act.kind == "hangs" and not expected.accepts
    timeout = SHORT if late else LONG
    server.requests.clear()
    server.script["oauth/token"] = _but(grant) if place.name == "listener, of a fallback" else _GIVE
    clock, scene = Clock(), Scene(place.name, act)
    scene.invite(server, folder, timeout, grant, clock, monkeypatch)
    capfd.readouterr()
    began = clock.monotonic()
    try:
        with Witness() as witness, ADDRESSES.listening() as addresses:
            run = Run(scene.source.token if how == "token" else lambda: asyncio.run(scene.source.atoken()))
            took = clock.monotonic() - began - clock.waited - pulse.lost_since(began)
            sent = len(server.requests)
            stored = FileStore(folder).read(KEY)
            _behave(scene)
            monkeypatch.undo()
            again = _recover(scene, how)
    finally:
        scene.end()
    _check(expected, run, act)
    assert sent == expected.requests or (late and sent < expected.requests)
    assert scene.acted or late
    assert stored is not None
    assert stored.token == (run.result if expected.accepts and expected.kept else old) or not expected.accepts
    last = FileStore(folder).read(KEY)
    assert last is not None
    assert last.token == again
    assert len(server.requests) <= expected.requests + 3
    _is_discreet(run, "".join(capfd.readouterr()) + witness.said)
    assert took < timeout + GRACE
    assert addresses <= {("127.0.0.1", server.port)}


def _but(grant: str) -> Callable[[Visit], None]:
    """Give tokens for one grant, and refuse any other."""

    def serve(visit: Visit) -> None:
        (_GIVE if f"grant_type={grant}" in visit.asked.body else _REFUSE)(visit)

    return serve


def _behave(scene: Scene) -> None:
    """Have the guest do what it should from now on, and wait for what it has held up."""
    renewal = scene.source.bind().renewal
    scene.behaves = True
    backends = scene.source.bind().provider.backends
    backends.transport = replace(backends.transport, timeout=LONG)
    scene.released.set()
    if renewal is not None:
        renewal.wait(10)


def _recover(scene: Scene, how: str) -> Token:
    """Get a token, and then another one."""
    source = scene.source
    if how == "token":
        return source.renew(source.token())

    async def both() -> Token:
        return await source.arenew(await source.atoken())

    return asyncio.run(both())


def _check(expected: Outcome, run: Run, act: Act) -> None:
    if expected.accepts:
        assert run.error is None
        assert run.result.access_token == ACCESS
    elif expected.passes:
        assert type(run.error) is act.error
    else:
        assert type(run.error) is expected.error
        assert isinstance(run.error, ProcountorAuthError)
        assert run.error.retryable is expected.retryable
        assert run.error.message
        assert run.error.hint
        assert run.error.__cause__ is run.error.__context__ is None


def _is_discreet(run: Run, said: str) -> None:
    secrets = SECRETS
    assert not hidden_in(said, secrets)
    if run.error is not None:
        # Not the frames of the guest and its test.
        assert not hidden_in(shown(run.error), secrets)
    else:
        assert not hidden_in(repr(run.result), secrets)
