"""Where profiles stand, and how a migration ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from procountor_auth import TokenSource
from procountor_auth.migration.finish import finish
from procountor_auth.migration.rehearsal import Rehearsal
from procountor_auth.migration.results import RehearsalResults
from procountor_auth.migration.status import ProfileStatus, status_of
from procountor_auth.sandbox import Faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.migration.conftest import Companies

TARGET = "client_credentials"
LEGACY = "legacy_password"


def stands(companies: Companies, profile: str, record: RehearsalResults | None = None) -> ProfileStatus:
    """Return where a profile stands now."""
    return status_of(companies.write(), profile, TARGET, results=record)


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


def test_a_store_that_fails_blocks(companies: Companies, tmp_path: Path) -> None:
    """A profile whose tokens can't be read does not look healthy."""
    (tmp_path / "no-folder").write_text("")
    companies.add("acme", token_store=f"file:{tmp_path / 'no-folder'}")
    found = stands(companies, "acme")
    assert found.state == "blocked"
    assert [reason.code for reason in found.readiness.reasons] == ["store"]


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
    assert not finish(companies.write(), "acme", LEGACY).removed
    companies.tables["acme"]["strategy"] = LEGACY
    companies.write()
    TokenSource.from_env(profile="acme").token()
    assert token_requests(companies.sandbox) == ["authorization_code"] * 2


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
    assert done.readiness.ready
    assert "are already removed" in done.readiness.notes[0]
