"""The store in a database fails under a renewal: SQLite and PostgreSQL, for an API key and for a refresh token."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from .conftest import CALLS, OLD
from .outcome import KEY
from .sql_stores import GONE, POSTGRESQL, SHARED, SQL, SQLITE, Database
from .store_judge import GRANTS, StoreJudge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.forkserver.forkserver import ForkServer
    from tests.postgres import PostgresServer

    from .outcome import StoreFault
    from .witness import Pulse


@pytest.fixture
def database(tmp_path: Path, fork_server: ForkServer) -> Iterator[Database]:
    """A database of SQLite that works."""
    patch = pytest.MonkeyPatch()
    with ExitStack() as stack:
        yield Database(patch, stack, OLD, fork_server.python, file=tmp_path / "tokens.db")
        patch.undo()


@pytest.fixture
def judge(pulse: Pulse, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> StoreJudge:
    """Judges a call."""
    monkeypatch.setattr("procountor_auth.tokens.provider.entry_key", lambda *_: KEY)
    monkeypatch.setattr("procountor_auth.stores.sql_connection.ANSWER_TIMEOUT", 0.1)  # until SQLite's lock is had
    return StoreJudge(pulse, capfd)


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("fault", [*SQL, *SQLITE], ids=lambda fault: fault.id)
def test_sqlite(fault: StoreFault[Database], grant: str, how: str, database: Database, judge: StoreJudge) -> None:
    """A fault of SQLite has the outcome that its table says, and all six oracles agree."""
    judge.judge(fault, grant, how, database)


@pytest.mark.once
@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("fault", [*SHARED, *POSTGRESQL], ids=lambda fault: fault.id)
def test_postgresql(
    fault: StoreFault[Database], grant: str, database: Database, judge: StoreJudge, postgres_server: PostgresServer
) -> None:
    """A fault of PostgreSQL has the outcome that its table says, and all six oracles agree."""
    database.server, database.file = postgres_server, None
    judge.judge(fault, grant, "token", database)


@pytest.mark.once
@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("fault", GONE, ids=lambda fault: fault.id)
def test_a_server_that_goes(
    fault: StoreFault[Database],
    grant: str,
    database: Database,
    judge: StoreJudge,
    start_postgres: Callable[..., PostgresServer],
) -> None:
    """A PostgreSQL that ends, and comes back, has the outcome that its table says, and all six oracles agree."""
    database.server, database.file = start_postgres(), None
    if fault.id.startswith("server-gone"):
        database.stack.callback(database.server.start)  # to look at what it has kept
    judge.judge(fault, grant, "token", database)
