"""Logging in at the bridge: what is accepted, what is refused, and what is told of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from argon2 import PasswordHasher

from procountor_auth.bridge import guard
from procountor_auth.bridge.attempts import Attempts
from procountor_auth.sandbox import Faults, Quirks
from tests.bridge.running import OldProgram, RunningBridge, login_of, served

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox

pytestmark = pytest.mark.once

LOGGER = "procountor_auth.bridge"


@pytest.fixture(autouse=True)
def legacy_removed(sandbox: Sandbox) -> None:
    """Have the service without the legacy login, as it is today."""
    sandbox.quirks = Quirks(legacy_removed="404")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what was logged of each request."""
    return [record.procountor_request for record in caplog.records if hasattr(record, "procountor_request")]


def test_a_hash_takes_the_place_of_the_password(sandbox: Sandbox) -> None:
    """Where only the hash is configured, the program logs in with its password, and the hash opens nothing."""
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(sandbox.password)
    login = login_of(sandbox, bridge_password=hashed)
    with RunningBridge([login]) as bridge, OldProgram(bridge.url, login, password=sandbox.password) as program:
        program.log_in()
        assert program.company() == int(sandbox.company)
        assert program.authz(password=hashed).status_code == 400


def test_the_bridge_s_own_login_has_no_power_at_the_service(sandbox: Sandbox) -> None:
    """A program may have a user and a client that the service has never heard of."""
    changes = {
        "bridge_username": "old-program",
        "bridge_password": "only-at-the-bridge-1",
        "bridge_client_id": "old-client",
        "bridge_client_secret": "old-client-secret-1",
    }
    with served(sandbox, **changes) as program:
        program.log_in()
        assert program.company() == int(sandbox.company)
        assert program.authz(username=sandbox.username, password=sandbox.password).status_code == 400
    assert {entry["client_id"] for entry in sandbox.log()} == {sandbox.client_id}


def test_what_is_wrong_is_not_told_apart(sandbox: Sandbox) -> None:
    """An unknown user, client or company and a wrong password get the same answer."""
    with served(sandbox) as program:
        wrong: list[dict[str, str]] = [{"username": "nobody"}, {"company": "1"}, {"password": "wrong"}]
        answers = [program.authz(**changes) for changes in wrong]
    assert {(answer.status_code, answer.text) for answer in answers} == {(answers[0].status_code, answers[0].text)}
    assert answers[0].status_code == 400


def test_the_log_says_what_was_wrong(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The operator reads what the program is not told, with the profile, and without what was sent."""
    caplog.set_level(logging.INFO, LOGGER)
    with served(sandbox) as program:
        program.authz(password="wrong")
        program.authz(company="1")
    assert [(line["status"], line["reason"]) for line in lines(caplog)] == [
        (400, "the password is wrong"),
        (400, "no profile has this client, user name and company"),
    ]


def test_failures_make_the_next_login_wait(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The delay that `test_attempts.py` holds is that of logins, also for users that nobody has."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(guard, "Attempts", lambda: Attempts(sleep=sleep))
    with served(sandbox) as program:
        for _ in range(5):
            program.authz(password="wrong")
        assert waited == [0.5, 1]
        program.log_in()
        assert waited == [0.5, 1, 2]
        for _ in range(5):
            program.authz(username="nobody")
        assert waited == [0.5, 1, 2, 0.5, 1]


def test_too_many_logins_are_told_to_wait(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the answer is 429 with Retry-After, and no password is looked at."""
    monkeypatch.setattr(guard, "MAX_PER_MINUTE", 2)
    with served(sandbox) as program:
        assert [program.authz().status_code for _ in range(2)] == [302, 302]
        answer = program.authz()
    assert answer.status_code == 429
    assert answer.json()["error"] == "temporarily_unavailable"
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_a_program_that_refreshes_without_end_holds_up_itself_alone(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit its refreshes are told to wait; a login is not, and neither is another company."""
    monkeypatch.setattr(guard, "MAX_PER_MINUTE", 3)
    values = sandbox.add_profile("other")
    first = login_of(sandbox)
    second = login_of(sandbox, **{name: str(values[name]) for name in ("username", "password", "company", "api_key")})
    with (
        RunningBridge([first, second]) as bridge,
        OldProgram(bridge.url, first) as program,
        OldProgram(bridge.url, second) as other,
    ):
        program.log_in()
        other.log_in()
        assert [program.refresh().status_code for _ in range(4)] == [200, 200, 200, 429]
        assert other.refresh().status_code == 200
        program.log_in()


def test_a_wrong_client_secret_holds_up_nobody_else(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever guesses it waits longer and longer; who has it does not."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(guard, "Attempts", lambda: Attempts(sleep=sleep))
    with served(sandbox) as program:
        answers = [program.token("refresh_token", client_secret="wrong", refresh_token="x") for _ in range(5)]
        assert {answer.status_code for answer in answers} == {401}
        assert waited == [0.5, 1]
        program.log_in()
        assert program.refresh().status_code == 200
        assert waited == [0.5, 1]


def test_a_revoked_key_is_a_refused_login(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """Where the service refuses the profile's key, the program reads what it knows, and the log says which key."""
    caplog.set_level(logging.INFO, LOGGER)
    sandbox.faults = Faults(revoked_keys=True)
    with served(sandbox) as program:
        answer = program.authz()
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert "PROCOUNTOR_API_KEY" in lines(caplog)[-1]["reason"]


def test_an_event_says_who_still_logs_in(sandbox: Sandbox) -> None:
    """A login, a refresh and a refusal are events with the program's name, which can't write lines of its own."""
    told: list[dict[str, Any]] = []
    login = login_of(sandbox)
    with (
        RunningBridge([login], on_event=lambda event: told.append(event.as_dict())) as bridge,
        OldProgram(bridge.url, login) as program,
    ):
        program.http.headers["User-Agent"] = "Old\x1b[31m program"
        program.log_in()
        program.refresh()
        program.authz(password="wrong")
    found = [each for each in told if each["event"].startswith("bridge_")]
    assert [(each["event"], each.get("grant_type"), each.get("error")) for each in found] == [
        ("bridge_login", "authorization_code", None),
        ("bridge_login", "refresh_token", None),
        ("bridge_login_refused", None, "invalid_grant"),
    ]
    assert all("\x1b" not in each["user_agent"] and "program" in each["user_agent"] for each in found)


def test_a_secret_in_the_url_is_told(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The oldest programs write the password into the query: it works, the log says so, and does not show it."""
    caplog.set_level(logging.INFO, LOGGER)
    with served(sandbox) as program:
        form = {
            "response_type": "code",
            "client_id": sandbox.client_id,
            "username": sandbox.username,
            "password": sandbox.password,
            "company": sandbox.company,
            "redirect_uri": sandbox.redirect_uri,
        }
        answer = program.http.post("/api/oauth/authz", params=form)
    assert answer.status_code == 302
    assert lines(caplog)[-1]["secret_in_url"] is True
    assert sandbox.password not in caplog.text
