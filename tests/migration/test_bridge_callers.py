"""Who still logs in through the bridge: what the status shows of it, and what `finish` leaves because of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from procountor_auth import TokenSource
from procountor_auth.bridge.credentials import Credentials
from procountor_auth.bridge.login import BridgeLogin
from procountor_auth.bridge.records import Records
from procountor_auth.migration.finish import finish
from procountor_auth.migration.readiness import Readiness
from procountor_auth.migration.status import status_of
from procountor_auth.settings.settings import Settings
from procountor_auth.stores.file import FileStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.migration.conftest import Companies

    LogIn = Callable[..., None]

TARGET = "client_credentials"
LEGACY = "legacy_password"
DAY = 86_400.0
PHP = "PHP/7.4"


@pytest.fixture
def log_in(companies: Companies, tmp_path: Path) -> LogIn:
    """Have a program log in through a bridge with a profile's login, some seconds ago."""

    def now(profile: str, user_agent: str = PHP, *, ago: float = 0.0) -> None:
        login = BridgeLogin.of(Settings.of_profile(companies.write(), profile), has_file=True)
        assert login is not None
        records = Records(FileStore(tmp_path / "tokens"), clock=lambda: time.time() - ago)
        Credentials(records).issue(login.key, user_agent)

    return now


def test_the_status_shows_who_logs_in(companies: Companies, log_in: LogIn) -> None:
    """Each program of a profile, the last one first: what it calls itself, when it came last, and how often it has."""
    companies.add("acme", strategy=TARGET)
    companies.add("beta", strategy=TARGET)
    log_in("acme", ago=2 * DAY)
    log_in("acme", ago=DAY)
    log_in("acme", "Go-http-client/1.1", ago=0.5 * DAY)
    profiles = companies.write()
    found = status_of(profiles, "acme", TARGET)
    assert [(each.user_agent, each.logins) for each in found.callers] == [("Go-http-client/1.1", 1), (PHP, 2)]
    assert [round((found.now - each.last_login_at) / DAY, 2) for each in found.callers] == [0.5, 1.0]
    assert found.as_dict()["bridge"] == [each._asdict() for each in found.callers]
    assert status_of(profiles, "beta", TARGET).callers == ()


def test_done_with_a_program_that_needs_the_bridge(companies: Companies, log_in: LogIn) -> None:
    """The strategy is done, and a note says that the legacy login is not, until the program has been gone a month."""
    companies.add("acme", strategy=TARGET)
    log_in("acme", ago=30 * DAY)
    found = status_of(companies.write(), "acme", TARGET)
    assert (found.state, found.has_old_programs) == ("done", True)
    assert found.readiness.notes == ("programs still log in through the bridge, with the legacy login",)
    later = status_of(companies.write(), "acme", TARGET, clock=lambda: time.time() + 2 * DAY)
    assert (later.state, later.has_old_programs, later.readiness.notes) == ("done", False, ())
    assert [each.user_agent for each in later.callers] == [PHP]
    much_later = status_of(companies.write(), "acme", TARGET, clock=lambda: time.time() + 3650 * DAY)
    assert much_later.callers == ()


def test_a_login_of_another_profile_is_none_of_its_own(companies: Companies, log_in: LogIn) -> None:
    """With a user name or a client of its own at the bridge, the record is another one."""
    companies.add("acme", strategy=TARGET, bridge_username="an old program", bridge_client_id="old-client")
    log_in("acme")
    assert [each.user_agent for each in status_of(companies.write(), "acme", TARGET).callers] == [PHP]
    del companies.tables["acme"]["bridge_username"]
    assert status_of(companies.write(), "acme", TARGET).callers == ()


def test_finish_leaves_what_the_bridge_needs(companies: Companies, log_in: LogIn) -> None:
    """User name, password and company are not to be deleted while a program logs in with them, and a note says why."""
    companies.add("acme", strategy=TARGET, fallback_strategy=LEGACY)
    log_in("acme", ago=30 * DAY)
    done = finish(companies.write(), "acme", LEGACY)
    assert [change.variable for change in done.delete] == ["fallback_strategy"]
    (note,) = done.readiness.notes
    needed = "PROCOUNTOR_USERNAME, PROCOUNTOR_PASSWORD, PROCOUNTOR_COMPANY"
    assert note == (
        f"a program still logs in through the bridge, which needs {needed}; `procountor-auth migrate status` shows "
        "when it was last seen"
    )
    assert done.has_old_programs
    later = finish(companies.write(), "acme", LEGACY, clock=lambda: time.time() + 2 * DAY)
    assert (later.readiness.notes, later.has_old_programs) == ((), False)
    assert {change.variable for change in later.delete} >= {"username", "password", "company"}


def test_finish_names_what_has_a_bridge_variable(companies: Companies, log_in: LogIn) -> None:
    """Where the bridge has a user name and a password of its own, the old ones can go, and the company stays."""
    companies.add("acme", strategy=TARGET, bridge_username="an old program", bridge_password="of its own")
    log_in("acme")
    done = finish(companies.write(), "acme", LEGACY)
    assert [change.variable for change in done.delete] == ["username", "password"]
    assert "which needs PROCOUNTOR_COMPANY; " in done.readiness.notes[0]


def test_a_record_that_cannot_be_read_blocks_the_end(companies: Companies, log_in: LogIn, tmp_path: Path) -> None:
    """Where nobody can tell who logs in, `finish` names nothing to delete, and the status says why."""
    companies.add("acme", strategy=TARGET)
    log_in("acme")
    (record,) = (tmp_path / "tokens").glob("bridge-*.json")
    record.write_text(record.read_text().replace('"schema":1', '"schema":99').replace('"schema": 1', '"schema": 99'))
    found = status_of(companies.write(), "acme", TARGET)
    assert (found.state, [reason.code for reason in found.readiness.reasons]) == ("blocked", ["unreadable_entry"])
    companies.tables["acme"]["strategy"] = LEGACY
    companies.write()
    TokenSource.from_env(profile="acme").token()
    companies.tables["acme"]["strategy"] = TARGET
    for removed in (True, False):
        done = finish(companies.write(), "acme", LEGACY)
        assert (done.removed, done.delete, done.has_old_programs) == (removed, (), False)
        assert done.readiness == Readiness(
            profile="acme", strategy=TARGET, target=TARGET, reasons=found.readiness.reasons
        )
