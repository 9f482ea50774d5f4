"""What commands write: on every encoding, and with nothing in it that a terminal obeys."""

from __future__ import annotations

import importlib.abc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth.cli import main
from procountor_auth.cli.doctor.check import Findings
from procountor_auth.cli.screen import console, print_reasons
from procountor_auth.migration.readiness import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Command, Run

_NAME: Final = "Łódź — Ääkköset"

_TRICKY: Final = "a\x1b[31mb\u202ec\nd\x07\u200be\x9bf"
"""A terminal's escapes, a turn of the direction, a line end, a bell and what can't be seen."""


@pytest.mark.process
@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp1252", "cp437", "utf-16", "utf-8", ""])
@pytest.mark.parametrize(
    "arguments", [["--help"], ["status", "--profile", _NAME], ["status", "--profile", _NAME, "--json"]]
)
def test_every_encoding_takes_every_text(encoding: str, arguments: list[str]) -> None:
    """No command ends in a traceback because its output's encoding lacks a character; without a name it is C's."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PROCOUNTOR_")}
    variables |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": encoding}
    variables["PROCOUNTOR_PROFILES__ŁÓDŹ__STRATEGY"] = "client_credentials"
    done = subprocess.run(
        [sys.executable, "-m", "procountor_auth", *arguments],
        capture_output=True,
        timeout=60,
        env=variables,
        check=False,
    )
    assert b"Traceback" not in done.stderr.replace(b"\0", b"")
    assert done.returncode in {0, 2}


@pytest.mark.process
@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp1252"])
def test_json_is_json_on_every_encoding(encoding: str) -> None:
    """`--json` prints a valid document in ASCII, whatever the encoding and the names."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PROCOUNTOR_")}
    variables |= {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "PROCOUNTOR_PROFILES__ŁÓDŹ__TIMEOUT": "7"}
    done = subprocess.run(
        [sys.executable, "-m", "procountor_auth", "status", "--json"],
        capture_output=True,
        timeout=60,
        env=variables,
        check=False,
    )
    (found,) = json.loads(done.stdout.decode("ascii"))["profiles"]
    assert found["profile"] == "łódź"


@pytest.mark.parametrize(
    "command", ["token --json", "status --json", "doctor --json", "migrate check --json", "status"]
)
def test_a_closed_stdout_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """With nowhere to write to (`>&-`), a command has its status, and no traceback."""
    monkeypatch.setattr(sys, "argv", ["procountor-auth", *command.split()])
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in {1, 2}
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("profiles", [0, 3])
def test_a_place_that_can_not_be_read_is_told_once(start: Callable[..., Command], profiles: int) -> None:
    """Without -v too, one line on stderr names a default place of variables that is left out; -v has the whole log."""
    Path(".env").symlink_to(".env")  # a loop, which root can't read either
    variables = {f"PROCOUNTOR_PROFILES__C{number}__STRATEGY": "legacy_password" for number in range(profiles)}
    said = ".env in the working directory can't be read (Too many levels of symbolic links) and is ignored"
    for command in ("status", "migrate status", "migrate finish"):
        status, out, err = start(*command.split(), environment=variables).ends()
        assert (status, err) == (1, f"procountor-auth: warning: {said}\n")
        assert said not in out
    assert said in start("-v", "migrate", "status", environment=variables).ends()[2]


def test_ctrl_c_during_the_imports_is_told_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses it at once sees no traceback either, and the status is 130."""

    class Interrupting(importlib.abc.MetaPathFinder):
        def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 - Python's own
            if fullname == "procountor_auth.cli.run":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "procountor_auth.cli.run", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


@pytest.mark.parametrize("chain", ["__cause__", "__context__"])
@pytest.mark.parametrize("module", ["procountor_auth.cli.run", "procountor_auth.cli.token"])
def test_ctrl_c_in_a_class_that_is_being_made_is_told_like_any_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str, chain: str
) -> None:
    """Python 3.11 makes it a RuntimeError, and the status is 130 all the same, with no traceback."""

    class Interrupting(importlib.abc.MetaPathFinder):
        def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 - Python's own
            if fullname == module:
                error = RuntimeError("Error calling __set_name__")
                setattr(error, chain, KeyboardInterrupt())
                raise error

    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    monkeypatch.setattr(sys, "argv", ["procountor-auth", "token", "--json"])
    monkeypatch.setattr("procountor_auth.cli.exit_status.end_soon", lambda: None)  # the test's own Ctrl-C stays
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == ""


def test_another_runtime_error_is_not_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of a program keeps its traceback."""

    class Broken(importlib.abc.MetaPathFinder):
        def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 - Python's own
            if fullname == "procountor_auth.cli.run":
                raise RuntimeError("broken")

    monkeypatch.delitem(sys.modules, "procountor_auth.cli.run", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(RuntimeError, match="broken"):
        main()


@pytest.mark.parametrize(
    ("arguments", "variables", "meant"),
    [
        ("migrate check", {"PROCOUNTOR_STRATEGY": "lgacy"}, "did you mean legacy_password?"),
        ("token", {"PROCOUNTOR_FALLBACK_STRATEGY": "client"}, "did you mean client_credentials?"),
        ("token", {"PROCOUNTOR_ENVIRONMENT": "tset"}, "must be production or test: did you mean test?"),
        ("token", {"PROCOUNTOR_LEGACY_POLICY": "eror"}, "must be warn or error or allow: did you mean error?"),
        ("token", {"PROCOUNTOR_TOKEN_STORE": "memry"}, "did you mean memory?"),
        ("token", {"PROCOUNTOR_API_VERSION": "lates"}, "did you mean latest?"),
        ("token", {"PROCOUNTOR_PKCE": "ture"}, "PROCOUNTOR_PKCE must be true or false"),
        ("token --format heder", {}, "Did you mean header?"),
        ("bridge --log jsn", {}, "Did you mean json?"),
        ("init --strategy clinet", {}, "Did you mean client_credentials?"),
        ("sandbox --fault wher=token", {}, "did you mean where"),
    ],
)
def test_a_misspelt_value_is_recognised(
    environment: Callable[[dict[str, str]], None], run: Run, arguments: str, variables: dict[str, str], meant: str
) -> None:
    """A value, like a name, is told with the one that is probably meant."""
    environment(variables)
    status, out, err = run(*arguments.split())
    assert status in {1, 2}
    assert meant in out + err


def test_a_profile_s_name_is_not_obeyed(environment: Callable[[dict[str, str]], None], run: Run) -> None:
    """The name of a profile, which a variable may spell with anything, is printed as one harmless line."""
    environment(
        {
            f"PROCOUNTOR_PROFILES__{_TRICKY}__STRATEGY": "client_credentials",
            "PROCOUNTOR_PROFILES__OTHER__STRATEGY": "client_credentials",
        }
    )
    for command in ("status", "doctor", "migrate check", "migrate plan", "migrate status", "migrate rehearse"):
        _, out, err = run(*command.split())
        assert all(line.isprintable() for line in (out + err).splitlines()), command
        assert "\x1b" not in out + err


def test_reasons_and_checks_are_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """A reason from a file of results, and what a check has found, are printed as one harmless line each."""
    print_reasons(console(), [Reason(code="x", message=_TRICKY, hint=_TRICKY)])
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2
    assert all(line.isprintable() for line in out.splitlines())
    findings = Findings()
    findings.add("token", "ok", _TRICKY, _TRICKY)
    assert findings.checks[0].message.isprintable()
    assert findings.checks[0].hint.isprintable()
