"""The command `procountor-auth doctor`: what it looks at, what it says to do, and what it never shows."""

from __future__ import annotations

import errno
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from procountor_auth import Token, TokenSource
from procountor_auth.errors import InvalidGrant, ServiceUnavailable
from procountor_auth.sandbox import Faults, Quirks, Sandbox
from procountor_auth.settings import env_file
from procountor_auth.stores.failure import Failure
from procountor_auth.transport.transport import Transport
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Command, Run, Terminal

    Environment = Callable[[dict[str, str]], None]
    Requests = Callable[[Sandbox], list[str]]
    StoreToken = Callable[..., None]
    WriteProfiles = Callable[..., Path]
    Examine = Callable[..., tuple[int, dict[str, Any]]]

CHOSEN = "client_credentials"
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture
def described(sandbox: Sandbox, environment: Environment, tmp_path: Path) -> dict[str, str]:
    """The variables of a sandbox, which are set."""
    variables = sandbox.environment(CHOSEN) | {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    environment(variables)
    return variables


@pytest.fixture
def examine(run: Run) -> Examine:
    """Run `doctor --json`; return the status and what it says of the one profile."""

    def command(*arguments: str) -> tuple[int, dict[str, Any]]:
        status, out, err = run("doctor", "--json", *arguments)
        assert (err, out.count("\n")) == ("", 1)
        (found,) = json.loads(out)["profiles"]
        assert list(found) == ["profile", "ready", "reasons", "checks"]
        assert all(list(check) == ["name", "state", "message", "hint"] for check in found["checks"])
        failed = [check["message"] for check in found["checks"] if check["state"] == "failed"]
        assert (found["ready"], found["reasons"]) == (not failed, failed)
        assert status == (1 if failed else 0)
        return status, found

    return command


def states(found: dict[str, Any]) -> dict[str, str]:
    """Return the worst state of each check's name."""
    order = ("ok", "warning", "failed")
    worst: dict[str, str] = {}
    for check in found["checks"]:
        worst[check["name"]] = max(worst.get(check["name"], "ok"), check["state"], key=order.index)
    return worst


def said(found: dict[str, Any], name: str) -> str:
    """Return all that is said under a check's name."""
    return "\n".join(f"{each['message']}\n{each['hint']}" for each in found["checks"] if each["name"] == name)


def test_all_is_well(sandbox: Sandbox, described: dict[str, str], examine: Examine, token_requests: Requests) -> None:
    """With everything in order each check is ok, and one token was asked for; the second time, none."""
    assert described
    _, found = examine()
    assert set(states(found).values()) == {"ok"}
    assert list(states(found)) == [
        "profile",
        "versions",
        "HTTP library",
        "variables",
        "configuration",
        "strategy",
        "fallback",
        "API key",
        "token store",
        "encryption",
        "host",
        "clock",
        "token",
        "sessioninfo",
        "announced end",
    ]
    assert said(found, "token").startswith("new from Procountor, valid until ")
    assert said(found, "API key") == f"it claims to be for this client, company {sandbox.company}, this host\n"
    message = f"the token is for Sandbox Oy, company {sandbox.company}, user {sandbox.user_id}\n"
    assert said(found, "sessioninfo") == message
    assert said(examine()[1], "token").startswith("from the store, valid until ")
    assert token_requests(sandbox) == [CHOSEN]


def test_in_text_each_check_has_a_line(described: dict[str, str], run: Run, tmp_path: Path) -> None:
    """Each line has the state, the name and what was found; what to do stands below, the count at the end."""
    assert described
    (tmp_path / ".env").write_text("PROCOUNTOR_PKCE=true\n")
    (tmp_path / ".env").chmod(0o644)
    status, out, err = run("doctor", "--offline")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0] == "ok       profile        there are no profiles: this is the only configuration"
    assert re.fullmatch(r"ok       versions       Python 3\.\S+ on \w+, procountor-auth \S+, .*", lines[1])
    warned = next(number for number, line in enumerate(lines) if line.startswith("warning"))
    assert lines[warned] == "warning  access rights  other users of this machine can access .env (mode 0644)"
    assert lines[warned + 1] == "                        -> Run: chmod 600 .env"
    assert re.fullmatch(r"\d+ ok, 1 warning, 0 failed", lines[-2])
    assert lines[-1] == "Next: procountor-auth token"


@pytest.mark.parametrize("columns", [80, 50])
def test_on_a_terminal_nothing_is_wider_than_it(
    described: dict[str, str], start: Callable[..., Command], make_terminal: Callable[[], Terminal], columns: int
) -> None:
    """At 80 columns the lines are wrapped in their column, at 50 below the name; no variable is broken in two."""
    terminal = make_terminal()
    variables = described | {"TERM": "xterm-256color", "COLUMNS": str(columns), "NO_COLOR": ""}
    variables["HTTPS_PROXY"] = "http://me:canary@proxy.example:3128"
    assert start("doctor", "--offline", environment=variables, pipes={"stdout": terminal.side}).ends()[0] == 0
    shown = terminal.shown()
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "")
    assert "\x1b[38;5;28mok" in shown
    assert max(len(line) for line in plain.split("\n")) <= columns
    assert set(re.findall(r"PROCOUNTOR_\w+", plain)) == described.keys()
    assert " configuration" in plain


def test_offline_asks_nobody(sandbox: Sandbox, described: dict[str, str], examine: Examine) -> None:
    """With `--offline` there is no request; the stored token is described."""
    assert described
    _, found = examine("--offline")
    assert sandbox.log() == []
    assert said(found, "token") == "none is stored; the next program requests one\n"
    assert not {"host", "clock", "sessioninfo"} & states(found).keys()
    TokenSource.from_env().token()
    assert said(examine("--offline")[1], "token").startswith("the stored one is fresh, and expires ")


def test_where_each_variable_comes_from(
    sandbox: Sandbox,
    environment: Environment,
    write_profiles: WriteProfiles,
    examine: Examine,
    tmp_path: Path,
) -> None:
    """Each variable's name stands beside its place: environment, .env, secrets directory, profiles file. No value."""
    chosen = sandbox.environment(CHOSEN)
    (tmp_path / ".env").write_text(f"PROCOUNTOR_BASE_URL={chosen['PROCOUNTOR_BASE_URL']}\n")
    (tmp_path / ".env").chmod(0o600)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "PROCOUNTOR_CLIENT_SECRET").write_text(chosen["PROCOUNTOR_CLIENT_SECRET"])
    file = write_profiles({"strategy": CHOSEN}, acme={"client_id": chosen["PROCOUNTOR_CLIENT_ID"]})
    environment(
        {
            "PROCOUNTOR_SECRETS_DIR": str(secrets),
            "PROCOUNTOR_PROFILES_FILE": str(file),
            "PROCOUNTOR_REDIRECT_URI": chosen["PROCOUNTOR_REDIRECT_URI"],
            "PROCOUNTOR_PROFILES__ACME__API_KEY": chosen["PROCOUNTOR_API_KEY"],
        }
    )
    _, found = examine("--profile", "ACME")
    assert found["profile"] == "acme"
    key = "PROCOUNTOR_PROFILES__ACME__API_KEY"
    assert said(found, "variables").split("\n\n") == [
        f"from the environment: PROCOUNTOR_SECRETS_DIR, {key}, PROCOUNTOR_PROFILES_FILE, PROCOUNTOR_REDIRECT_URI",
        "from the .env file: PROCOUNTOR_BASE_URL",
        "from the secrets directory: PROCOUNTOR_CLIENT_SECRET",
        "from [profiles.acme] of the profiles file: client_id",
        "from the top of the profiles file: strategy\n",
    ]
    assert said(found, "profile") == "acme, the only one, chosen by --profile\n"


def test_what_contradicts_is_told(described: dict[str, str], examine: Examine, tmp_path: Path) -> None:
    """A value that another place overrides is named with both places; the same value twice is not."""
    same = described["PROCOUNTOR_CLIENT_ID"]
    (tmp_path / ".env").write_text(f"PROCOUNTOR_API_KEY=canary\nPROCOUNTOR_CLIENT_ID={same}\n")
    _, found = examine("--offline")
    warned = [check["message"] for check in found["checks"] if check["name"] == "variables" and check["hint"]]
    assert warned == ["PROCOUNTOR_API_KEY differs between the environment and the .env file; the environment wins"]
    assert "canary" not in str(found)


@pytest.mark.parametrize(
    ("name", "variable", "common", "differs"),
    [
        ("client_id", "canary-1", '"canary-2"', True),
        ("client_id", "canary-1", '"canary-1"', False),
        ("timeout", "30", "30.0", False),
        ("timeout", "30", "31", True),
        ("timeout", "canary", "31", True),
        ("pkce", "yes", "true", False),
        ("pkce", "yes", "false", True),
        ("proxy", "", '"canary"', False),
        ("timeout", "30", "1\nTimeout = 2", False),
    ],
)
def test_what_contradicts_the_profiles_file_is_told(
    described: dict[str, str],
    environment: Environment,
    examine: Examine,
    tmp_path: Path,
    name: str,
    variable: str,
    common: str,
    *,
    differs: bool,
) -> None:
    """Of the profiles file its common values count, in whichever way they are written; a profile's own may differ."""
    file = tmp_path / "profiles.toml"
    file.write_text(f"{name} = {common}\n[profiles.acme]\nclient_secret = 'canary'\n")
    changed = {f"PROCOUNTOR_{name.upper()}": variable, "PROCOUNTOR_PROFILES_FILE": str(file)}
    environment(described | changed)
    _, found = examine("--profile", "acme", "--offline")
    warned = [check["message"] for check in found["checks"] if check["name"] == "variables" and "differs" in str(check)]
    said = f"PROCOUNTOR_{name.upper()} differs between the environment and the top of the profiles file; "
    assert warned == ([f"{said}the environment wins"] if differs else [])
    assert "canary" not in "".join(warned)


def test_what_is_ignored_is_told(described: dict[str, str], examine: Examine, environment: Environment) -> None:
    """A variable under our prefix that is none of ours is a warning."""
    environment(described | {"PROCOUNTOR_COLOUR_OF_MY_APP": "canary"})
    _, found = examine("--offline")
    assert "PROCOUNTOR_COLOUR_OF_MY_APP is not a setting of procountor_auth and is ignored" in said(found, "variables")
    assert states(found)["variables"] == "warning"


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        (
            {"API_KEY": "", "BASE_URL": "https://canary/rest"},
            ["PROCOUNTOR_API_KEY is missing (client_credentials needs it)", "PROCOUNTOR_BASE_URL must be the host al"],
        ),
        ({"CLIENT_IT": "canary", "CLIENT_ID": ""}, ["PROCOUNTOR_CLIENT_ID is", "PROCOUNTOR_CLIENT_IT is unknown: did"]),
        ({"STRATEGY": ""}, ["PROCOUNTOR_STRATEGY is missing"]),
        ({"TOKEN_STORE": "file:/dev/null/x"}, ["/dev/null/x"]),
        ({"TOKEN_STORE": "redis://:canary@127.0.0.1:1/0"}, ["Redis at 127.0.0.1:1/0 can't be reached."]),
        ({"TOKEN_STORE_KEY": "canary"}, ["PROCOUNTOR_TOKEN_STORE_KEY: the key is not 32 bytes"]),
        ({"BASE_URL": "http://127.0.0.1:1"}, ["http://127.0.0.1:1 can't be reached"]),
        ({"BASE_URL": "https://" + "a" * 64 + ".example"}, ["is not found (DNS)"]),
        ({"CLIENT_SECRET": "canary"}, ["The server rejected the client credentials grant"]),
        ({"CA_BUNDLE": "/canary.pem"}, ["PROCOUNTOR_CA_BUNDLE does not name a PEM file"]),
        ({"PROXY": "http://me:canary@127.0.0.1:1", "BASE_URL": "https://host.invalid"}, ["can't be reached"]),
        ({"PROFILE": "nobody"}, ["there is no profile 'nobody'"]),
        ({"PROFILES_FILE": "nowhere.toml"}, ["PROCOUNTOR_PROFILES_FILE names a file that does not exist"]),
    ],
)
def test_what_fails_has_its_reason_and_hint(
    described: dict[str, str],
    environment: Environment,
    examine: Examine,
    changes: dict[str, str],
    reasons: list[str],
) -> None:
    """Each fault is a failed check with a hint, status 1, and no value that is secret."""
    environment(described | {f"PROCOUNTOR_{name}": value for name, value in changes.items()})
    status, found = examine()
    assert (status, len(found["reasons"])) == (1, len(reasons))
    for expected, reason in zip(reasons, found["reasons"], strict=True):
        assert expected in reason
    assert all(check["hint"] for check in found["checks"] if check["state"] == "failed")
    assert "canary" not in str(found).replace("/canary.pem", "")


def test_a_profile_that_is_none_is_a_wrong_option(described: dict[str, str], run: Run) -> None:
    """`--profile` with a name that does not exist is status 2."""
    assert described
    status, out, err = run("doctor", "--profile", "nobody")
    assert (status, out) == (2, "")
    assert "there is no profile 'nobody'" in err


def test_a_profile_has_to_be_chosen(described: dict[str, str], examine: Examine, write_profiles: WriteProfiles) -> None:
    """Where there are profiles and none is chosen, a warning says how to choose one."""
    assert described
    write_profiles(acme={}, beta={})
    found = examine("--offline")[1]
    assert said(found, "profile") == (
        "none of 2 is chosen (acme, beta): this is what they have in common\n"
        "Choose one with --profile, or with PROCOUNTOR_PROFILE."
    )
    assert (found["profile"], states(found)["profile"]) == (None, "warning")


def test_the_first_check_says_which_profile(
    described: dict[str, str],
    environment: Environment,
    examine: Examine,
    run: Run,
    write_profiles: WriteProfiles,
) -> None:
    """Whatever is wrong, the first check says which profile this is and who chose it, or which there are."""

    def first(*arguments: str) -> tuple[str | None, str]:
        found = examine("--offline", *arguments)[1]
        assert found["checks"][0]["name"] == "profile"
        return found["profile"], found["checks"][0]["message"]

    file = write_profiles({"strategy": CHOSEN}, **{f"c-{number}": {} for number in range(12)}, a_b={"api_kye": "x"})
    names = ", ".join(f"c-{number}" for number in range(10))
    chosen = described | {"PROCOUNTOR_PROFILES_FILE": str(file), "PROCOUNTOR_PROFILE": "A-B"}
    environment(chosen)
    assert first() == ("a_b", "a_b, one of 13, chosen by PROCOUNTOR_PROFILE (the environment)")
    assert first("--profile", "c_1") == ("c-1", "c-1, one of 13, chosen by --profile")
    environment(chosen | {"PROCOUNTOR_PROFILE": "nobody"})
    assert first() == (None, f"the profile in PROCOUNTOR_PROFILE is none of 13 ({names} and 3 more)")
    assert f"There are 13. They are {names} and 3 more." in run("doctor", "--profile", "nobody")[2]
    environment(described | {"PROCOUNTOR_PROFILE": "nobody"})
    assert first() == (None, "the profile in PROCOUNTOR_PROFILE is none: there are no profiles")
    file.write_text("[profiles.acme\n")
    environment(chosen)
    message = "which profile this is, or which there are, is not known: not everything can be read"
    assert first() == (None, message)
    message = "acme is requested; which profiles there are is not known: not everything can be read"
    assert first("--profile", "acme") == ("acme", message)


def test_files_of_secrets_are_for_their_owner(
    described: dict[str, str], examine: Examine, write_profiles: WriteProfiles
) -> None:
    """A profiles file that others may read is a warning with the command that fixes it."""
    assert described
    file = write_profiles(acme={})
    assert said(examine("--offline", "--profile", "acme")[1], "access rights") == f"only this user can access {file}\n"
    file.chmod(0o640)
    found = examine("--offline", "--profile", "acme")[1]
    assert (states(found)["access rights"], f"chmod 600 {file}" in said(found, "access rights")) == ("warning", True)


def test_a_file_that_can_not_be_read_is_not_missing(
    environment: Environment, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An .env that belongs to another user is named with what to do; nobody is sent to write another one."""
    environment({})
    Path(".env").touch(mode=0o600)
    readable = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != ".env" and readable(path, mode))

    def refuse(path: Path, *_: object, **__: object) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(env_file, "read_bytes", refuse)
    found = examine("--offline")[1]
    assert "this user can't read .env (mode 0600)" in said(found, "access rights")
    assert "chmod u+r .env" in said(found, "access rights")
    told = said(found, "variables")
    assert "can't be read (Permission denied) and is ignored" in told
    assert "Give this user the right to read it." in told
    assert "Correct its name" not in told
    assert "none is set" not in told


def test_the_deprecated_strategy_is_a_warning(sandbox: Sandbox, environment: Environment, examine: Examine) -> None:
    """It says what to set instead, and looks on; where the policy forbids it, it has failed, and no token is asked."""
    variables = sandbox.environment("legacy_password")
    environment(variables)
    _, found = examine()
    assert states(found)["strategy"] == "warning"
    assert "PROCOUNTOR_STRATEGY=client_credentials and PROCOUNTOR_API_KEY" in said(found, "strategy")
    assert states(found)["sessioninfo"] == "ok"
    sandbox.clear_log()
    environment(variables | {"PROCOUNTOR_LEGACY_POLICY": "error"})
    status, found = examine()
    assert (status, states(found)["strategy"]) == (1, "failed")
    assert not {"token", "sessioninfo"} & states(found).keys()
    assert [each["path"] for each in sandbox.log()] == ["/api/sessioninfo"]


def test_a_fallback_is_a_warning(sandbox: Sandbox, environment: Environment, examine: Examine) -> None:
    """A deprecated fallback strategy is warned of, and that it had to help."""
    sandbox.world.revoke_api_key(sandbox.api_key)
    variables = sandbox.environment("legacy_password") | sandbox.environment(CHOSEN)
    environment(variables | {"PROCOUNTOR_FALLBACK_STRATEGY": "legacy_password"})
    status, found = examine()
    assert (status, states(found)["fallback"]) == (0, "warning")
    assert "legacy_password, up to 24 times in each program" in said(found, "fallback")
    assert "falling back to legacy_password, 1 of at most 24 times" in said(found, "fallback")


@pytest.mark.parametrize("skew", [7200, -7200])
def test_a_wrong_clock_is_a_warning(sandbox: Sandbox, described: dict[str, str], examine: Examine, skew: int) -> None:
    """More than a minute between the server's clock and this machine's is told, with the direction."""
    assert described
    sandbox.faults = Faults(clock_skew=skew)
    _, found = examine()
    assert states(found)["clock"] == "warning"
    assert re.match(
        rf"this machine's clock is (7199|7200|7201) seconds {'behind' if skew > 0 else 'ahead of'} the server's\n",
        said(found, "clock"),
    )


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (Faults(status=503, retry_after="0", where="api"), "with status 503"),
        (Faults(body="html", status=403, where="api"), "with a web page, status 403"),
    ],
)
def test_a_host_that_answers_strangely(
    sandbox: Sandbox,
    described: dict[str, str],
    examine: Examine,
    faults: Faults,
    words: str,
) -> None:
    """A busy server and a gateway's page are told with their status; then sessioninfo fails."""
    assert described
    sandbox.faults = faults
    status, found = examine()
    assert (status, states(found)["host"]) == (1, "warning")
    assert words in said(found, "host")
    assert states(found)["sessioninfo"] == "failed"


def test_a_token_that_was_revoked_is_replaced(described: dict[str, str], run: Run, examine: Examine) -> None:
    """A stored token that the API does not take is replaced, as a program's requests do it, and that is told."""
    assert described
    first = TokenSource.from_env()
    assert first.token().access_token == run("token")[1].strip()
    Transport().run(first.strategy.logout(first.token()))
    status, found = examine()
    assert (status, states(found)["sessioninfo"]) == (0, "warning")
    assert said(found, "sessioninfo").endswith("; the previous token was rejected\n")
    assert run("token")[1].strip() != first.token().access_token


def test_another_company_than_the_configured_one(
    sandbox: Sandbox,
    environment: Environment,
    examine: Examine,
) -> None:
    """If the API says another company than PROCOUNTOR_COMPANY, that has failed, though the token says nothing."""
    sandbox.quirks = Quirks(company="omit")
    other = sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, 14160)
    environment(sandbox.environment(CHOSEN) | {"PROCOUNTOR_API_KEY": other, "PROCOUNTOR_COMPANY": "14159"})
    _, found = examine()
    assert found["reasons"] == ["The token of client_credentials reaches company 14160; PROCOUNTOR_COMPANY is 14159."]


def test_announced_ends_are_warnings(sandbox: Sandbox, described: dict[str, str], examine: Examine) -> None:
    """What the server announces is shown once, with its page."""
    assert described
    sandbox.faults = Faults(deprecation="2026-01-01", sunset="2030-03-17", sunset_link="https://x.example/end")
    _, found = examine()
    assert said(found, "announced end").split("\n")[0] == (
        "the server announces: deprecated as of 2026-01-01, removed as of 2030-03-17, see https://x.example/end"
    )
    assert len([check for check in found["checks"] if check["name"] == "announced end"]) == 1
    sandbox.faults = Faults()
    assert "removed as of 2030-03-17" in said(examine("--offline")[1], "announced end")


@pytest.mark.parametrize(("retryable", "state"), [(True, "warning"), (False, "failed")])
@pytest.mark.parametrize("offline", [[], ["--offline"]])
def test_the_last_renewal(
    described: dict[str, str],
    examine: Examine,
    store_token: StoreToken,
    *,
    retryable: bool,
    state: str,
    offline: list[str],
) -> None:
    """A stored token hides a renewal that has failed; doctor does not."""
    assert described
    now = time.time()
    token = Token(TokenSource.from_env(account="x").token().access_token, now, now + 3600, CHOSEN)
    error = ServiceUnavailable("Not now.") if retryable else InvalidGrant("Never.")
    store_token(token, Failure.of(error))
    assert states(examine(*offline)[1])["last renewal"] == state


@pytest.mark.parametrize("offline", [[], ["--offline"]])
def test_a_person_has_to_log_in(
    sandbox: Sandbox,
    environment: Environment,
    examine: Examine,
    tmp_path: Path,
    offline: list[str],
) -> None:
    """Without a refresh token the check of the token has failed, and says how to log in."""
    store = {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    environment(sandbox.environment("authorization_code") | store)
    _, found = examine(*offline)
    assert states(found)["token"] == "failed"
    assert "procountor-auth login" in said(found, "token")
    environment(sandbox.environment("authorization_code", refresh_token=True))
    _, found = examine(*offline)
    assert found["ready"]
    assert "so that a replaced refresh token is kept" in said(found, "token store")


def test_what_protects_the_store(
    described: dict[str, str],
    environment: Environment,
    examine: Examine,
    redis_url: str,
) -> None:
    """A Redis without a key is a warning, with one it is not; the file store's files are private."""
    assert said(examine("--offline")[1], "encryption") == (
        "stored tokens are not sealed; only this user can access the files\n"
    )
    environment(described | {"PROCOUNTOR_TOKEN_STORE": redis_url})
    _, found = examine("--offline")
    assert states(found)["encryption"] == "warning"
    assert said(found, "token store") == (
        "redis can be read and locked, and is shared by every host that can reach it\n"
    )
    environment(described | {"PROCOUNTOR_TOKEN_STORE": redis_url, "PROCOUNTOR_TOKEN_STORE_KEY": KEY})
    _, found = examine()
    assert (states(found)["encryption"], found["ready"]) == ("ok", True)
    assert redis_url not in str(found)


def _key(sandbox: Sandbox, **claims: object) -> str:
    """Return a key that says something of itself, and that the sandbox does not know."""
    said = {
        "iss": sandbox.environment(CHOSEN)["PROCOUNTOR_BASE_URL"],
        "aud": sandbox.client_id,
        "cid": sandbox.company,
        "sub": "canary",
    }
    return jwt.encode(said | claims, "c" * 32, algorithm="HS256")


@pytest.mark.parametrize(
    ("claims", "company", "message", "in_the_way"),
    [
        (
            {"aud": "canary"},
            "",
            "PROCOUNTOR_API_KEY says that it is for another client than PROCOUNTOR_CLIENT_ID",
            True,
        ),
        ({"cid": "14160"}, "14159", "PROCOUNTOR_API_KEY is for company 14160; PROCOUNTOR_COMPANY is 14159.", True),
        ({"exp": 1_600_000_000}, "", "PROCOUNTOR_API_KEY says that it has ended on 2020-09-13", True),
        (
            {"iss": "https://api.procountor.com"},
            "",
            (
                "PROCOUNTOR_API_KEY was issued by https://api.procountor.com (production), but the configured host is "
                "127.0.0.1"
            ),
            False,
        ),
    ],
)
@pytest.mark.parametrize("store", ["memory", "file"])
def test_a_key_that_says_it_does_not_fit(
    sandbox: Sandbox,
    described: dict[str, str],
    environment: Environment,
    examine: Examine,
    claims: dict[str, object],
    company: str,
    message: str,
    store: str,
    *,
    in_the_way: bool,
) -> None:
    """It is told once: a failure where nobody else will say so, and a warning where the server's answer decides."""
    key = _key(sandbox, **claims)
    variables = described | {"PROCOUNTOR_API_KEY": key, "PROCOUNTOR_COMPANY": company}
    if store == "memory":
        variables["PROCOUNTOR_TOKEN_STORE"] = "memory"
    environment(variables)
    _, found = examine("--offline")
    (check,) = [check for check in found["checks"] if check["name"] == "API key"]
    assert (check["message"], check["state"]) == (message, "failed" if in_the_way else "warning")
    assert check["hint"]
    assert found["reasons"] == ([message] if in_the_way else [])
    _, found = examine()
    assert states(found)["API key"] == "warning"
    assert states(found)["token"] == "failed"  # the sandbox does not know this key
    assert key not in str(found)
    assert "canary" not in str(found)


@pytest.mark.parametrize("key", ["an-opaque-key", "a.b.c", "e30.e30.c2ln"])
def test_a_key_that_says_nothing(
    described: dict[str, str], environment: Environment, examine: Examine, key: str
) -> None:
    """Of a key that is no JWT, or has no claims, nothing is said."""
    environment(described | {"PROCOUNTOR_API_KEY": key})
    assert "API key" not in states(examine("--offline")[1])


def test_a_key_that_works_is_right_whatever_it_says(environment: Environment, examine: Examine) -> None:
    """A key that says it was issued elsewhere, and that the host takes, is a warning and no failure."""
    port = free_port()
    with Sandbox(port=port, base_url="https://api.procountor.com") as sandbox:
        environment(sandbox.environment(CHOSEN) | {"PROCOUNTOR_BASE_URL": f"http://127.0.0.1:{port}"})
        _, found = examine()
    assert (found["ready"], states(found)["API key"], states(found)["sessioninfo"]) == (True, "warning", "ok")
