"""`procountor-auth init`, and `sandbox --env-file`, which fills in what it has written."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import typer
from dotenv import dotenv_values, set_key

from procountor_auth.cli.env_template import STRATEGIES, env_template
from procountor_auth.cli.sandbox.env_file import MARK, WRITTEN, EnvFile
from procountor_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Command, Run

    Start = Callable[..., Command]

ROOT: Final = Path(__file__).parents[2]


def values(path: str = ".env") -> dict[str, str]:
    """Return what a file has that is not empty."""
    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value}


def fills(path: Path, strategy: str = "client_credentials") -> Sandbox:
    """Fill in a file as the command does; return the sandbox, which has stopped."""
    file = EnvFile(path, strategy)
    file.check()
    with Sandbox() as served:
        file.fill(served)
    return served


def serves(command: Command) -> None:
    """Wait until a sandbox has printed all that it prints."""
    assert command.process.stdout
    assert any("Press Ctrl-C to stop" in line for line in command.process.stdout)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_file_is_that_of_the_strategy(run: Run, strategy: str) -> None:
    """It is the commented one of `strategies/`, for this user alone, and the command says what comes next."""
    status, out, err = run("init", "--strategy", strategy)
    assert (status, err) == (0, "")
    assert Path(".env").read_text("utf-8") == (ROOT / "strategies" / f"{strategy}.env").read_text("utf-8")
    assert values()["PROCOUNTOR_STRATEGY"] == strategy
    assert "procountor-auth doctor" in out
    assert f"procountor-auth sandbox --env-file .env --strategy {strategy}" in out
    if os.name != "nt":
        assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600


def test_every_file_of_the_folder_is_offered() -> None:
    """No strategy of `strategies/` is forgotten."""
    assert {path.stem for path in (ROOT / "strategies").glob("*.env")} == set(STRATEGIES)


def test_a_file_that_is_there_is_left_alone(run: Run) -> None:
    """Whatever somebody has written stays."""
    Path(".env").write_text("PROCOUNTOR_API_KEY=m1ne\n")
    status, _, err = run("init")
    assert status == 2
    assert ".env already exists" in err
    assert Path(".env").read_text() == "PROCOUNTOR_API_KEY=m1ne\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strategy", "password"], "must be one of client_credentials"),
        (["--file", "no/folder/.env"], "can't be written: No such file or directory"),
        (["--file", "."], "already exists"),
    ],
)
def test_what_can_t_be_written_is_said(run: Run, arguments: list[str], said: str) -> None:
    """A wrong strategy or path is an error of the command, and nothing is left behind."""
    status, _, err = run("init", *arguments)
    assert status == 2
    assert said in " ".join(err.split())
    assert list(Path().iterdir()) == []


@pytest.mark.process
@pytest.mark.server
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_sandbox_fills_it_in(run: Run, start: Start, monkeypatch: pytest.MonkeyPatch, strategy: str) -> None:
    """After that, `token` prints one; and the next sandbox replaces the values of the last one."""
    monkeypatch.setenv("PROCOUNTOR_LEGACY_POLICY", "allow")
    assert run("init", "--strategy", strategy)[0] == 0
    tokens = set()
    for _ in range(2):
        command = start("sandbox", "--env-file", ".env", "--strategy", strategy)
        serves(command)
        text = Path(".env").read_text("utf-8")
        assert text.startswith(MARK)
        assert [line for line in env_template(strategy).splitlines() if line.startswith("#")] == [
            line for line in text.splitlines()[1:] if line.startswith("#")
        ]
        status, out, _ = run("token")
        assert status == 0
        tokens.add(out)
        command.interrupt()
    assert len(tokens) == 2
    if os.name != "nt":
        assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600


@pytest.mark.process
@pytest.mark.server
def test_a_sandbox_writes_one_where_there_is_none(run: Run, start: Start) -> None:
    """It need not be made before."""
    command = start("sandbox", "--env-file", "my.env")
    serves(command)
    assert values("my.env")["PROCOUNTOR_STRATEGY"] == "client_credentials"
    command.interrupt()
    assert run("init")[0] == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("PROCOUNTOR_API_KEY=n0t4u\n", "already has values, and was left unchanged: PROCOUNTOR_API_KEY"),
        ("PROCOUNTOR_ENVIRONMENT=test\n", "PROCOUNTOR_ENVIRONMENT"),
        ("PROCOUNTOR_API_KEY=n0t4u-ä\n".encode("cp1252"), ".env is not UTF-8"),
        ("procountor_api_key=n0t4u\n", "procountor_api_key"),
        (f"{MARK}\nPROCOUNTOR_API_KEY=n0t4u\n", "was changed after a sandbox had filled it in"),
    ],
)
def test_a_sandbox_touches_no_values_of_somebody_s(run: Run, content: str | bytes, said: str) -> None:
    """A file with values of its own is refused before anything is started, and none of them is shown."""
    before = content if isinstance(content, bytes) else content.encode()
    Path(".env").write_bytes(before)
    status, out, err = run("sandbox", "--env-file", ".env")
    assert status == 2
    assert said in " ".join(err.split())
    assert "n0t4u" not in out + err
    assert Path(".env").read_bytes() == before


@pytest.mark.server
def test_other_lines_outlive_every_sandbox() -> None:
    """What the user has written stays, however often and for whatever strategy the file is filled in."""
    path = Path(".env")
    own = "\ufeff# Mine\nDATABASE_URL=postgres://mine\nPROCOUNTOR_API_KEY=\nNAME='Ää'"
    path.write_text(own, "utf-8")
    for strategy in (*STRATEGIES, STRATEGIES[0]):
        served = fills(path, strategy)
        lines = path.read_text("utf-8").splitlines()
        assert lines[0].startswith(MARK)
        assert lines[1:3] + lines[4:5] == ["# Mine", "DATABASE_URL=postgres://mine", "NAME='Ää'"]
        assert len([line for line in lines if line.startswith(MARK)]) == 1
        assert served.environment(strategy).items() <= values().items()
        assert served.environment(strategy).keys() <= WRITTEN
        path.write_text(path.read_text("utf-8") + "PROCOUNTOR_TOKEN_STORE=file\n", "utf-8")
    assert values()["PROCOUNTOR_TOKEN_STORE"] == "file"


@pytest.mark.server
@pytest.mark.parametrize("before", STRATEGIES)
@pytest.mark.parametrize("after", STRATEGIES)
def test_nothing_is_left_of_an_earlier_sandbox(before: str, after: str) -> None:
    """Whatever the strategies, no value of a stopped sandbox stays; its line is empty, and the user's values stay."""
    path = Path(".env")
    path.write_text("DATABASE_URL=postgres://mine\n", "utf-8")
    fills(path, before)
    stale = values()
    path.write_text(path.read_text("utf-8") + "PROCOUNTOR_TOKEN_STORE=file\n", "utf-8")
    served = fills(path, after)
    used = served.environment(after, refresh_token=after == "authorization_code").keys()
    assert values().keys() == used | {"DATABASE_URL", "PROCOUNTOR_TOKEN_STORE"}
    assert (values()["DATABASE_URL"], values()["PROCOUNTOR_TOKEN_STORE"]) == ("postgres://mine", "file")
    lines = path.read_text("utf-8").splitlines()
    assert {f"{name}=" for name in stale.keys() & WRITTEN - used} <= {*lines}
    secrets = ("PROCOUNTOR_API_KEY", "PROCOUNTOR_CLIENT_SECRET", "PROCOUNTOR_REFRESH_TOKEN")
    assert [name for name in secrets if stale.get(name, "not there") in path.read_text("utf-8")] == []


@pytest.mark.server
@pytest.mark.parametrize(
    "change",
    [
        {"PROCOUNTOR_BASE_URL": "https://api.procountor.com", "PROCOUNTOR_API_KEY": "n0t4u"},
        {"PROCOUNTOR_API_KEY": "n0t4u"},
        {"PROCOUNTOR_BASE_URL": ""},
        {"procountor_api_key": "n0t4u"},
    ],
)
def test_a_changed_file_is_the_user_s(run: Run, change: dict[str, str]) -> None:
    """Whoever puts real values in place of a sandbox's keeps them: the next sandbox refuses the file."""
    path = Path(".env")
    fills(path)
    for name, value in change.items():
        set_key(path, name, value)
    before = path.read_bytes()
    status, out, err = run("sandbox", "--env-file", ".env")
    assert status == 2
    said = " ".join(err.split())
    assert ".env was changed after a sandbox had filled it in, and was left unchanged: PROCOUNTOR_API_KEY" in said
    assert "n0t4u" not in out + err
    assert path.read_bytes() == before


@pytest.mark.server
def test_the_values_of_a_sandbox_of_others_are_replaced() -> None:
    """A sandbox whose base URL is not a loopback address has written its values all the same."""
    with Sandbox(base_url="http://sandbox.internal:8000") as served:
        EnvFile(Path(".env"), "client_credentials").fill(served)
    assert values()["PROCOUNTOR_BASE_URL"] == "http://sandbox.internal:8000"
    assert values()["PROCOUNTOR_API_KEY"] != fills(Path(".env")).api_key == values()["PROCOUNTOR_API_KEY"]


@pytest.mark.server
def test_a_link_stays_one(tmp_path: Path) -> None:
    """The file that a symbolic link names is filled in, also one that is not there yet."""
    target = tmp_path / "elsewhere.env"
    Path(".env").symlink_to(target)
    for _ in range(2):
        served = fills(Path(".env"))
        assert Path(".env").is_symlink()
        assert values(str(target))["PROCOUNTOR_API_KEY"] == served.api_key


@pytest.mark.server
def test_a_full_disk_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new text can't be written, the old one is still there, and nothing beside it."""
    path = Path(".env")
    path.write_text("DATABASE_URL=postgres://mine\n")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(typer.BadParameter, match=r"\.env can't be written: No space left"):
        fills(path)
    assert path.read_text() == "DATABASE_URL=postgres://mine\n"
    assert list(Path().iterdir()) == [path]


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop"])
def test_only_a_regular_file_is_filled_in(run: Run, kind: str) -> None:
    """A folder, a pipe and a link to nothing but itself are refused at once, with status 2."""
    path = Path(".env")
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path)
    status, out, err = run("sandbox", "--json", "--env-file", ".env")
    error = json.loads(out)["error"]
    assert (status, err, error["code"]) == (2, "", "usage")
    said = "can't be read: " if kind == "loop" else "is not a regular file"
    assert f".env {said}" in error["message"]


def test_other_programs_variables_may_be_there(run: Run) -> None:
    """A wrong strategy is told before the file is looked at."""
    status, _, err = run("sandbox", "--env-file", ".env", "--strategy", "vault")
    assert status == 2
    assert "must be one of" in err
