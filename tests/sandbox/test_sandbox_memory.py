"""That the sandbox forgets what is over, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Quirks
from procountor_auth.sandbox.state.request_log import RequestLog
from procountor_auth.sandbox.state.ttl_table import TTLTable

if TYPE_CHECKING:
    from tests.sandbox.conftest import Caller, Clock

pytestmark = pytest.mark.once


def test_the_table_follows_what_lives(clock: Clock) -> None:
    """However many entries come and expire, the table has about as many as are alive."""
    table: TTLTable[int, int] = TTLTable(clock, max_entries=1_000_000)
    largest = 0
    for number in range(100_000):
        table.put(number, number, clock() + 1000)
        clock.advance(1)
        largest = max(largest, len(table))
    assert largest <= 2 * 1024  # 1,000 are alive
    assert [table.get(number) for number in (99_000, 99_001, 99_999)] == [None, 99_001, 99_999]


def test_the_table_has_a_limit(clock: Clock) -> None:
    """Beyond the limit the oldest entry falls out, though its time is not over; a new value makes it the newest."""
    table: TTLTable[str, int] = TTLTable(clock, max_entries=2)
    for key in ("a", "b", "a", "c"):
        table.put(key, 1, clock() + 1000)
    assert [table.pop(key) for key in ("a", "b", "c")] == [1, None, 1]
    assert len(table) == 0


def test_codes_are_forgotten(caller: Caller, clock: Clock) -> None:
    """Codes that nobody exchanged, and those that somebody did, do not pile up."""
    sandbox = caller.sandbox
    client, user = sandbox.world.directory.client(sandbox.client_id), sandbox.world.directory.user(sandbox.user_id)
    assert client is not None
    assert user is not None
    for _ in range(5000):
        sandbox.world.credentials.issue_code("token", client, user, int(sandbox.company))
        clock.advance(1)
    assert len(sandbox.world.credentials._codes) <= 1024


def test_renewals_leave_no_trace(caller: Caller) -> None:
    """A session that is renewed for ever takes no more room than one that is renewed once."""
    caller.sandbox.quirks = Quirks(error_shape="oauth", refresh_token="rotate")
    tokens = caller.exchange(caller.legacy_code()).json()
    for _ in range(20):
        tokens = caller.refresh(tokens["refresh_token"]).json()
        caller.machine()
    assert len(caller.sandbox.world.sessions._current) == 1


def test_a_logout_reaches_every_token_of_the_session(caller: Caller, clock: Clock) -> None:
    """With rotation and time between them, one logout ends all tokens of its session and of no other."""
    caller.sandbox.quirks = Quirks(error_shape="oauth", refresh_token="rotate")
    other = caller.exchange(caller.legacy_code()).json()
    first = caller.exchange(caller.legacy_code()).json()
    second = caller.refresh(first["refresh_token"]).json()
    clock.advance(10)
    third = caller.refresh(second["refresh_token"]).json()
    caller.http.post("/logout", headers={"Authorization": f"Bearer {second['access_token']}"})
    assert [caller.session(each["access_token"]).status_code for each in (first, second, third)] == [401] * 3
    assert caller.session(other["access_token"]).status_code == 200
    clock.advance(15_000_000)
    assert caller.refresh(third["refresh_token"]).json()["error"] == "invalid_grant"
    assert caller.refresh(other["refresh_token"]).status_code == 200


def test_the_log_keeps_the_last_ones() -> None:
    """The log is bounded, its numbers go on without a gap, and `after` gives what came since."""
    log = RequestLog()
    for _ in range(20_005):
        log.add(method="GET", path="/api/users", status=401, grant_type=None, at=0.0, query_names=[])
    assert [entry["number"] for entry in log.entries()] == list(range(6, 20_006))
    assert [entry["number"] for entry in log.entries(after=20_003)] == [20_004, 20_005]
    assert log.entries(after=20_005) == log.entries(after=10**9) == []
    log.clear()
    log.add(method="GET", path="/", status=200, grant_type=None, at=0.0, query_names=[])
    assert [entry["number"] for entry in log.entries(after=3)] == [20_006]
