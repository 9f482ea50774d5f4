"""The file store fails under a renewal, for an API key and for a refresh token, for threads and event loops."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.stores.file import FileStore
from procountor_auth.strategies import AuthorizationCodeStrategy, ClientCredentialsStrategy
from procountor_auth.transport.transport import Transport

from .acts import ACCESS, token
from .conftest import API_KEY, CALLS, CLIENT_SECRET, GRACE, NOW, OLD, SECRETS, Run
from .server import FaultServer, Visit
from .stores import FILE, KEY, Disk, Outcome, StoreFault, let_go
from .witness import ADDRESSES, Clock, Pulse, Witness, hidden_in, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forkserver.forkserver import ForkServer


@pytest.fixture(autouse=True)
def _nothing_stays_locked() -> Iterator[None]:
    yield
    let_go()


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("grant", ["client_credentials", "refresh_token"])
@pytest.mark.parametrize("fault", FILE, ids=lambda fault: fault.id)
def test_the_store(
    fault: StoreFault,
    grant: str,
    how: str,
    tmp_path: Path,
    pulse: Pulse,
    fork_server: ForkServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A fault of the store has the outcome that its table says, and all six oracles agree."""
    monkeypatch.setattr("procountor_auth.tokens.provider.entry_key", lambda *_: KEY)
    folder = tmp_path / "tokens"
    old = OLD if grant == "refresh_token" else replace(OLD, strategy=grant, refresh_token=None)
    with FileStore(folder).transaction(KEY, timeout=5) as transaction:
        transaction.write(old)
    patch = pytest.MonkeyPatch()
    disk = Disk(folder, patch, old, fork_server.python)
    expected = fault.refresh if grant == "refresh_token" else fault.key

    def act(visit: Visit) -> None:
        if disk.later is not None:
            disk.later()
        token()(visit)

    server = FaultServer({"oauth/token": act})
    clock = Clock()
    client = OAuthClient(
        Endpoints(server.url), "client-1", SecretStr(CLIENT_SECRET), "https://app.example/callback", clock=lambda: NOW
    )
    strategy = (
        AuthorizationCodeStrategy(client)
        if grant == "refresh_token"
        else ClientCredentialsStrategy(client, api_key=SecretStr(API_KEY))
    )
    transport = Transport(timeout=expected.timeout, monotonic=clock.monotonic, sleep=clock.sleep)
    source = TokenSource(strategy, transport=transport, store=FileStore(folder), monotonic=clock.monotonic)
    fault.bring(disk)
    left = disk.entry.read_bytes() if disk.entry.exists() else b""
    capfd.readouterr()
    began = clock.monotonic()
    try:
        with Witness() as witness, ADDRESSES.listening() as addresses:
            run = Run(source.token if how == "token" else lambda: asyncio.run(source.atoken()))
            took = clock.monotonic() - began - pulse.lost_since(began)
    finally:
        patch.undo()
        server.close()
    _check(expected, run, disk, left, server)
    assert not hidden_in("".join(capfd.readouterr()) + witness.said, SECRETS)
    assert took < expected.timeout + GRACE
    assert addresses <= {("127.0.0.1", server.port)}


def _check(expected: Outcome, run: Run, disk: Disk, left: bytes, server: FaultServer) -> None:
    if expected.error is None:
        assert run.error is None
        assert run.result.access_token == ACCESS
    else:
        assert type(run.error) is expected.error
        assert isinstance(run.error, ProcountorAuthError)
        assert run.error.retryable is type(run.error).retryable
        assert run.error.hint
        assert not hidden_in(shown(run.error), SECRETS)
    assert len(server.requests) == expected.requests
    let_go()
    if expected.kept == "left":
        assert disk.entry.read_bytes() == left
        return
    entry = FileStore(disk.folder).read(KEY) if disk.folder.exists() else None
    kept: Any = entry.token if entry else None
    assert kept == {"new": run.result, "old": disk.old, "none": None}[expected.kept]
    assert not list(disk.folder.glob("*.tmp")) if disk.folder.exists() else True
