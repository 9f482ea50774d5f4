"""The commands of `procountor-auth migrate`, as a person or a script sees them."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dotenv import dotenv_values

from procountor_auth import TokenSource, cli
from procountor_auth.sandbox import Faults
from tests.migration.conftest import Companies

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from tests.forkserver.forkserver import ForkServer

    Run = Callable[..., tuple[int, str, str]]

TARGET = "client_credentials"


@pytest.fixture
def companies(
    sandbox: Sandbox,
    environment: Callable[[dict[str, str]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Companies:
    """Companies on the legacy login, and a home of the test's own."""
    variables = sandbox.environment("legacy_password")
    for name in ("USERNAME", "PASSWORD", "COMPANY"):
        del variables[f"PROCOUNTOR_{name}"]
    file = tmp_path / "profiles.toml"
    environment(
        variables | {"PROCOUNTOR_PROFILES_FILE": str(file), "PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    )
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Companies(sandbox, file)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `procountor-auth migrate …` in this process, with no terminal; return the status, stdout and stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["procountor-auth", "migrate", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert "\x1b" not in said.out + said.err
        return int(ended.value.code or 0), said.out, said.err

    return command


def profiles_of(out: str) -> dict[str, dict[str, Any]]:
    """Read the one JSON document."""
    assert out.count("\n") == 1
    return {found["profile"]: found for found in json.loads(out)["profiles"]}


def test_check_says_what_is_missing_in_text(companies: Companies, run: Run) -> None:
    """Each profile has a line, a blocked one its reasons and what to do; the status says that one is blocked."""
    companies.add("acme")
    companies.add("beta", api_key=None)
    companies.write()
    status, out, err = run("check", "--to", TARGET)
    hint = (
        "Set it in [profiles.beta] of the profiles file, or as PROCOUNTOR_PROFILES__BETA__API_KEY. Settings of one "
        "company (api_key, company, refresh_token) are never inherited from the common values."
    )
    assert (status, err) == (1, "")
    assert out.splitlines() == [
        "acme  legacy_password -> client_credentials  can switch",
        "beta  blocked",
        "  PROCOUNTOR_API_KEY is missing (client_credentials needs it)",
        f"    {hint}",
        "2 profiles: 1 can switch, 1 blocked, 0 done",
        "Next: procountor-auth migrate rehearse --to client_credentials",
    ]
    assert run("check", "--profile", "ACME")[0] == 0


def test_of_many_profiles_only_the_blocked_are_listed(companies: Companies, run: Run) -> None:
    """Five hundred lines of "ready" would hide the one that is not."""
    for number in range(30):
        companies.add(f"c{number:02}", **({"api_key": None} if number == 17 else {}))
    companies.write()
    _, out, _ = run("check")
    assert re.findall(r"\bc\d\d\b", out.split("Set it")[0]) == ["c17"]
    assert "\n30 profiles: 29 can switch, 1 blocked, 0 done\n" in out


def test_plan_is_a_difference(companies: Companies, run: Run) -> None:
    """The plan shows the lines to change, in their place, with secrets masked."""
    companies.add("acme", strategy="legacy_password")
    companies.write()
    status, out, _ = run("plan")
    assert status == 0
    assert out.splitlines() == [
        "--- acme: legacy_password",
        "+++ acme: client_credentials",
        "@@ [profiles.acme] of the profiles file @@",
        '-strategy = "legacy_password"',
        '+strategy = "client_credentials"',
        ' api_key = "********"',
        "--- acme: after the switch, with `migrate finish`",
        "@@ [profiles.acme] of the profiles file @@",
        '-username = "********"',
        '-password = "********"',
        '-company = "********"',
        "",
        f"Next: make the changes in {companies.file}, then restart the programs (or call reload())",
        "      procountor-auth migrate status shows who has switched",
    ]


def test_the_planned_lines_are_a_dotenv_file(companies: Companies, run: Run) -> None:
    """`--env` prints what can be appended to a .env file, for the ready profiles only; the others are on stderr."""
    companies.add("acme")
    companies.add("be-ta")
    companies.add("blocked", api_key=None)
    companies.write()
    status, out, err = run("plan", "--env")
    assert status == 1
    assert dotenv_values(stream=io.StringIO(out)) == {
        "PROCOUNTOR_PROFILES__ACME__STRATEGY": TARGET,
        "PROCOUNTOR_PROFILES__BE_TA__STRATEGY": TARGET,
    }
    assert err == "# left out: blocked: PROCOUNTOR_API_KEY is missing (client_credentials needs it)\n"


def test_the_planned_lines_are_spelt_as_those_that_they_replace(companies: Companies, run: Run) -> None:
    """What is appended to a .env file with names in another case switches the profiles, and contradicts nothing."""
    for name in ("acme", "be-ta"):
        companies.add(name)
    companies.write()
    file = Path(".env")
    file.write_text("PROCOUNTOR_PROFILES__acme__STRATEGY=legacy_password\n")
    assert run("rehearse")[1].splitlines()[-4:-1] == [
        "Next: set",
        "        PROCOUNTOR_PROFILES__acme__STRATEGY=client_credentials",
        "        PROCOUNTOR_PROFILES__BE_TA__STRATEGY=client_credentials",
    ]
    status, out, err = run("plan", "--env")
    assert (status, err) == (0, "")
    file.write_text(file.read_text() + out)
    status, out, _ = run("status")
    assert status == 0
    assert "2 of 2 done" in out


def test_a_line_without_effect_is_not_printed(companies: Companies, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment sets, no line of a .env file changes: the command says so, and the status is 1."""
    for name in ("acme", "beta"):
        companies.add(name)
    companies.write()
    monkeypatch.setenv("PROCOUNTOR_PROFILES__BETA__STRATEGY", "legacy_password")
    status, out, err = run("plan", "--env")
    assert (status, out) == (1, "PROCOUNTOR_PROFILES__ACME__STRATEGY=client_credentials\n")
    assert err == (
        "# left out: beta: PROCOUNTOR_PROFILES__BETA__STRATEGY is set in the environment, so that a line in the .env "
        "file has no effect: change it there\n"
    )


def test_two_spellings_of_one_variable_are_left_out(companies: Companies, run: Run) -> None:
    """A line that would contradict another spelling of its variable is not printed; the status is 1."""
    companies.add("acme")
    companies.write()
    names = ("PROCOUNTOR_PROFILES__acme__STRATEGY", "PROCOUNTOR_PROFILES__ACME__STRATEGY")
    Path(".env").write_text("".join(f"{name}=legacy_password\n" for name in names))
    status, out, err = run("plan", "--env")
    assert (status, out) == (1, "")
    assert err == f"# left out: acme: {names[0]} is also set as {names[1]} in the .env file: keep one of them\n"


def test_rehearse_says_go_and_no_go(companies: Companies, run: Run) -> None:
    """GO with both companies the same, NO GO with the reason; the second run asks for the NO GO only."""
    companies.add("acme")
    companies.sandbox.world.revoke_api_key(companies.add("beta")["api_key"])
    companies.write()
    status, out, err = run("rehearse", "--to", TARGET, "--at-once", "1")
    assert (status, err) == (1, "")
    assert out.splitlines()[0] == "acme  legacy_password -> client_credentials  GO"
    assert "beta  NO GO" in out
    assert out.splitlines()[-4:] == [
        "2 profiles: 1 GO, 1 NO GO, 0 done",
        "Next: set",
        "        PROCOUNTOR_PROFILES__ACME__STRATEGY=client_credentials",
        "      procountor-auth migrate plan --to client_credentials shows where",
    ]
    companies.sandbox.clear_log()
    assert run("rehearse")[0] == 1
    assert [entry["path"] for entry in companies.sandbox.log()].count("/api/sessioninfo") == 1
    companies.sandbox.clear_log()
    assert run("rehearse", "--fresh", "--profile", "acme")[0] == 0
    assert [entry["path"] for entry in companies.sandbox.log()].count("/api/sessioninfo") == 2


def test_a_long_rehearsal_says_how_far_it_is(companies: Companies, run: Run) -> None:
    """Without a terminal there is a line now and then, on stderr, so that stdout stays clean for `--json`."""
    for number in range(45):
        companies.add(f"c{number}", strategy=TARGET)
    companies.write()
    status, out, err = run("rehearse", "--json")
    assert status == 0
    assert len(profiles_of(out)) == 45
    assert err.splitlines() == ["20 of 45 profiles rehearsed", "40 of 45 profiles rehearsed"]


def test_status_shows_all_in_one_table(companies: Companies, run: Run) -> None:
    """Strategy, deprecated or not, last token, refresh token, rehearsal, announced end, and a picture."""
    companies.sandbox.faults = Faults(sunset="2030-03-17T00:00:00Z")
    companies.add("done", strategy=TARGET)
    companies.add("ready")
    companies.add("stuck", api_key=None)
    companies.write()
    run("rehearse")
    status, out, err = run("status")
    assert (status, err) == (1, "")
    lines = [re.sub("18[12] days", "half a year", " ".join(line.split())) for line in out.splitlines()]
    assert lines[:4] == [
        "profile strategy state last token rehearsed refresh ends announced end",
        "done client_credentials done none",
        "ready legacy_password* can switch just now GO just now half a year 2030-03-17",
        "stuck legacy_password* blocked none",
    ]
    assert lines[-3:] == [
        "* deprecated",
        f"{'█' * 13}{'▒' * 13}{'░' * 13} 1 of 3 done, 1 can switch, 1 blocked",
        "Next: procountor-auth migrate plan",
    ]
    assert not [line for line in out.splitlines() if line != line.rstrip()]


def test_an_old_go_is_shown_by_its_age(companies: Companies, run: Run, tmp_path: Path) -> None:
    """A GO of three days ago is no GO any more: the status says when it was, and the next step is a rehearsal."""
    record = tmp_path / "record" / "results.jsonl"
    for number in range(25):
        companies.add(f"c{number:02}", strategy="legacy_password" if number < 3 else TARGET)
    companies.write()
    assert run("rehearse", "--record", str(record))[0] == 0
    first, *others = map(json.loads, record.read_text().splitlines())
    old = json.dumps(first | {"at": first["at"] - 3 * 86_400})
    record.write_text("\n".join([old, *map(json.dumps, others)]) + "\n")
    out = run("status", "--record", str(record))[1]
    assert "\nrehearsed: 2 GO, 0 NO GO, 1 no longer valid, 0 not rehearsed\n" in out
    assert out.splitlines()[-1] == "Next: procountor-auth migrate rehearse"
    out = run("status", "--record", str(record), "--profile", first["profile"])[1]
    assert "just now    3 days ago  " in out
    assert "GO" not in out


def test_status_for_machines(companies: Companies, run: Run) -> None:
    """The JSON has every profile with `ready`, `reasons` and its state, and the counts."""
    companies.add("done", strategy=TARGET)
    companies.add("stuck", api_key=None)
    companies.write()
    status, out, _ = run("status", "--json")
    found = profiles_of(out)
    assert status == 1
    assert {name: (each["ready"], each["state"]) for name, each in found.items()} == {
        "done": (True, "done"),
        "stuck": (False, "blocked"),
    }
    assert found["stuck"]["reasons"] == ["PROCOUNTOR_API_KEY is missing (client_credentials needs it)"]
    assert {name: value for name, value in json.loads(out).items() if name != "profiles"} == {
        "done": 1,
        "can_switch": 0,
        "blocked": 1,
    }


def test_finish_says_what_to_delete(companies: Companies, run: Run) -> None:
    """It removes the old tokens of who has switched, names the old secrets, and leaves the others alone."""
    companies.add("acme")
    companies.add("beta", api_key=None)
    companies.write()
    run("rehearse")
    companies.tables["acme"]["strategy"] = TARGET
    companies.write()
    status, out, _ = run("finish", "--dry-run")
    assert out.startswith("1 stored token of legacy_password would be removed.\n")
    status, out, _ = run("finish")
    assert status == 1
    assert out.splitlines() == [
        "1 stored token of legacy_password removed.",
        "Delete these now, wherever they are kept, and change the passwords that were in them:",
        "  username, password, company  ([profiles.acme] of the profiles file)",
        "Not switched, and left unchanged (1 profile): beta",
        "  `procountor-auth migrate status --profile beta` shows what blocks it.",
        "Next: procountor-auth migrate status",
    ]
    assert run("finish", "--profile", "acme")[1].startswith("0 stored tokens")


def test_nobody_is_sent_to_finish_while_the_fallback_is_used(companies: Companies, run: Run) -> None:
    """`status` names the fallback and what to do, as text and as JSON; `finish` fails, and lists nothing to delete."""
    companies.add("acme", strategy=TARGET, fallback_strategy="legacy_password", legacy_policy="allow")
    companies.sandbox.faults = Faults(revoked_keys=True)
    companies.write()
    TokenSource.from_env(profile="acme").token()
    said = [
        (
            "  it still uses legacy_password, the fallback: client_credentials was refused when the stored token was "
            "requested"
        ),
        (
            "    Run `procountor-auth migrate rehearse --profile acme --target-only --fresh`: it shows why, or ends "
            "the fallback."
        ),
    ]
    status, out, _ = run("status")
    assert status == 1
    lines = out.splitlines()
    assert lines[lines.index("acme  blocked") + 1 :][:2] == said
    assert lines[-1] == "Next: fix what blocks 1 profile, then run procountor-auth migrate status"
    assert run("plan")[1].splitlines()[-1] == lines[-1]
    status, out, _ = run("status", "--json")
    found = json.loads(out)
    assert (status, found["done"], found["blocked"]) == (1, 0, 1)
    assert found["profiles"][0]["problems"][0]["code"] == "fallback"
    assert run("finish")[:2] == (
        1,
        "\n".join(
            [
                "0 stored tokens of legacy_password removed.",
                "acme  left alone",
                *said,
                "Next: procountor-auth migrate status\n",
            ]
        ),
    )


def test_another_old_strategy_is_named(companies: Companies, run: Run) -> None:
    """Where the old strategy is not the legacy one, each command names it, and nothing is said of the legacy policy."""
    companies.add("acme", strategy=TARGET, refresh_token="a-refresh-token", username=None, password=None)
    login = "authorization_code"
    companies.write()
    said = "--- acme: after the switch, with `migrate finish --from client_credentials`"
    assert said in run("plan", "--to", login)[1].splitlines()
    TokenSource.from_env(profile="acme").token()
    for number in range(3):
        companies.add(f"c{number}", strategy=TARGET)
    companies.write()
    said = "  after the switch, `migrate finish --from client_credentials` lists what to delete: api_key"
    assert said in run("plan", "--to", login)[1].replace("\n    ", " ")
    for number in range(3):
        del companies.tables[f"c{number}"]
    companies.tables["acme"]["strategy"] = login
    companies.write()
    said = "Next: procountor-auth migrate finish --from client_credentials removes them"
    assert run("finish", "--from", TARGET, "--dry-run")[1].splitlines()[-1] == said
    assert run("finish", "--from", TARGET)[1].splitlines() == [
        "1 stored token of client_credentials removed.",
        "Delete these now, wherever they are kept:",
        "  api_key, company  ([profiles.acme] of the profiles file)",
    ]


def test_whoever_has_left_the_deprecated_strategy_is_done(companies: Companies, run: Run) -> None:
    """Without --to a login by browser is a target as good as a key; with --to, another strategy is looked at."""
    companies.add("acme", strategy="authorization_code", api_key=None, refresh_token="a-refresh-token")
    companies.write()
    assert run("check")[1].splitlines()[0].split() == ["acme", "done"]
    assert " 1 of 1 done, " in run("status")[1]
    assert "+++" not in run("plan")[1]
    assert run("rehearse")[1].splitlines()[0].split() == ["acme", "done"]
    assert "PROCOUNTOR_API_KEY is missing" in run("check", "--to", TARGET)[1]


def test_nothing_is_next_after_the_end(companies: Companies, run: Run) -> None:
    """As long as old secrets are there, `finish` is next; without them, nothing is."""
    companies.add("acme", strategy=TARGET)
    companies.write()
    for command in ("check", "plan", "rehearse", "status"):
        assert "Next: procountor-auth migrate finish" in run(command)[1]
    for name in ("username", "password", "company"):
        del companies.tables["acme"][name]
    companies.write()
    for command in ("check", "plan", "rehearse", "status"):
        assert run(command)[1].splitlines()[-1] == "Next: nothing, the migration is finished"


def test_common_secrets_stay_while_somebody_needs_them(
    companies: Companies, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that profiles share is named for deletion only when the last one has switched."""
    monkeypatch.setenv("PROCOUNTOR_PASSWORD", "shared")
    companies.add("acme", strategy=TARGET, password=None)
    companies.add("beta", password=None)
    companies.write()
    assert "PROCOUNTOR_PASSWORD" not in run("finish")[1]
    assert "PROCOUNTOR_PASSWORD" not in run("finish", "--profile", "acme")[1]
    companies.tables["beta"]["strategy"] = TARGET
    companies.write()
    assert "  PROCOUNTOR_PASSWORD  (the environment)\n" in run("finish")[1]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("check", "--to", "magic"), 2, "legacy_password"),
        (("check", "--profile", "acmee"), 2, "there is no profile 'acmee': did you mean acme?"),
        (("rehearse", "--also", "../../etc"), 2, "must be a path below the API's base"),
        (("rehearse", "--at-once", "0"), 2, "--at-once"),
        (("rehearse", "--record", "/dev/null/results"), 1, "/dev/null"),
        (("finish", "--from", "magic"), 2, "legacy_password"),
    ],
)
def test_wrong_input_is_said_on_stderr(
    companies: Companies, run: Run, arguments: tuple[str, ...], status: int, said: str
) -> None:
    """A wrong option or name ends with its status and one clear text; nothing is on stdout."""
    companies.add("acme")
    companies.write()
    ended, out, err = run(*arguments)
    assert (ended, out) == (status, "")
    assert said in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


def test_a_file_that_is_not_toml_is_a_clear_error(companies: Companies, run: Run) -> None:
    """The place is named, and nothing of what stands there."""
    companies.file.write_text("[profiles.acme]\npassword = hunter2\n")
    status, out, err = run("check")
    assert (status, out) == (2, "")
    assert "names a file that is not TOML (at line 2" in err
    assert "hunter2" not in err


def test_without_profiles_it_is_about_the_one_configuration(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None], run: Run
) -> None:
    """For one company there is one line, and `null` for its name."""
    environment(sandbox.environment(TARGET) | sandbox.environment("legacy_password"))
    assert run("check")[1].splitlines()[0] == "this configuration  legacy_password -> client_credentials  can switch"
    assert profiles_of(run("check", "--json")[1]).keys() == {None}


def test_no_secret_is_on_any_output(companies: Companies, run: Run) -> None:
    """Whatever the command and whatever is wrong: no password, key, client secret or token is printed."""
    companies.add("acme")
    companies.add("beta", api_key="nonsense key")
    companies.add("gamma", client_secret="wrong-secret-4711")
    companies.write()
    said = ""
    for command in (("check",), ("plan",), ("rehearse",), ("status",), ("plan", "--env"), ("finish",)):
        said += "".join(map(str, run(*command)))
        if "--env" not in command:
            said += "".join(map(str, run(*command, "--json")))
    secrets = [table[name] for table in companies.tables.values() for name in ("password", "api_key")]
    secrets += [companies.sandbox.client_secret, "wrong-secret-4711", "eyJ"]
    assert not [secret for secret in secrets if secret in said]


def test_on_a_terminal_nothing_is_wider_than_it(companies: Companies, fork_server: ForkServer) -> None:
    """At 80 columns the table, the reasons and the picture keep to the width, and no cell is cut off."""
    companies.add("a-name-of-a-company")
    companies.add("beta", api_key=None)
    companies.write()
    shown = on_a_terminal(fork_server.command, "rehearse") + on_a_terminal(fork_server.command, "status")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "\n")
    assert max(len(line) for line in plain.split("\n")) <= 80
    assert "legacy_password*" in plain
    assert "\x1b[" in shown


def on_a_terminal(program: str, *arguments: str) -> str:
    """Run the command on a terminal of 80 columns; return what it shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [program, "migrate", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40"},
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # what Linux says when the other side has closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait(timeout=60) in {0, 1}
    return said.decode()
