"""Where profiles stand, and how a migration ends."""

from __future__ import annotations

import errno
import json
import os
import time
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import jwt
import pytest

from procountor_auth import TokenSource
from procountor_auth.bridge.caller import Caller
from procountor_auth.migration.check import check
from procountor_auth.migration.finish import finish
from procountor_auth.migration.plan import plan
from procountor_auth.migration.readiness import Readiness, Reason
from procountor_auth.migration.rehearsal import Rehearsal
from procountor_auth.migration.results import RehearsalResult, RehearsalResults
from procountor_auth.migration.status import ProfileStatus, status_of
from procountor_auth.protocol.token import Token
from procountor_auth.sandbox import Faults
from procountor_auth.settings import profiles as profiles_module
from procountor_auth.settings import profiles_file, secrets_directory
from procountor_auth.settings.profiles import Profiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from tests.migration.conftest import Companies

TARGET = "client_credentials"
LEGACY = "legacy_password"


def stands(
    companies: Companies,
    profile: str,
    record: RehearsalResults | None = None,
    *,
    target: str = TARGET,
    clock: Callable[[], float] = time.time,
) -> ProfileStatus:
    """Return where a profile stands now."""
    return status_of(companies.write(), profile, target, results=record, clock=clock)


def test_done_can_switch_and_blocked(companies: Companies) -> None:
    """Who has switched is done, who could can switch, who can't is blocked with the reason."""
    companies.add("done", strategy=TARGET)
    companies.add("ready")
    companies.add("blocked", api_key=None)
    found = {name: stands(companies, name) for name in companies.tables}
    assert {name: each.state for name, each in found.items()} == {
        "done": "done",
        "ready": "can_switch",
        "blocked": "blocked",
    }
    assert {name: each.deprecated for name, each in found.items()} == {"done": False, "ready": True, "blocked": True}
    assert found["blocked"].as_dict()["reasons"] == ["PROCOUNTOR_API_KEY is missing (client_credentials needs it)"]
    assert companies.sandbox.log() == []


def test_the_stored_token_is_shown_without_its_secret(companies: Companies) -> None:
    """When the last token came, how long the refresh token lasts, and what the server has announced."""
    companies.sandbox.faults = Faults(sunset="2030-03-17T00:00:00Z")
    companies.add("acme")
    companies.write()
    token = TokenSource.from_env(profile="acme").token()
    found = stands(companies, "acme")
    shown = found.as_dict()
    assert shown["last_token_at"] == token.issued_at
    assert token.refresh_expires_at is not None
    assert shown["refresh_token_days"] == (token.refresh_expires_at - found.now) // 86_400 > 180
    assert shown["sunset_at"] == 1_899_936_000
    assert token.access_token not in json.dumps(shown)
    assert str(token.refresh_token) not in json.dumps(shown)


def status(
    token: Token | None = None, *, now: float = 1000.0, rehearsed: RehearsalResult | None = None
) -> ProfileStatus:
    """Return where a profile with a token stands, of which two programs log in through the bridge."""
    readiness = Readiness(profile="acme", strategy=LEGACY, target=TARGET, notes=("a note",), found={"next": None})
    callers = (Caller("PHP/7.4", 900.0, 2), Caller("", 800.0, 1))
    return ProfileStatus(
        readiness, "can_switch", deprecated=True, token=token, rehearsed=rehearsed, now=now, callers=callers
    )


def test_the_document_says_all() -> None:
    """A program finds the readiness, what is known of the token, when it was rehearsed, and who uses the bridge."""
    token = Token("access", 10.0, 20.0, LEGACY, jwt.encode({"exp": 1000 + 5 * 86_400}, "k" * 32), 30.0, 40.0)
    found = status(token, rehearsed=RehearsalResult(50.0, Readiness(profile="acme", strategy=LEGACY, target=TARGET)))
    whole = {
        "profile": "acme",
        "ready": True,
        "reasons": [],
        "problems": [],
        "strategy": LEGACY,
        "target": TARGET,
        "notes": ["a note"],
        "next": None,
        "state": "can_switch",
        "deprecated": True,
        "last_token_at": 10.0,
        "token_expires_at": 20.0,
        "refresh_token_days": 5,
        "deprecated_at": 30.0,
        "sunset_at": 40.0,
        "rehearsed_at": 50.0,
        "bridge": [
            {"user_agent": "PHP/7.4", "last_login_at": 900.0, "logins": 2},
            {"user_agent": "", "last_login_at": 800.0, "logins": 1},
        ],
    }
    assert found.as_dict() == whole
    unknown = ("last_token_at", "token_expires_at", "refresh_token_days", "deprecated_at", "sunset_at", "rehearsed_at")
    assert status().as_dict() == whole | dict.fromkeys(unknown)


@pytest.mark.parametrize(
    ("left", "days"), [(86_400 * 2, 2), (86_400 * 2 - 1, 1), (86_400 - 1, 0), (0, 0), (-86_400 * 3, 0), (None, None)]
)
def test_days_of_a_refresh_token_are_whole_ones(left: int | None, days: int | None) -> None:
    """Days that have begun do not count, one that has ended has none left, and without an end nothing is known."""
    refresh = jwt.encode({} if left is None else {"exp": 2_000_000_000 + left}, "k" * 32)
    assert status(Token("access", 1.0, 2.0, LEGACY, refresh), now=2_000_000_000.0).refresh_days == days


def test_the_status_is_of_the_clock_s_time(companies: Companies) -> None:
    """The time of the report is the caller's, and what a key says of its end is compared with that."""
    companies.add("acme", api_key=jwt.encode({"exp": int(time.time()) + 365 * 86_400}, "k" * 32))
    profiles = companies.write()
    later = time.time() + 366 * 86_400
    assert stands(companies, "acme").state == "can_switch"
    found = status_of(profiles, "acme", TARGET, clock=lambda: later)
    assert ([reason.code for reason in found.readiness.reasons], found.now) == (["expired"], later)


def test_the_last_rehearsal_counts(companies: Companies, tmp_path: Path) -> None:
    """Of one with both strategies and one of the target alone, the later one is shown, whichever that is."""
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    companies.add("acme")
    profiles = companies.write()
    for at, target_only in ((1000.0, False), (2000.0, True), (3000.0, False)):
        now = repeat(at).__next__
        tried = Rehearsal(profiles, TARGET, results=record, fresh=True, target_only=target_only, clock=now)
        list(tried.run(["acme"]))
        found = stands(companies, "acme", record, clock=now)
        assert found.rehearsed is not None
        assert (found.rehearsed.at, found.as_dict()["rehearsed_at"]) == (at, at)
        assert found.readiness == found.rehearsed.readiness
        assert (found.readiness.found["today"] is None) == target_only
    list(Rehearsal(profiles, TARGET, results=record, target_only=True, clock=repeat(3000.0).__next__).run(["acme"]))
    assert stands(companies, "acme", record).rehearsed == found.rehearsed  # of the same second


@pytest.mark.parametrize(
    ("seconds", "revoked", "go", "state"),
    [
        (86_399, False, True, "can_switch"),
        (86_400, False, None, "can_switch"),
        (86_400, True, False, "blocked"),
    ],
)
def test_a_go_counts_for_a_day(
    companies: Companies, tmp_path: Path, seconds: int, state: str, *, go: bool | None, revoked: bool
) -> None:
    """A GO of the day before is none, though its time is still told; a NO GO holds until the next rehearsal."""
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    companies.add("acme")
    companies.sandbox.faults = Faults(revoked_keys=revoked)
    at = time.time()
    list(Rehearsal(companies.write(), TARGET, results=record, clock=repeat(at).__next__).run(["acme"]))
    found = stands(companies, "acme", record, clock=repeat(at + seconds).__next__)
    assert (found.go, found.state, found.as_dict()["rehearsed_at"]) == (go, state, at)
    assert ("next" in found.as_dict()) == (go is not None)


def test_a_go_does_not_outlive_the_login(
    companies: Companies, tmp_path: Path, log_in: Callable[[str, Sandbox], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a logout, a profile that had a GO is blocked for the reason that a check gives, and is tried again."""
    record, login = RehearsalResults(tmp_path / "record" / "results.jsonl"), "authorization_code"
    companies.add("acme", company=companies.sandbox.company)
    companies.tables["acme"] |= {"username": companies.sandbox.username, "password": companies.sandbox.password}
    profiles = companies.write()
    monkeypatch.setenv("PROCOUNTOR_STRATEGY", login)
    source = TokenSource.from_env(profile="acme")
    begun = source.begin_login()
    begun.complete(log_in(begun.url, companies.sandbox))
    monkeypatch.delenv("PROCOUNTOR_STRATEGY")
    companies.tables["acme"]["strategy"] = LEGACY
    profiles = companies.write()
    assert [each.ready for each in Rehearsal(profiles, login, results=record).run(["acme"])] == [True]
    assert stands(companies, "acme", record, target=login).go
    source.logout()
    found = stands(companies, "acme", record, target=login)
    assert (found.go, found.state, found.rehearsed is None) == (None, "blocked", False)
    assert found.readiness == check(profiles, "acme", login)
    [again] = Rehearsal(profiles, login, results=record).run(["acme"])
    assert [reason.code for reason in again.reasons] == ["interaction_required"]


def test_a_result_is_told_of_the_profile_that_was_asked_for(companies: Companies, tmp_path: Path) -> None:
    """The fingerprint says whose result it is; another name, strategy or target in the line changes nothing."""
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    companies.add("acme")
    profiles = companies.write()
    list(Rehearsal(profiles, TARGET, results=record).run(["acme"]))
    line = json.loads(record.path.read_text().splitlines()[0])
    others = {"profile": "beta", "strategy": "fixed_token", "target": "authorization_code"}
    record.path.write_text(json.dumps(line | others) + "\n")
    found = status_of(profiles, "acme", TARGET, results=RehearsalResults(record.path))
    companies.sandbox.clear_log()
    [again] = Rehearsal(profiles, TARGET, results=RehearsalResults(record.path)).run(["acme"])
    assert (found.go, again.ready, companies.sandbox.log()) == (True, True, [])
    for each in (found.readiness, again):
        assert (each.profile, each.strategy, each.target) == ("acme", LEGACY, TARGET)


@pytest.mark.parametrize("target_only", [True, False])
def test_a_go_is_for_one_company(companies: Companies, tmp_path: Path, *, target_only: bool) -> None:
    """A GO says nothing once another company is configured: the check blocks, and a rehearsal tries again."""
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    companies.add("acme")
    list(Rehearsal(companies.write(), TARGET, results=record, target_only=target_only).run(["acme"]))
    assert stands(companies, "acme", record).go
    companies.tables["acme"]["company"] = "999"
    found = stands(companies, "acme", record)
    assert (found.go, found.rehearsed, found.state) == (None, None, "blocked")
    assert found.readiness == check(companies.write(), "acme", TARGET)
    [again] = Rehearsal(companies.write(), TARGET, results=record, target_only=True).run(["acme"])
    assert [reason.code for reason in again.reasons] == ["wrong_company"]


def test_who_is_done_needs_no_rehearsal(companies: Companies, tmp_path: Path) -> None:
    """After the switch, the result of the rehearsal before it says nothing any more."""
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    companies.add("acme")
    list(Rehearsal(companies.write(), TARGET, results=record, target_only=True).run(["acme"]))
    assert stands(companies, "acme", record).rehearsed is not None
    companies.tables["acme"]["strategy"] = TARGET
    assert (stands(companies, "acme", record).state, stands(companies, "acme", record).rehearsed) == ("done", None)


def test_a_rehearsal_wins_over_appearances(companies: Companies, tmp_path: Path) -> None:
    """What the server has said counts, as long as the configuration is the same."""
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    companies.sandbox.world.revoke_api_key(companies.add("acme")["api_key"])
    assert stands(companies, "acme", record).state == "can_switch"
    list(Rehearsal(companies.write(), TARGET, results=record).run(["acme"]))
    found = stands(companies, "acme", record)
    assert found.state == "blocked"
    assert found.rehearsed is not None
    companies.tables["acme"]["api_key"] = companies.sandbox.world.create_api_key(
        companies.sandbox.client_id, companies.user_id("acme"), companies.company_id("acme")
    )
    again = stands(companies, "acme", record)
    assert (again.state, again.rehearsed) == ("can_switch", None)


def test_a_rehearsal_of_the_target_alone_counts(companies: Companies, tmp_path: Path) -> None:
    """After the end of the legacy login only the target can be rehearsed: the status shows that result, too."""
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    companies.sandbox.world.revoke_api_key(companies.add("acme")["api_key"])
    list(Rehearsal(companies.write(), TARGET, results=record, target_only=True).run(["acme"]))
    found = stands(companies, "acme", record)
    assert (found.state, found.rehearsed is None) == ("blocked", False)


def test_rights_that_were_asked_for_are_remembered(companies: Companies, tmp_path: Path) -> None:
    """A rehearsal that has asked for a resource and was refused blocks, though nobody asks for it now."""
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    companies.add("acme")
    company = companies.company_id("acme")
    old = companies.sandbox.world.add_user("old one", "pw", companies=[company])
    companies.sandbox.world.limit_user(companies.user_id("acme"), company, {"sessioninfo"})
    companies.tables["acme"] |= {"username": old.username, "password": "pw"}
    list(Rehearsal(companies.write(), TARGET, results=record, resources=["users"]).run(["acme"]))
    found = stands(companies, "acme", record)
    assert [reason.code for reason in found.readiness.reasons] == ["no_rights"]
    assert "but user" in found.readiness.reasons[0].message
    # That of the target alone, too.
    list(Rehearsal(companies.write(), TARGET, results=record, resources=["users"], target_only=True).run(["acme"]))
    found = stands(companies, "acme", record)
    assert [reason.code for reason in found.readiness.reasons] == ["no_rights"]
    assert "but user" not in found.readiness.reasons[0].message


def test_a_store_that_fails_blocks(companies: Companies, tmp_path: Path) -> None:
    """A profile whose tokens can't be read does not look healthy."""
    (tmp_path / "no-folder").write_text("")
    companies.add("acme", token_store=f"file:{tmp_path / 'no-folder'}")
    no_folder = Reason(
        code="store",
        message=f"{tmp_path / 'no-folder'} is not a folder.",
        hint="Name a folder in PROCOUNTOR_TOKEN_STORE=file:PATH.",
    )
    found = stands(companies, "acme")
    assert (found.state, found.token, found.callers) == ("blocked", None, ())
    assert found.readiness.reasons == (no_folder,)
    # Where the check has found the same already, it is said once.
    companies.tables["acme"]["strategy"] = "authorization_code"
    again = status_of(companies.write(), "acme", "authorization_code")
    assert (again.state, again.readiness.reasons) == ("blocked", (no_folder,))
    # And beside what else is wrong.
    del companies.tables["acme"]["api_key"]
    assert [reason.code for reason in stands(companies, "acme").readiness.reasons] == ["missing", "store"]


def test_finish_removes_the_old_token_and_names_the_secrets(
    companies: Companies, token_requests: Callable[[Sandbox], list[str]]
) -> None:
    """The way back finds the old token until `finish`; then it is gone, and the old variables are listed."""
    companies.add("acme")
    companies.write()
    TokenSource.from_env(profile="acme").token()
    companies.tables["acme"] |= {"strategy": TARGET, "fallback_strategy": LEGACY}
    dry = finish(companies.write(), "acme", LEGACY, dry_run=True)
    assert dry.removed
    companies.tables["acme"]["strategy"] = LEGACY
    companies.write()
    TokenSource.from_env(profile="acme").token()
    assert token_requests(companies.sandbox) == ["authorization_code"]
    companies.tables["acme"]["strategy"] = TARGET
    done = finish(companies.write(), "acme", LEGACY)
    assert (done.readiness.ready, done.removed) == (True, True)
    assert [change.variable for change in done.delete] == ["username", "password", "company", "fallback_strategy"]
    place = {"place": "[profiles.acme] of the profiles file", "shared": False}
    assert done.as_dict() == {
        **done.readiness.as_dict(),
        "removed": True,
        "delete": [{"variable": change.variable} | place for change in done.delete],
    }
    assert done.readiness == Readiness(profile="acme", strategy=TARGET, target=TARGET)
    assert not finish(companies.write(), "acme", LEGACY).removed
    companies.tables["acme"]["strategy"] = LEGACY
    companies.write()
    TokenSource.from_env(profile="acme").token()
    assert token_requests(companies.sandbox) == ["authorization_code"] * 2


@pytest.mark.parametrize("fallback", [LEGACY, None])
def test_who_lives_on_the_fallback_has_not_switched(companies: Companies, fallback: str | None) -> None:
    """While the stored token is the fallback's, a profile is not done, and `finish` leaves all that is its own."""
    companies.add("acme", strategy=TARGET, fallback_strategy=LEGACY)
    companies.sandbox.faults = Faults(revoked_keys=True)
    companies.write()
    assert TokenSource.from_env(profile="acme").token().strategy == LEGACY
    if fallback is None:  # the password is still what the program's way back needs
        del companies.tables["acme"]["fallback_strategy"]
    found = stands(companies, "acme")
    done = finish(companies.write(), "acme", LEGACY)
    reason = Reason(
        code="fallback",
        message="it still uses legacy_password, the fallback: client_credentials was refused when the stored token was "
        "requested",
        hint="Run `procountor-auth migrate rehearse --profile acme --target-only --fresh`: it shows why, or ends the "
        "fallback.",
    )
    assert (found.state, found.readiness.reasons, done.readiness.reasons) == ("blocked", (reason,), (reason,))
    assert check(companies.write(), "acme", TARGET).reasons == (reason,)
    [untried] = Rehearsal(companies.write(), None, fresh=True).run(["acme"])
    assert untried.reasons == (reason,)
    assert (done.readiness.notes, done.removed, done.delete) == ((), False, ())
    profiles = companies.write()
    [refused] = Rehearsal(profiles, None, target_only=True, fresh=True).run(["acme"])
    assert not refused.ready
    assert stands(companies, "acme").readiness.reasons == (reason,)
    companies.sandbox.faults = Faults()
    [tried] = Rehearsal(profiles, None, target_only=True, fresh=True).run(["acme"])
    assert tried.ready
    assert stands(companies, "acme").state == "done"
    assert "password" in [change.setting for change in finish(profiles, "acme", LEGACY).delete]


@pytest.mark.parametrize(
    ("old", "target", "listed"),
    [
        (LEGACY, TARGET, ["username", "password", "company"]),
        (TARGET, "authorization_code", ["api_key", "username", "password", "company"]),
        ("authorization_code", TARGET, ["refresh_token", "username", "password", "company"]),
        (TARGET, LEGACY, ["api_key"]),
    ],
)
def test_finish_lists_what_the_plan_promised(companies: Companies, old: str, target: str, listed: list[str]) -> None:
    """Whichever strategies they are, what is to be deleted at the end is what the plan has shown before the switch."""
    company = str(companies.sandbox.company)
    companies.add("acme", strategy=old, redirect_uri="urn:my-place", refresh_token="opaque", company=company)
    profiles = companies.write()
    promised = plan(profiles, check(profiles, "acme", target)).later
    companies.tables["acme"]["strategy"] = target
    found = finish(companies.write(), "acme", old)
    assert [change.setting for change in found.delete] == listed
    assert found.delete == promised


def test_finish_keeps_the_new_token(companies: Companies, token_requests: Callable[[Sandbox], list[str]]) -> None:
    """The next strategy's token is not touched."""
    companies.add("acme", strategy=TARGET)
    companies.write()
    token = TokenSource.from_env(profile="acme").token()
    assert finish(companies.write(), "acme", LEGACY).readiness.ready
    assert TokenSource.from_env(profile="acme").token().access_token == token.access_token
    assert token_requests(companies.sandbox) == [TARGET]


def test_finish_leaves_alone_who_has_not_switched(
    companies: Companies, token_requests: Callable[[Sandbox], list[str]]
) -> None:
    """Who is still on the old strategy keeps its token."""
    companies.add("acme")
    companies.write()
    TokenSource.from_env(profile="acme").token()
    left = finish(companies.write(), "acme", LEGACY)
    assert [reason.code for reason in left.readiness.reasons] == ["not_switched"]
    assert (left.removed, left.delete) == (False, ())
    TokenSource.from_env(profile="acme").token()
    assert token_requests(companies.sandbox) == ["authorization_code"]


@pytest.mark.parametrize("gone", ["username", "password"])
def test_finish_without_the_old_variables_says_so(companies: Companies, gone: str) -> None:
    """Without the old variables the old token can't be found: that is said, and is no failure."""
    companies.add("acme", strategy=TARGET, **{gone: None})
    done = finish(companies.write(), "acme", LEGACY)
    assert (done.readiness.ready, done.removed, done.has_old_programs) == (True, False, False)
    assert done.readiness.notes == (
        "the variables of legacy_password are already removed: a token that it may have stored will expire",
    )


def test_finish_names_the_profile_that_it_leaves_alone(companies: Companies) -> None:
    """A profile that has not switched is in the result by its name, as one of many."""
    companies.add("acme", strategy=LEGACY)
    done = finish(companies.write(), "acme", LEGACY)
    assert (done.readiness.profile, done.readiness.ready, done.removed) == ("acme", False, False)


@pytest.mark.parametrize("place", ["dotenv", "secrets", "secret", "profiles"])
def test_finish_says_where_old_variables_may_be_unseen(
    sandbox: Sandbox,
    environment: Callable[[dict[str, str]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """Where a default place can't be read, nobody knows whether the old variables are removed: `finish` says so."""
    secrets, home = tmp_path / "secrets", tmp_path / "home"
    secrets.mkdir()
    monkeypatch.setattr(secrets_directory, "DEFAULT_SECRETS_DIR", str(secrets))
    monkeypatch.setattr(profiles_module, "existing_default_file", profiles_file.existing_default_file)
    for variable in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(variable, str(home))
    environment(sandbox.environment(TARGET))
    assert finish(Profiles.search(), None, LEGACY).readiness.ready
    closed = {
        "dotenv": Path(".env"),
        "secrets": secrets,
        "secret": secrets / "PROCOUNTOR_PASSWORD",
        "profiles": home,
    }[place]
    if place == "secrets":
        secrets.rmdir()
    closed.symlink_to(closed.name)  # a loop, which root can't read either
    if place == "secret":
        closed.unlink()
        closed.write_text("s3cret")
        monkeypatch.setattr(secrets_directory, "read_bytes", _refuse)
    profiles = Profiles.search()
    done = finish(profiles, None, LEGACY)
    [reason] = done.readiness.reasons
    assert (reason.code, done.readiness.notes, done.removed, done.delete) == ("unreadable", (), False, ())
    assert "the variables of legacy_password may be in a place that was ignored: " in reason.message
    assert "(can't be read: " in reason.message
    assert reason.hint.startswith("Run this as the user that the program runs as.")
    assert set(profiles.skipped) <= {part for each in profiles.looked for part in each.split("; ")}


def _refuse(*_: object) -> bytes:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ({"password": "file:/nonexistent"}, ["unreadable"]),
        ({"username": "keyring:"}, ["invalid"]),
        ({"username": None, "pasword": "a", "password": None}, ["missing", "missing", "unknown"]),
    ],
)
def test_finish_removes_nothing_that_it_can_not_find(
    companies: Companies, values: dict[str, str | None], codes: list[str]
) -> None:
    """Old variables that are wrong, and not only removed, may hide a token: the profile is not ready, and says why."""
    companies.add("acme")
    companies.write()
    old = TokenSource.from_env(profile="acme").token()
    right = dict(companies.tables["acme"])
    companies.tables["acme"] |= {"strategy": TARGET} | {name: value for name, value in values.items() if value}
    for name in (name for name, value in values.items() if value is None):
        del companies.tables["acme"][name]
    found = finish(companies.write(), "acme", LEGACY)
    assert [reason.code for reason in found.readiness.reasons] == codes
    assert (found.readiness.profile, found.readiness.strategy) == ("acme", TARGET)
    assert (found.readiness.notes, found.removed, found.delete) == ((), False, ())
    companies.tables["acme"] = right
    companies.write()
    assert TokenSource.from_env(profile="acme").token().access_token == old.access_token


@pytest.mark.parametrize(
    ("values", "code"), [({"strategy": TARGET, "api_key": None}, "missing"), ({"strategy": TARGET}, "store")]
)
def test_finish_says_why_it_can_not(
    companies: Companies, tmp_path: Path, values: dict[str, str | None], code: str
) -> None:
    """A profile that can't be used or whose store can't be read is left as it is, and is named with its reason."""
    (tmp_path / "no-folder").write_text("")
    companies.add("acme", token_store=f"file:{tmp_path / 'no-folder'}", **values)
    found = finish(companies.write(), "acme", LEGACY)
    assert [reason.code for reason in found.readiness.reasons] == [code]
    assert (found.readiness.profile, found.readiness.strategy, found.readiness.target) == ("acme", TARGET, TARGET)
    assert (found.readiness.notes, found.removed, found.delete, found.has_old_programs) == ((), False, (), False)
