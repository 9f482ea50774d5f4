"""The store in a database fails under a renewal: SQLite and PostgreSQL, for an API key and for a refresh token."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.stores.outage import OUTAGES
from procountor_auth.strategies import AuthorizationCodeStrategy, ClientCredentialsStrategy
from procountor_auth.transport.transport import Transport

from .acts import ACCESS, token
from .conftest import API_KEY, CALLS, CLIENT_SECRET, GRACE, NOW, OLD, SECRETS, Run
from .server import FaultServer, Visit
from .sql_stores import GONE, POSTGRESQL, SHARED, SQL, SQLITE, Place, SQLFault
from .stores import KEY, Outcome
from .witness import ADDRESSES, Clock, Witness, hidden_in, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.forkserver.forkserver import ForkServer
    from tests.postgres import PostgresServer

    from .witness import Pulse

    Judge = Callable[[SQLFault, str, str, Place], None]

GRANTS = ("client_credentials", "refresh_token")

LONG_ACCESS = ACCESS + "x" * 9_000
"""A token that needs a page of its own in SQLite's file."""


@pytest.fixture
def place(tmp_path: Path, fork_server: ForkServer) -> Iterator[Place]:
    """A database of SQLite that works."""
    patch = pytest.MonkeyPatch()
    with ExitStack() as stack:
        yield Place(patch, stack, OLD, fork_server.python, file=tmp_path / "tokens.db")
        patch.undo()


@pytest.fixture
def judge(
    pulse: Pulse,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Judge:
    """Ask for a token while the database has a fault, and ask the six oracles."""
    monkeypatch.setattr("procountor_auth.tokens.provider.entry_key", lambda *_: KEY)
    monkeypatch.setattr("procountor_auth.stores.sql_connection.ANSWER_TIMEOUT", 0.1)  # until SQLite's lock is had

    def ask(fault: SQLFault, grant: str, how: str, place: Place) -> None:
        expected = fault.refresh if grant == "refresh_token" else fault.key
        place.old = OLD if grant == "refresh_token" else replace(OLD, strategy=grant, refresh_token=None)
        with place.store().transaction(KEY, timeout=5) as transaction:
            transaction.write(place.old)

        def act(visit: Visit) -> None:
            if place.later is not None:
                place.later()
            token(access_token=LONG_ACCESS)(visit)

        server = FaultServer({"oauth/token": act})
        place.stack.callback(server.close)
        clock = Clock()
        source = _source(grant, server, place, expected, clock)
        fault.bring(place)
        OUTAGES.forget()
        left = place.data()
        capfd.readouterr()
        began, beats_from = clock.monotonic(), time.monotonic()
        with Witness() as witness, ADDRESSES.listening() as addresses:
            run = Run(source.token if how == "token" else lambda: asyncio.run(source.atoken()))
            took = clock.monotonic() - began - pulse.lost_since(beats_from)
        place.patch.undo()
        place.stack.close()
        _check(expected, run, place, left)
        assert len(server.requests) == expected.requests
        assert not hidden_in("".join(capfd.readouterr()) + witness.said, SECRETS)
        assert took < expected.timeout + GRACE
        database = {("127.0.0.1", place.server.port)} if place.server else set()
        assert addresses <= {("127.0.0.1", server.port), *database}

    return ask


def _source(grant: str, server: FaultServer, place: Place, expected: Outcome, clock: Clock) -> TokenSource:
    client = OAuthClient(
        Endpoints(server.url), "client-1", SecretStr(CLIENT_SECRET), "https://app.example/callback", clock=lambda: NOW
    )
    strategy = (
        AuthorizationCodeStrategy(client)
        if grant == "refresh_token"
        else ClientCredentialsStrategy(client, api_key=SecretStr(API_KEY))
    )
    transport = Transport(timeout=expected.timeout, monotonic=clock.monotonic, sleep=clock.sleep)
    return TokenSource(strategy, transport=transport, store=place.store(), monotonic=clock.monotonic)


def _check(expected: Outcome, run: Run, place: Place, left: bytes | None) -> None:
    if expected.error is None:
        assert run.error is None
        assert run.result.access_token == LONG_ACCESS
    else:
        assert type(run.error) is expected.error
        assert isinstance(run.error, ProcountorAuthError)
        assert run.error.retryable is type(run.error).retryable
        assert run.error.hint
        assert not hidden_in(shown(run.error), SECRETS)
    if expected.kept == "left":
        assert place.data() == left
        return
    OUTAGES.forget()
    data = place.data()
    entry = place.store().read(KEY) if data is not None else None
    kept: Any = entry.token if entry else None
    assert kept == {"new": run.result, "old": place.old, "none": None}[expected.kept]


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("fault", [*SQL, *SQLITE], ids=lambda fault: fault.id)
def test_sqlite(fault: SQLFault, grant: str, how: str, place: Place, judge: Judge) -> None:
    """A fault of SQLite has the outcome that its table says, and all six oracles agree."""
    judge(fault, grant, how, place)


@pytest.mark.once
@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("fault", [*SHARED, *POSTGRESQL], ids=lambda fault: fault.id)
def test_postgresql(fault: SQLFault, grant: str, place: Place, judge: Judge, postgres_server: PostgresServer) -> None:
    """A fault of PostgreSQL has the outcome that its table says, and all six oracles agree."""
    place.server, place.file = postgres_server, None
    judge(fault, grant, "token", place)


@pytest.mark.once
@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("fault", GONE, ids=lambda fault: fault.id)
def test_a_server_that_goes(
    fault: SQLFault, grant: str, place: Place, judge: Judge, start_postgres: Callable[..., PostgresServer]
) -> None:
    """A PostgreSQL that ends, and comes back, has the outcome that its table says, and all six oracles agree."""
    place.server, place.file = start_postgres(), None
    if fault.id.startswith("server-gone"):
        place.stack.callback(place.server.start)  # to look at what it has kept
    judge(fault, grant, "token", place)
