"""Many companies, and users who may not do everything."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth import TokenSource
from procountor_auth.errors import ConfigurationError
from procountor_auth.sandbox import Sandbox
from procountor_auth.sandbox.seed import MARK, ProfilesFile, profile_names
from procountor_auth.settings.profiles_file import read_file
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.forkserver.forkserver import ForkServer

    Command = Callable[..., subprocess.Popen[str]]

pytestmark = pytest.mark.once


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def command(fork_server: ForkServer, tmp_path: Path) -> Iterator[Command]:
    """Start `procountor-auth sandbox`; it is stopped after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [fork_server.command, "sandbox", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "200"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def ask(sandbox: Sandbox, profile: dict[str, str], path: str) -> tuple[int, Any]:
    """Get a token with a profile's key, and ask for a resource; return the status and the JSON."""
    body = {
        "grant_type": "client_credentials",
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "redirect_uri": sandbox.redirect_uri,
        "api_key": profile["api_key"],
    }
    with backend.Client(base_url=sandbox.base_url, trust_env=False, verify=False) as client:
        token = client.post("/api/oauth/token", data=body).json()["access_token"]
        answer = client.get(f"/api/{path}", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json()


def test_a_profile_is_a_company_with_a_user_and_a_key(sandbox: Sandbox) -> None:
    """What is returned gets a token for the new company, and no other one."""
    acme, beta = sandbox.add_profile("acme"), sandbox.add_profile("beta")
    assert ask(sandbox, acme, "sessioninfo")[1]["companyId"] == int(acme["company"])
    assert acme["company"] != beta["company"]
    with pytest.raises(ValueError, match="already"):
        sandbox.add_profile("acme")


_VALID = ("a", "acme", "a-b", "a_b", "1", "a" * 64)
_OTHERS = (
    "",
    "Äiti",
    "ä",
    "Acme",
    "A-b",
    "a b",
    "a.b",
    'a"b',
    "a\nb",
    "a\n",
    "a--b",
    "a_-b",
    "-a",
    "a_",
    "a" * 65,
    "a" * 300,
)


@pytest.mark.parametrize("name", [*_VALID, *_OTHERS])
def test_a_profile_has_a_name_that_the_settings_accept(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """The sandbox refuses what the settings refuse, and says what a name looks like, before anything is made."""
    path = tmp_path / "profiles.toml"
    path.write_text(f"[profiles.{json.dumps(name)}]\n", "utf-8")
    try:
        read_file(path)
    except ConfigurationError:
        before = len(sandbox.world.directory.companies())
        with pytest.raises(ValueError, match=re.escape(f"{name!r} is not a valid profile name (a-z and 0-9")):
            sandbox.add_profile(name)
        assert len(sandbox.world.directory.companies()) == before
    else:
        assert sandbox.add_profile(name)["username"] == f"user.{name}"


def test_two_profiles_differ_by_more_than_a_hyphen(sandbox: Sandbox) -> None:
    """The settings can't tell `a-b` from `a_b`, so the sandbox makes only one of them."""
    sandbox.add_profile("a-b")
    with pytest.raises(ValueError, match="already a profile 'a_b'"):
        sandbox.add_profile("a_b")


def test_a_user_may_have_fewer_rights(sandbox: Sandbox) -> None:
    """The token is given out, and what the user may not read is answered with the API's own 403."""
    acme = sandbox.add_profile("acme")
    user = next(each for each in sandbox.world.users() if each.username == acme["username"])
    sandbox.world.limit_user(user.id, int(acme["company"]), {"users"})
    assert ask(sandbox, acme, "users")[0] == 200
    status, said = ask(sandbox, acme, "sessioninfo")
    assert (status, said["errors"][0]["status"]) == (403, 403)
    sandbox.world.limit_user(user.id, int(acme["company"]), None)
    assert ask(sandbox, acme, "sessioninfo")[0] == 200
    with pytest.raises(ValueError, match="no access"):
        sandbox.world.limit_user(user.id, 1, {"users"})


def test_the_dashboard_stays_short(sandbox: Sandbox) -> None:
    """Of hundreds of companies the page shows the first ones and how many more there are."""
    for name in profile_names(300):
        sandbox.add_profile(name)
    with backend.Client(base_url=sandbox.base_url, trust_env=False, verify=False) as client:
        page = client.get("/_sandbox/").text
        world = client.get("/_sandbox/world").json()
    assert "And 252 more companies" in page
    assert "company-0300" not in page
    assert len(page) < 200_000
    assert len(world["companies"]) == 302


@pytest.mark.parametrize(("number", "last"), [(1, "company-0001"), (500, "company-0500"), (10_000, "company-10000")])
def test_names_sort_as_they_count(number: int, last: str) -> None:
    """Names have as many digits as the last one needs."""
    names = profile_names(number)
    assert (len(names), names[-1]) == (number, last)
    assert names == sorted(names)


def test_the_command_writes_a_file_that_can_be_used(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has the common values and a table for each company, for this user's eyes, and its keys work."""
    process = command("--companies", "3", "--profiles-file", "profiles.toml", "--json")
    assert process.stdout is not None
    described = json.loads(process.stdout.readline())
    file = tmp_path / "profiles.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    written = tomllib.loads(file.read_text("utf-8"))
    assert written["base_url"] == described["base_url"]
    assert list(written["profiles"]) == profile_names(3)
    monkeypatch.setenv("PROCOUNTOR_PROFILES_FILE", str(file))
    monkeypatch.setenv("PROCOUNTOR_STRATEGY", "client_credentials")
    token = TokenSource.from_env(profile="company-0002").token()
    assert str(token.company_id) == written["profiles"]["company-0002"]["company"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".profiles")] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--companies", "3"), "use both together"),
        (("--profiles-file", "new.toml"), "use both together"),
        (("--companies", "0", "--profiles-file", "new.toml"), "--companies"),
        (("--companies", "10001", "--profiles-file", "new.toml"), "--companies"),
        (("--companies", "1", "--profiles-file", "precious.toml"), "was not written by a sandbox"),
        (("--companies", "1", "--profiles-file", "."), "is not a file of a sandbox"),
        (("--companies", "1", "--profiles-file", "no/folder.toml"), "no/folder.toml can't be written: No such file"),
    ],
)
def test_wrong_options_are_refused(command: Command, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    """A wrong number, a missing file name, or somebody else's file ends with status 2, and nothing is lost."""
    (tmp_path / "precious.toml").write_text("keep = 'me'\n")
    process = command(*options)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert said in errors
    assert (tmp_path / "precious.toml").read_text() == "keep = 'me'\n"
    assert not (tmp_path / "new.toml").exists()


def test_its_own_file_is_written_again(tmp_path: Path) -> None:
    """What a sandbox has written it may replace; a symlink or another file it may not."""
    file = ProfilesFile(tmp_path / "profiles.toml")
    file.write({"strategy": "x"}, {"acme": {"api_key": 'with "quotes"'}})
    file.check()
    file.write({"strategy": "y"}, {})
    assert file.path.read_text().startswith(MARK)
    assert tomllib.loads(file.path.read_text()) == {"strategy": "y"}
    (tmp_path / "link").symlink_to(file.path)
    with pytest.raises(FileExistsError):
        ProfilesFile(tmp_path / "link").check()
