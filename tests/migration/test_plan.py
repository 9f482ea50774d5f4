"""The difference of the environment that switches a profile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from procountor_auth.migration.check import check
from procountor_auth.migration.plan import Plan, plan
from procountor_auth.settings.profiles import Profiles

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from procountor_auth.sandbox import Sandbox
    from tests.migration.conftest import Companies

TARGET = "client_credentials"


def planned(profiles: Profiles, profile: str | None, target: str = TARGET) -> Plan:
    """Return the plan for a profile."""
    return plan(profiles, check(profiles, profile, target))


def lines(made: Plan) -> list[str]:
    """Return the lines that make the switch."""
    return [str(change) for change in made.now]


def test_of_one_configuration_one_line_changes(sandbox: Sandbox, environment: Callable[[dict[str, str]], None]) -> None:
    """With the key staged, the plan is the strategy's old line and its new one; what stays is masked."""
    environment(sandbox.environment("client_credentials") | sandbox.environment("legacy_password"))
    made = planned(Profiles.search(), None)
    assert lines(made) == [
        "-PROCOUNTOR_STRATEGY=legacy_password",
        "+PROCOUNTOR_STRATEGY=client_credentials",
        " PROCOUNTOR_API_KEY=********",
    ]
    assert {change.place for change in made.now} == {"the environment"}
    assert [str(change) for change in made.later] == [
        "-PROCOUNTOR_USERNAME=********",
        "-PROCOUNTOR_PASSWORD=********",
        "-PROCOUNTOR_COMPANY=********",
    ]
    assert made.switch == ("PROCOUNTOR_STRATEGY", TARGET)


def test_the_document_has_a_list_for_each_kind_of_change(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """What is taken away at once is in `remove`, and each list is there, however empty."""
    environment(sandbox.environment("client_credentials") | sandbox.environment("legacy_password"))
    made = planned(Profiles.search(), None)
    gone = made.now[0]._replace(variable="PROCOUNTOR_COMPANY")
    document = made._replace(now=(*made.now, gone)).as_dict()
    assert [each["variable"] for each in document["change"]] == ["PROCOUNTOR_STRATEGY"]
    assert [each["variable"] for each in document["remove"]] == ["PROCOUNTOR_COMPANY"]
    assert len(document["remove_later"]) == 3
    assert document["add"] == []


def test_what_is_missing_is_to_be_added(sandbox: Sandbox, environment: Callable[[dict[str, str]], None]) -> None:
    """A variable that the next strategy needs and that is not there is a line to add, and a blocker."""
    environment(sandbox.environment("legacy_password"))
    made = planned(Profiles.search(), None)
    assert "+PROCOUNTOR_API_KEY=<to be set>" in lines(made)
    assert made.as_dict()["add"][0]["variable"] == "PROCOUNTOR_API_KEY"
    assert not made.readiness.ready


def test_lines_of_a_profile_stand_where_its_values_do(companies: Companies, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile's own strategy changes in its place; the common one stays, and the profile gets its own."""
    companies.add("filed", strategy="legacy_password")
    companies.add("common")
    companies.add("in-variables")
    monkeypatch.setenv("PROCOUNTOR_PROFILES__IN_VARIABLES__STRATEGY", "legacy_password")
    profiles = companies.write()
    assert lines(planned(profiles, "filed"))[:2] == [
        '-strategy = "legacy_password"',
        '+strategy = "client_credentials"',
    ]
    assert planned(profiles, "filed").now[0].place == "[profiles.filed] of the profiles file"
    assert lines(planned(profiles, "common"))[0] == '+strategy = "client_credentials"'
    assert planned(profiles, "common").now[0].place == "[profiles.common] of the profiles file"
    assert lines(planned(profiles, "in-variables"))[:2] == [
        "-PROCOUNTOR_PROFILES__IN_VARIABLES__STRATEGY=legacy_password",
        "+PROCOUNTOR_PROFILES__IN_VARIABLES__STRATEGY=client_credentials",
    ]
    assert planned(profiles, "filed").switch == ("PROCOUNTOR_PROFILES__FILED__STRATEGY", TARGET)


def test_the_planned_switch_is_one(companies: Companies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting the one variable of the plan switches the profile, and no other one."""
    companies.add("acme", strategy="legacy_password")
    companies.add("beta")
    monkeypatch.setenv(*planned(companies.write(), "acme").switch)
    profiles = companies.write()
    assert check(profiles, "acme", TARGET).done
    assert not check(profiles, "beta", TARGET).done


def test_places_are_told_apart(
    sandbox: Sandbox,
    environment: Callable[[dict[str, str]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each line says whether its value is in the environment, the .env file or the secrets directory."""
    variables = sandbox.environment("client_credentials") | sandbox.environment("legacy_password")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "PROCOUNTOR_API_KEY").write_text(variables.pop("PROCOUNTOR_API_KEY"))
    strategy = variables.pop("PROCOUNTOR_STRATEGY")
    Path(".env").write_text(f"PROCOUNTOR_STRATEGY={strategy}\n")
    environment(variables)
    monkeypatch.setenv("PROCOUNTOR_SECRETS_DIR", str(secrets))
    made = planned(Profiles.search(), None)
    assert {change.variable: change.place for change in made.now} == {
        "PROCOUNTOR_STRATEGY": "the .env file",
        "PROCOUNTOR_API_KEY": "the secrets directory",
    }
    assert {change.place for change in made.later} == {"the environment"}


def test_what_is_missing_goes_beside_the_strategy(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """A value that has no place yet is added where the strategy is set."""
    variables = sandbox.environment("legacy_password")
    Path(".env").write_text(f"PROCOUNTOR_STRATEGY={variables.pop('PROCOUNTOR_STRATEGY')}\n")
    environment(variables)
    made = planned(Profiles.search(), None)
    assert [(change.variable, change.place) for change in made.now if change.sign == "+"] == [
        ("PROCOUNTOR_STRATEGY", "the .env file"),
        ("PROCOUNTOR_API_KEY", "the .env file"),
    ]


def test_a_profile_that_has_switched_needs_no_change(companies: Companies) -> None:
    """There is nothing to do now, and what nothing needs any more is to be removed."""
    companies.add("acme", strategy=TARGET, fallback_strategy="legacy_password")
    made = planned(companies.write(), "acme")
    assert made.now == ()
    assert [change.variable for change in made.later] == ["username", "password", "company", "fallback_strategy"]


def test_no_secret_is_in_a_plan(companies: Companies) -> None:
    """Every value but the strategies' names is masked, in the text and as plain values."""
    table = companies.add("acme", redirect_uri="urn:my-place")
    made = planned(companies.write(), "acme")
    shown = repr(made) + json.dumps(made.as_dict()) + "".join(map(str, made.now + made.later))
    for value in (*table.values(), companies.sandbox.client_secret, "urn:my-place"):
        assert str(value) not in shown


def test_the_plan_back_is_a_plan_too(companies: Companies) -> None:
    """A rollback is planned like any switch, and needs nothing new."""
    companies.add("acme", strategy=TARGET)
    made = planned(companies.write(), "acme", "legacy_password")
    assert made.readiness.ready
    assert [line for line in lines(made) if line[0] in "+-"] == [
        '-strategy = "client_credentials"',
        '+strategy = "legacy_password"',
    ]
