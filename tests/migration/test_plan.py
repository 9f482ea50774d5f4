"""The difference of the environment that switches a profile."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth.migration.check import check
from procountor_auth.migration.plan import Change, Plan, env_file_obstacle, plan
from procountor_auth.migration.readiness import Readiness
from procountor_auth.settings.profiles import Profiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from tests.migration.conftest import Companies

TARGET = "client_credentials"

_STRATEGY: Final = "PROCOUNTOR_STRATEGY"
_USER: Final = "PROCOUNTOR_USERNAME"


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


def test_each_line_says_where_and_what_it_is(companies: Companies) -> None:
    """A line has its sign, its name there, what may be shown of its value, its place, its setting, and whose it is."""
    companies.common["fallback_limit"] = 3
    companies.add("acme", strategy="legacy_password", fallback_strategy="legacy_password", redirect_uri="urn:my-place")
    companies.add("new", api_key=None, client_secret="its own")
    profiles = companies.write()
    table = "[profiles.acme] of the profiles file"
    made = planned(profiles, "acme")
    assert made.now == (
        Change("-", "strategy", "legacy_password", table, "strategy"),
        Change("+", "strategy", TARGET, table, "strategy"),
        Change(" ", "api_key", "********", table, "api_key"),
    )
    assert made.later == (
        Change("-", "username", "********", table, "username"),
        Change("-", "password", "********", table, "password"),
        Change("-", "company", "********", table, "company"),
        Change("-", "fallback_strategy", "legacy_password", table, "fallback_strategy"),
        Change("-", "fallback_limit", "3", "the top of the profiles file", "fallback_limit", shared=True),
    )
    assert [str(change) for change in made.later[-2:]] == [
        '-fallback_strategy = "legacy_password"',
        '-fallback_limit = "3"',
    ]
    table = "[profiles.new] of the profiles file"
    made = planned(profiles, "new")
    assert made.now == (
        Change("+", "strategy", TARGET, table, "strategy"),
        Change("+", "api_key", "<to be set>", table, "api_key"),
    )
    assert [change.setting for change in made.later] == ["username", "password", "company"]
    companies.tables["acme"]["fallback_strategy"] = "authorization_code"
    assert [change.setting for change in planned(companies.write(), "acme").later] == [
        "username",
        "password",
        "company",
    ]


def test_what_a_login_needs_is_kept(companies: Companies) -> None:
    """A refresh token and a redirect URI of the next strategy stay, where they are set, and are shown as set."""
    companies.add("acme", refresh_token="opaque", redirect_uri="urn:my-place")
    companies.add("key", strategy="authorization_code", redirect_uri="urn:my-place", refresh_token="opaque")
    companies.add("other", strategy="one of another package", redirect_uri="urn:my-place")
    profiles = companies.write()
    assert lines(planned(profiles, "acme", "authorization_code")) == [
        '+strategy = "authorization_code"',
        ' refresh_token = "********"',
    ]
    assert lines(planned(profiles, "key")) == [
        '-strategy = "authorization_code"',
        '+strategy = "client_credentials"',
        ' api_key = "********"',
    ]
    assert lines(planned(profiles, "other")) == [
        '-strategy = "one of another package"',
        '+strategy = "client_credentials"',
        " PROCOUNTOR_CLIENT_ID=********",
        " PROCOUNTOR_CLIENT_SECRET=********",
        ' api_key = "********"',
        ' redirect_uri = "********"',
    ]


def test_what_a_login_leaves_is_named(companies: Companies) -> None:
    """What only the strategy of today and the legacy login need can be removed later, and what the next needs can't."""
    companies.add("acme", strategy="authorization_code", redirect_uri="urn:my-place")
    companies.add("back", strategy=TARGET)
    profiles = companies.write()
    assert [change.setting for change in planned(profiles, "acme").later] == ["username", "password", "company"]
    assert [change.setting for change in planned(profiles, "back", "legacy_password").later] == ["api_key"]


def test_a_strategy_of_another_package_is_planned(companies: Companies) -> None:
    """Of a target that is not installed here the switch is known, and nothing that it needs."""
    companies.add("acme")
    made = planned(companies.write(), "acme", "elsewhere")
    assert lines(made) == ['+strategy = "elsewhere"']
    assert made.later == ()
    assert made.switch == ("PROCOUNTOR_PROFILES__ACME__STRATEGY", "elsewhere")


def test_the_document_says_all(companies: Companies) -> None:
    """A program finds the readiness, each change with its fields, the switch, and the lines as they are shown."""
    companies.add("acme", api_key=None)
    made = planned(companies.write(), "acme")
    place = {"place": "[profiles.acme] of the profiles file", "shared": False}
    document = made.as_dict()
    assert document == {
        **made.readiness.as_dict(),
        "add": [
            {"sign": "+", "variable": "strategy", "value": TARGET} | place,
            {"sign": "+", "variable": "api_key", "value": "<to be set>"} | place,
        ],
        "change": [],
        "remove": [],
        "remove_later": [
            {"sign": "-", "variable": name, "value": "********"} | place for name in ("username", "password", "company")
        ],
        "switch": {"variable": "PROCOUNTOR_PROFILES__ACME__STRATEGY", "value": TARGET},
        "diff": ['+strategy = "client_credentials"', '+api_key = "<to be set>"'],
    }
    assert document["reasons"] == ["PROCOUNTOR_API_KEY is missing (client_credentials needs it)"]


def test_the_document_has_a_list_for_each_kind_of_change(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """What is taken away at once is in `remove`, and each list is there, however empty."""
    environment(sandbox.environment("client_credentials") | sandbox.environment("legacy_password"))
    made = planned(Profiles.search(), None)
    gone = made.now[0]._replace(variable="PROCOUNTOR_COMPANY")
    document = made._replace(now=(*made.now, gone)).as_dict()
    assert document["change"] == [made.now[1].as_dict()]
    assert document["remove"] == [gone.as_dict()]
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


@pytest.mark.parametrize("written", ["procountor_strategy", "PROCOUNTOR_Strategy", "PROCOUNTOR_STRATEGY"])
def test_a_variable_keeps_its_spelling(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None], written: str
) -> None:
    """The switch and the diff have a variable as the .env file spells it, where a later line of that name wins."""
    variables = sandbox.environment("client_credentials") | sandbox.environment("legacy_password")
    file = Path(".env")
    file.write_text(f"{written}={variables.pop('PROCOUNTOR_STRATEGY')}\nprocountor_username={variables.pop(_USER)}\n")
    environment(variables)
    made = planned(Profiles.search(), None)
    assert made.switch == (written, TARGET)
    assert lines(made)[:2] == [f"-{written}=legacy_password", f"+{written}=client_credentials"]
    assert str(made.later[0]) == "-procountor_username=********"
    assert env_file_obstacle(Profiles.search(), None) == ""
    with file.open("a") as opened:
        opened.write("=".join(made.switch) + "\n")
    assert check(Profiles.search(), None, TARGET).done


def test_a_profile_s_variable_keeps_its_spelling(companies: Companies) -> None:
    """The same holds for a profile's own variable, whose name may have a hyphen, too."""
    companies.add("company-1")
    for own in ("PROCOUNTOR_PROFILES__company_1__STRATEGY", "procountor_profiles__Company-1__strategy"):
        Path(".env").write_text(f"{own}=legacy_password\n")
        made = planned(companies.write(), "company-1")
        assert made.switch == (own, TARGET)
        Path(".env").write_text(f"{own}=legacy_password\n{own}={TARGET}\n")
        assert check(companies.write(), "company-1", TARGET).done


def test_both_spellings_of_a_variable_change(sandbox: Sandbox, environment: Callable[[dict[str, str]], None]) -> None:
    """One value under two spellings is changed under both: with one line only, the values would contradict."""
    variables = sandbox.environment("client_credentials") | sandbox.environment("legacy_password")
    Path(".env").write_text(f"procountor_strategy={variables['PROCOUNTOR_STRATEGY']}\n{_STRATEGY}=legacy_password\n")
    del variables[_STRATEGY]
    environment(variables)
    made = planned(Profiles.search(), None)
    assert lines(made)[:4] == [
        "-procountor_strategy=legacy_password",
        "+procountor_strategy=client_credentials",
        "-PROCOUNTOR_STRATEGY=legacy_password",
        "+PROCOUNTOR_STRATEGY=client_credentials",
    ]
    assert env_file_obstacle(Profiles.search(), None) == (
        "procountor_strategy is also set as PROCOUNTOR_STRATEGY in the .env file: keep one of them"
    )


def test_a_line_in_the_env_file_changes_what_the_environment_does_not_set(
    companies: Companies, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only the profile's own variable in the environment stands in the way of its line, and no other place does."""
    companies.add("common")
    companies.add("filed", strategy="legacy_password")
    companies.add("secret")
    companies.add("variable")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "procountor_profiles__secret__strategy").write_text("legacy_password")
    monkeypatch.setenv("PROCOUNTOR_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("PROCOUNTOR_PROFILES__Variable__STRATEGY", "legacy_password")
    assert "PROCOUNTOR_STRATEGY" in os.environ  # common to all of them
    profiles = companies.write()
    switches = [planned(profiles, profile).switch for profile in profiles]
    obstacles = {profile: env_file_obstacle(profiles, profile) for profile in profiles}
    Path(".env").write_text("".join(f"{name}={value}\n" for name, value in switches))
    profiles = companies.write()
    done = {profile: check(profiles, profile, TARGET).done for profile in profiles}
    assert done == {"common": True, "filed": True, "secret": True, "variable": False}
    assert obstacles == {
        "common": "",
        "filed": "",
        "secret": "",
        "variable": "PROCOUNTOR_PROFILES__Variable__STRATEGY is set in the environment, so that a line in the .env "
        "file has no effect: change it there",
    }


def test_the_environment_wins_over_the_env_file(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """Without profiles, the common variable in the environment stands in the way of the line, and one in .env not."""
    variables = sandbox.environment("client_credentials") | sandbox.environment("legacy_password")
    environment(variables)
    assert env_file_obstacle(Profiles.search(), None).startswith("PROCOUNTOR_STRATEGY is set in the environment")
    Path(".env").write_text(f"PROCOUNTOR_STRATEGY={variables.pop('PROCOUNTOR_STRATEGY')}\n")
    environment(variables)
    assert env_file_obstacle(Profiles.search(), None) == ""


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


def test_without_a_place_of_the_strategy_it_is_the_environment(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None], companies: Companies
) -> None:
    """A variable has no place in a file of profiles, and where no strategy is set, it goes to the environment, too."""
    variables = sandbox.environment("legacy_password")
    del variables["PROCOUNTOR_STRATEGY"]
    environment(variables | {"PROCOUNTOR_PROFILES_FILE": str(companies.file)})
    companies.add("acme")
    key = Change("+", "PROCOUNTOR_API_KEY", "<to be set>", "the environment", "api_key")
    made = planned(companies.write(), None)
    added = [change for change in made.now if change.sign == "+"]
    assert added == [Change("+", "PROCOUNTOR_STRATEGY", TARGET, "the environment", "strategy"), key]
    companies.common["strategy"] = "legacy_password"
    made = planned(companies.write(), None)
    top = "the top of the profiles file"
    assert made.now == (
        Change("-", "strategy", "legacy_password", top, "strategy"),
        Change("+", "strategy", TARGET, top, "strategy"),
        key,
    )


def test_a_profile_of_variables_alone_gets_variables(companies: Companies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a profiles file, what a profile lacks is a variable of its own, beside the common strategy."""
    companies.write()
    monkeypatch.delenv("PROCOUNTOR_PROFILES_FILE")
    monkeypatch.setenv("PROCOUNTOR_PROFILES__ACME__USERNAME", "acme")
    made = planned(Profiles.search(), "acme")
    assert made.now == (
        Change("+", "PROCOUNTOR_PROFILES__ACME__STRATEGY", TARGET, "the environment", "strategy"),
        Change("+", "PROCOUNTOR_PROFILES__ACME__API_KEY", "<to be set>", "the environment", "api_key"),
    )
    assert [str(change) for change in made.later] == ["-PROCOUNTOR_PROFILES__ACME__USERNAME=********"]


def test_a_profile_that_can_not_be_read_has_a_plan(companies: Companies) -> None:
    """What is set twice is in the readiness; the lines are those of a profile of which nothing is known."""
    companies.add("acme", API_KEY="another")
    made = planned(companies.write(), "acme")
    assert [reason.variable for reason in made.readiness.reasons] == ["PROCOUNTOR_API_KEY"]
    assert '+strategy = "client_credentials"' in lines(made)
    unknown = plan(companies.write(), Readiness(profile="nobody", strategy=None, target=TARGET))
    assert unknown.switch == ("PROCOUNTOR_PROFILES__NOBODY__STRATEGY", TARGET)


def test_a_profile_that_has_switched_needs_no_change(companies: Companies) -> None:
    """There is nothing to do now, and what nothing needs any more is to be removed."""
    companies.add("acme", strategy=TARGET, fallback_strategy="legacy_password")
    made = planned(companies.write(), "acme")
    assert (made.now, made.switch) == ((), ("PROCOUNTOR_PROFILES__ACME__STRATEGY", TARGET))
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
