"""The command `procountor-auth status`: what it says of each profile, and that it asks nobody."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import redis

from procountor_auth import Token, TokenSource
from procountor_auth.errors import InvalidGrant, ServiceUnavailable
from procountor_auth.sandbox import Faults, Sandbox
from procountor_auth.settings.profiles import Profiles
from procountor_auth.stores.failure import Failure
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Command, Run, Terminal

    Start = Callable[..., Command]
    Environment = Callable[[dict[str, str]], None]
    StoreToken = Callable[..., None]

pytestmark = pytest.mark.once

CHOSEN = "client_credentials"
DAY = 86_400
ENDED = jwt.encode({"sub": "canary", "exp": 1_600_000_000}, "c" * 32)


@pytest.fixture
def described(sandbox: Sandbox, environment: Environment, tmp_path: Path) -> dict[str, str]:
    """The variables of a sandbox, which are set."""
    variables = sandbox.environment(CHOSEN) | {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    environment(variables)
    return variables


def one(out: str) -> dict[str, Any]:
    """Read the one JSON document, of one profile."""
    assert out.count("\n") == 1
    (found,) = json.loads(out)["profiles"]
    assert isinstance(found, dict)
    return found


def test_one_configuration_is_a_list_of_lines(
    sandbox: Sandbox, described: dict[str, str], run: Run, tmp_path: Path
) -> None:
    """Strategy, host, client, store, token and company have a line each; no request is made."""
    assert described
    token = TokenSource.from_env().token()
    asked = len(sandbox.log())
    status, out, err = run("status")
    ends = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(token.expires_at))
    assert (status, err, len(sandbox.log())) == (0, "", asked)
    assert out.splitlines() == [
        "strategy     client_credentials",
        f"host         {sandbox.base_url}",
        f"client ID    {sandbox.client_id}",
        f"token store  file:{tmp_path / 'tokens'}",
        f"token        fresh, ends {ends}",
        f"company      {sandbox.company}, user {sandbox.user_id} (from the token)",
        "state        ready",
        "Next: procountor-auth token",
    ]


def test_json_has_everything(sandbox: Sandbox, described: dict[str, str], run: Run) -> None:
    """The JSON has the same and more, and not the token."""
    assert described
    token = TokenSource.from_env().token()
    status, out, err = run("status", "--json")
    assert (status, err) == (0, "")
    assert token.access_token not in out
    found = one(out)
    assert found.pop("store").startswith("file:")
    assert found == {
        "profile": None,
        "ready": True,
        "reasons": [],
        "problems": [],
        "strategy": CHOSEN,
        "deprecated": False,
        "fallback_strategy": None,
        "host": sandbox.base_url,
        "client_id": sandbox.client_id,
        "token_state": "fresh",
        "token_strategy": CHOSEN,
        "token_expires_at": token.expires_at,
        "company_id": int(sandbox.company),
        "user_id": sandbox.user_id,
        "refresh_token_expires_at": None,
        "refresh_token_days": None,
        "deprecated_at": None,
        "sunset_at": None,
        "last_failure": None,
    }


@pytest.mark.parametrize(
    ("left", "state"), [(3600, "fresh"), (200, "stale"), (30, "expired"), (-5, "expired"), (None, "none")]
)
def test_the_state_of_the_token(
    described: dict[str, str], run: Run, store_token: StoreToken, left: int | None, state: str
) -> None:
    """Fresh, stale, expired or none; none of them keeps a program that can get another from being ready."""
    assert described
    now = time.time()
    if left is not None:
        store_token(Token("access-CANARY", now + left - 3600, now + left, CHOSEN))
    status, out, _ = run("status", "--json")
    assert (status, one(out)["token_state"]) == (0, state)
    status, out, _ = run("status")
    assert re.search(rf"^token        {state}", out, re.MULTILINE)
    assert "CANARY" not in out


@pytest.mark.parametrize(
    ("stored", "configured", "ready"),
    [
        (None, None, False),
        ((-5, None), None, False),
        ((3600, None), None, True),
        ((-5, 10 * DAY), None, True),
        ((-5, -5), None, False),
        (None, 10 * DAY, True),
        (None, -5, False),
        ((-5, -5), 10 * DAY, True),
    ],
)
def test_whether_a_person_has_to_log_in(
    sandbox: Sandbox,
    environment: Environment,
    run: Run,
    store_token: StoreToken,
    tmp_path: Path,
    *,
    stored: tuple[int, int | None] | None,
    configured: int | None,
    ready: bool,
) -> None:
    """Without a usable token and a refresh token that has not ended, a user has to log in; status 1 and how."""
    variables = sandbox.environment("authorization_code") | {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    if configured is not None:
        variables["PROCOUNTOR_REFRESH_TOKEN"] = jwt_that_ends(configured)
    environment(variables)
    now = time.time()
    if stored is not None:
        left, refresh_left = stored
        refresh_token = None if refresh_left is None else jwt_that_ends(refresh_left)
        store_token(Token("access-CANARY", now + left - 3600, now + left, "authorization_code", refresh_token))
    status, out, _ = run("status")
    assert status == (0 if ready else 1)
    assert ("a user has to log in\n    Run `procountor-auth login`, or set PROCOUNTOR_REFRESH_TOKEN.\n" in out) is (
        not ready
    )
    if stored is not None and stored[1] == 10 * DAY:
        assert re.search(r"refresh token  expires [-0-9]{10} .* UTC, in (9|10) days\n", out)


def jwt_that_ends(seconds: int) -> str:
    """Return a token with a claim that says when it ends, in seconds from now."""
    return jwt.encode({"sub": 1, "cid": 2, "exp": int(time.time()) + seconds}, "0" * 32, algorithm="HS256")


def test_a_fallback_that_can_help_makes_it_ready(
    sandbox: Sandbox, environment: Environment, run: Run, tmp_path: Path
) -> None:
    """Nobody has to log in while the fallback strategy gets tokens; status says whose token is stored."""
    legacy = sandbox.environment("legacy_password")
    variables = legacy | sandbox.environment("authorization_code")
    variables |= {
        "PROCOUNTOR_FALLBACK_STRATEGY": "legacy_password",
        "PROCOUNTOR_LEGACY_POLICY": "allow",
        "PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}",
    }
    environment(variables)
    assert TokenSource.from_env().token().strategy == "legacy_password"
    status, out, _ = run("status")
    assert status == 0
    assert "fallback       legacy_password\n" in out
    assert "by             legacy_password, the fallback strategy\n" in out


def test_a_refused_renewal_is_not_ready(sandbox: Sandbox, described: dict[str, str], run: Run) -> None:
    """If the server has refused the last renewal, the profile is not ready, and the reason is given."""
    assert described
    sandbox.world.revoke_api_key(sandbox.api_key)
    assert run("token")[0] == 1
    status, out, _ = run("status", "--json")
    found = one(out)
    assert (status, found["ready"], found["last_failure"]["code"]) == (1, False, "invalid_grant")
    assert found["reasons"][0].startswith("the last renewal failed: The server rejected the client credentials grant")
    assert found["problems"][0]["hint"].startswith("Check PROCOUNTOR_API_KEY")


def test_a_renewal_that_may_succeed_later_is_told(described: dict[str, str], run: Run, store_token: StoreToken) -> None:
    """If the server could not answer, the profile is ready, and the line about it says so."""
    assert described
    store_token(None, Failure.of(ServiceUnavailable("The server has no time (status 503).")))
    status, out, _ = run("status")
    assert (status, "last renewal  failed: The server has no time (status 503).\n" in out) == (0, True)
    store_token(None, Failure.of(InvalidGrant("The server says no.")))
    assert run("status")[0] == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"API_KEY": "", "CLIENT_ID": ""}, "PROCOUNTOR_API_KEY is missing"),
        ({"BASE_URL": "https://canary/rest"}, "PROCOUNTOR_BASE_URL must be the host alone"),
        ({"TOKEN_STORE": "file:/dev/null/x"}, "/dev/null/x"),
        ({"TOKEN_STORE": "redis://:canary@127.0.0.1:1/0"}, "Redis at 127.0.0.1:1/0 can't be reached."),
        ({"TOKEN_STORE": "redis://:can#ary@x/y"}, "PROCOUNTOR_TOKEN_STORE is not a URL"),
        ({"TOKEN_STORE_KEY": "canary"}, "PROCOUNTOR_TOKEN_STORE_KEY: the key is not"),
        ({"API_KEY": "keyring:nothing"}, "which stores nothing"),
        ({"STRATEGY": "magic"}, "PROCOUNTOR_STRATEGY must be one of"),
        ({"API_KEY": ENDED}, "PROCOUNTOR_API_KEY says that it has ended on 2020-09-13"),
        ({"CLIENT_ID": "another"}, "PROCOUNTOR_API_KEY says that it is for another client than PROCOUNTOR_CLIENT_ID"),
    ],
)
def test_what_is_wrong_is_a_reason(
    described: dict[str, str],
    run: Run,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    *,
    changes: dict[str, str],
    reason: str,
) -> None:
    """A wrong configuration and a store that can't be read are reasons, not crashes; no value is shown."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    environment(described | {f"PROCOUNTOR_{name}": value for name, value in changes.items()})
    status, out, err = run("status", "--json")
    found = one(out)
    assert (status, err, found["ready"]) == (1, "", False)
    assert reason in "; ".join(found["reasons"])
    text = run("status")[1]
    assert reason in text
    assert "canary" not in out + text


def test_the_legacy_strategy_is_marked_and_nothing_else(sandbox: Sandbox, environment: Environment, run: Run) -> None:
    """The deprecated strategy is named as such, without a warning; where the policy forbids it, it is not ready."""
    variables = sandbox.environment("legacy_password")
    environment(variables)
    status, out, err = run("status")  # a warning would be an error here
    assert (status, err) == (0, "")
    assert out.startswith("strategy     legacy_password, deprecated\n")
    assert "in the memory of each program" in out
    environment(variables | {"PROCOUNTOR_LEGACY_POLICY": "error"})
    status, out, err = run("status", "--json")
    assert (status, err) == (1, "")
    assert one(out)["reasons"] == [
        "PROCOUNTOR_STRATEGY=legacy_password is not allowed, because PROCOUNTOR_LEGACY_POLICY=error."
    ]


def test_an_announced_end_is_shown(described: dict[str, str], run: Run, store_token: StoreToken) -> None:
    """What the server has said about its end stands in the store with the token."""
    assert described
    now = time.time()
    token = Token("access", now, now + 3600, CHOSEN, deprecated_at=1_800_000_000.0, sunset_at=1_900_000_000.0)
    store_token(token)
    out = run("status")[1]
    assert "announced    deprecated as of 2027-01-15, removed as of 2030-03-17\n" in out
    found = one(run("status", "--json")[1])
    assert (found["deprecated_at"], found["sunset_at"]) == (1_800_000_000.0, 1_900_000_000.0)


def test_a_sealed_store_is_opened_with_the_key(described: dict[str, str], run: Run, environment: Environment) -> None:
    """With the key the token is seen; without it, the reason says which variable has it."""
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    environment(described | {"PROCOUNTOR_TOKEN_STORE_KEY": key})
    TokenSource.from_env().token()
    assert one(run("status", "--json")[1])["token_state"] == "fresh"
    environment(described)
    status, out, _ = run("status")
    assert (status, "PROCOUNTOR_TOKEN_STORE_KEY is not set" in out, key in out) == (1, True, False)


def test_accounts_are_apart(described: dict[str, str], run: Run) -> None:
    """`--account` looks at the entry that a program with that account has."""
    assert described
    TokenSource.from_env(account="anna").token()
    states = [one(run("status", "--json", *option)[1])["token_state"] for option in ([], ["--account", "anna"])]
    assert states == ["none", "fresh"]


@pytest.fixture
def three(
    sandbox: Sandbox, environment: Environment, write_profiles: Callable[..., Path], tmp_path: Path
) -> dict[str, str]:
    """Three profiles: one with a token, one on the legacy login, one without its key. Returns the variables."""
    variables = sandbox.environment("legacy_password") | {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    file = write_profiles(
        acme={"strategy": CHOSEN, "api_key": sandbox.api_key},
        old={"company": sandbox.company},
        **{"a-company-with-quite-a-long-name": {"strategy": CHOSEN}},
    )
    variables["PROCOUNTOR_PROFILES_FILE"] = str(file)
    environment(variables)
    TokenSource.from_env(profile="acme").token()
    return variables


def test_several_profiles_are_a_table(sandbox: Sandbox, three: dict[str, str], run: Run) -> None:
    """Each has a row; what all share stands above, the reasons below; empty columns are left out."""
    assert three
    status, out, err = run("status")
    lines = [" ".join(re.sub(r"\b(59|60) min", "59 min", line).split()) for line in out.splitlines()]
    assert (status, err) == (1, "")
    assert lines[0] == f"host: {sandbox.base_url}"
    assert lines[2:6] == [
        "profile state strategy token company",
        "acme ready client_credentials fresh, 59 min 14159",
        "old ready legacy_password* none",
        "a-company-with-quite-a-long-name",
    ]
    assert lines[6] == "not ready"
    assert lines[7:9] == [
        "a-company-with-quite-a-long-name",
        "PROCOUNTOR_API_KEY is missing (client_credentials needs it)",
    ]
    assert lines[-3:] == [
        "* deprecated",
        "3 profiles: 2 ready, 1 not ready",
        "Next: procountor-auth doctor --profile a-company-with-quite-a-long-name checks everything.",
    ]
    assert not [line for line in out.splitlines() if line != line.rstrip()]


def test_profiles_are_chosen_by_name(three: dict[str, str], run: Run) -> None:
    """`--profile` may be given many times; each is shown once, as it is spelt; unknown ones are all named."""
    assert three
    found = json.loads(run("status", "--json", "--profile", "OLD", "--profile", "acme", "--profile", "old")[1])
    assert [each["profile"] for each in found["profiles"]] == ["old", "acme"]
    assert run("status", "--profile", "acme")[1].startswith("profile      acme\n")
    status, out, err = run("status", "--profile", "acmee", "--profile", "old", "--profile", "zzz")
    assert (status, out) == (2, "")
    assert err.startswith(
        "procountor-auth: there is no profile 'acmee': did you mean acme?; there is no profile 'zzz'.\n"
    )


def test_on_a_terminal_nothing_is_wider_than_it(
    three: dict[str, str], start: Start, make_terminal: Callable[[], Terminal]
) -> None:
    """At 80 columns the table keeps to the width; what has no room is named, and no cell is cut off."""
    terminal = make_terminal()
    long_store = three | {
        "PROCOUNTOR_PROFILES__OLD__TOKEN_STORE": f"{three['PROCOUNTOR_TOKEN_STORE']}/in/another/folder",
        "TERM": "xterm-256color",
        "COLUMNS": "80",
        "NO_COLOR": "",
    }
    assert start("status", environment=long_store, pipes={"stdout": terminal.side}).ends()[0] == 1
    shown = terminal.shown()
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "")
    assert "\x1b[" in shown
    assert max(len(line) for line in plain.split("\n")) <= 80
    assert re.search(r"client_credentials  fresh, \d\d min +14159\n", plain)
    assert "legacy_password*  " in plain
    assert "This terminal has no room for: token store." in plain
    assert "…" not in plain.replace("LONG_NAME__…", "")  # the hint's own


def test_no_color_is_honoured(three: dict[str, str], start: Start, make_terminal: Callable[[], Terminal]) -> None:
    """With NO_COLOR, or on a dumb terminal, a terminal gets plain text."""
    for variables in ({"NO_COLOR": "1", "TERM": "xterm"}, {"NO_COLOR": "", "TERM": "dumb"}):
        terminal = make_terminal()
        start("status", environment=three | variables, pipes={"stdout": terminal.side}).ends()
        assert not re.search(r"\x1b\[[0-9;]*[34][0-9]", shown := terminal.shown())
        assert "not ready" in shown


def test_many_profiles_over_redis(
    sandbox: Sandbox,
    environment: Environment,
    write_profiles: Callable[..., Path],
    redis_url: str,
    run: Run,
) -> None:
    """Hundreds of profiles share one store with a few connections, and each finds its own token."""
    count = 200
    keys = [sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, 14159 + n % 2) for n in range(count)]
    file = write_profiles(**{f"c{n:03}": {"api_key": key} for n, key in enumerate(keys)})
    environment(
        sandbox.environment(CHOSEN) | {"PROCOUNTOR_TOKEN_STORE": redis_url, "PROCOUNTOR_PROFILES_FILE": str(file)}
    )
    for n in (0, 1, count - 1):
        TokenSource.from_env(profile=f"c{n:03}").token()
    asked = len(sandbox.log())
    with redis.Redis.from_url(redis_url) as client:
        before = client.info("stats")["total_connections_received"]
        status, out, err = run("status", "--json")
        connections = client.info("stats")["total_connections_received"] - before
    found = json.loads(out)["profiles"]
    assert (status, err, len(found), len(sandbox.log())) == (0, "", count, asked)
    assert {n: each["company_id"] for n, each in enumerate(found) if each["token_state"] == "fresh"} == {
        0: 14159,
        1: 14160,
        count - 1: 14159 + (count - 1) % 2,
    }
    assert {each["store"] for each in found} == {"redis"}
    assert 1 <= connections <= 16
    assert redis_url not in out


def test_an_entry_that_can_not_be_read_now_is_one_profile_s(
    sandbox: Sandbox,
    environment: Environment,
    write_profiles: Callable[..., Path],
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where another host has just replaced one file, the other profiles are read as ever."""
    environment(sandbox.environment(CHOSEN) | {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"})
    write_profiles(**{name: {"api_key": name} for name in ("first", "second", "third")})
    stale = ProviderPool(Profiles.search()).provider("first").key
    opened = os.open

    def fails(path: Any, *arguments: Any, **more: Any) -> int:  # noqa: ANN401 - as the function itself
        if stale in str(path):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return opened(path, *arguments, **more)

    monkeypatch.setattr(os, "open", fails)
    profiles = json.loads(run("status", "--json")[1])["profiles"]
    assert {each["profile"]: [problem["code"] for problem in each["problems"]] for each in profiles} == {
        "first": ["store_unavailable"],
        "second": [],
        "third": [],
    }


def test_a_store_that_is_down_is_waited_for_once(
    sandbox: Sandbox, environment: Environment, write_profiles: Callable[..., Path], run: Run
) -> None:
    """If the store does not answer, hundreds of profiles do not wait for it one after the other."""
    tried = 0
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:

        def hang_up() -> None:
            nonlocal tried
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                tried += 1
                connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        file = write_profiles(**{f"c{n:03}": {"api_key": f"key-{n}"} for n in range(300)})
        url = f"redis://:CANARY@127.0.0.1:{server.getsockname()[1]}/0"
        variables = {"PROCOUNTOR_TOKEN_STORE": url, "PROCOUNTOR_PROFILES_FILE": str(file)}
        environment(sandbox.environment(CHOSEN) | variables)
        status, out, _ = run("status", "--json")
        once = tried
        text = run("status")[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    found = json.loads(out)["profiles"]
    assert (status, len(found), "CANARY" in out) == (1, 300, False)
    assert all("Redis at" in each["reasons"][0] for each in found)
    assert (text.count("Redis at"), "\nc000, c001, c002, " in text) == (1, True)
    # Each of the readers may have begun before the first one knew; the client tries twice.
    assert once <= 2 * 16


def test_no_secret_is_on_any_output(
    sandbox: Sandbox, environment: Environment, run: Run, write_profiles: Callable[..., Path], tmp_path: Path
) -> None:
    """Whatever the state: no password, key, client secret, name of a user or token, and no URL of a store."""
    store = f"file:{tmp_path / 'tokens'}"
    file = write_profiles(
        acme={"strategy": CHOSEN, "api_key": sandbox.api_key},
        old={"strategy": "legacy_password"},
        login={"strategy": "authorization_code", "refresh_token": "refresh-CANARY"},
        wrong={"strategy": CHOSEN, "api_key": "nonsense CANARY"},
        refused={"strategy": CHOSEN, "api_key": "key-CANARY"},
        sealed={"strategy": CHOSEN, "api_key": sandbox.api_key, "token_store_key": "sealing-CANARY"},
        down={"strategy": CHOSEN, "api_key": sandbox.api_key, "token_store": "redis://me:CANARY@127.0.0.1:1/0"},
        proxy={"strategy": CHOSEN, "api_key": sandbox.api_key, "proxy": "http://me:CANARY@127.0.0.1:1"},
    )
    variables = {"PROCOUNTOR_TOKEN_STORE": store, "PROCOUNTOR_PROFILES_FILE": str(file)}
    environment(sandbox.environment("legacy_password") | variables | {"PROCOUNTOR_LEGACY_POLICY": "allow"})
    said = ""
    tokens = []
    for name in ("acme", "old", "login", "wrong", "refused", "sealed", "down", "proxy"):
        status, out, err = run("token", "--profile", name)
        tokens += [out.strip()] if status == 0 else []
        said += err
        for command in (["status"], ["doctor"], ["doctor", "--offline"]):
            for option in ([], ["--json"]):
                said += "".join(map(str, run(*command, "--profile", name, *option)))
    said += "".join(map(str, (*run("status"), *run("status", "--json"))))
    for name in ("acme", "old"):
        said += "".join(map(str, (*run("logout", "--profile", name), *run("logout", "--profile", name, "--json"))))
    assert len(tokens) >= 2
    secrets = [sandbox.password, sandbox.username, sandbox.client_secret, sandbox.api_key, "CANARY", "eyJ", *tokens]
    assert not [secret for secret in secrets if secret in said]


def test_a_file_that_is_not_toml_is_a_clear_error(described: dict[str, str], run: Run, tmp_path: Path) -> None:
    """The place is named with status 2, and nothing of what stands there."""
    assert described
    (tmp_path / "p.toml").write_text("[profiles.acme]\npassword = hunter2\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROCOUNTOR_PROFILES_FILE", str(tmp_path / "p.toml"))
        status, out, err = run("status")
    assert (status, out) == (2, "")
    assert "names a file that is not TOML (at line 2" in err
    assert "hunter2" not in err


def test_a_sandbox_that_is_away_is_not_missed(described: dict[str, str], sandbox: Sandbox, run: Run) -> None:
    """Status says what it says without the service."""
    assert described
    TokenSource.from_env().token()
    sandbox.faults = Faults(status=503)
    sandbox.stop()
    assert run("status")[0] == 0
