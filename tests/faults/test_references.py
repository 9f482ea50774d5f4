"""A reference to a secret can't be followed: in a program, by `token`, and by `doctor`."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import TYPE_CHECKING

import keyring.core
import pytest

from procountor_auth import TokenSource, cli
from procountor_auth.errors import ConfigurationError, ProcountorAuthError
from procountor_auth.settings import secret_reference

from .conftest import CLIENT_SECRET, SECRETS, Run
from .references import REFERENCES, VALUE, VARIABLE, Around, ReferenceFault
from .witness import ADDRESSES, Witness, hidden_in, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.once

HIDDEN = (VALUE, *SECRETS)


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Around]:
    """An empty folder, and a way to install a package."""

    def register(code: str) -> None:
        info = tmp_path / "site" / "vault_package-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.3\nName: vault-package\nVersion: 1.0\n", "utf-8")
        (info / "entry_points.txt").write_text("[procountor_auth.secrets]\nvault = vault_package:read\n", "utf-8")
        (info.parent / "vault_package.py").write_text(f"{code}\n", "utf-8")
        monkeypatch.syspath_prepend(str(info.parent))
        secret_reference._registered.cache_clear()

    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    folder = tmp_path / "there"
    folder.mkdir()
    yield Around(folder, monkeypatch, register)
    sys.modules.pop("vault_package", None)
    secret_reference._registered.cache_clear()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Run a command in this process."""

    def run(*arguments: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["procountor-auth", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        return Run(cli.main)

    return run


@pytest.mark.parametrize("how", ["from_env", "token", "doctor"])
@pytest.mark.parametrize("fault", REFERENCES, ids=lambda fault: fault.id)
def test_a_reference(
    fault: ReferenceFault,
    how: str,
    around: Around,
    command: Callable[..., Run],
    environment: Callable[[dict[str, str]], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It is a typed error that names the variable and the next step, shows no secret, and reaches no host."""
    environment(
        {
            "PROCOUNTOR_STRATEGY": "client_credentials",
            "PROCOUNTOR_BASE_URL": "http://127.0.0.1:9",
            "PROCOUNTOR_CLIENT_ID": "client-1",
            "PROCOUNTOR_CLIENT_SECRET": CLIENT_SECRET,
            "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
            "PROCOUNTOR_TOKEN_STORE": "memory",
            VARIABLE: fault.bring(around),
        }
    )
    capfd.readouterr()
    with Witness() as witness, ADDRESSES.listening() as addresses:
        if how == "from_env":
            run = Run(lambda: TokenSource.from_env().token())
        else:
            run = command("token") if how == "token" else command("doctor", "--json")
    out, err = capfd.readouterr()
    assert not hidden_in(out + err + witness.said, HIDDEN)
    assert not addresses
    if how == "from_env":
        _check_error(fault, run.error)
    elif how == "token":
        _check_exit(run, 2 if fault.error is ConfigurationError else 1)
        assert not out
        _check_words(fault, " ".join(err.split()))
    else:
        _check_exit(run, 1)
        assert not err
        checks = [check for check in json.loads(out)["profiles"][0]["checks"] if check["state"] == "failed"]
        _check_words(fault, " ".join(check["message"] for check in checks))
        assert all(check["hint"] for check in checks)


def _check_error(fault: ReferenceFault, error: BaseException | None) -> None:
    assert type(error) is fault.error
    assert isinstance(error, ProcountorAuthError)
    assert error.retryable is type(error).retryable
    assert error.hint
    assert not hidden_in(shown(error), HIDDEN)
    assert error.__context__ is None
    _check_words(fault, error.message)
    if isinstance(error, ConfigurationError):
        assert [problem.variable for problem in error.problems] == [VARIABLE]


def _check_words(fault: ReferenceFault, said: str) -> None:
    assert VARIABLE in said
    assert re.search(fault.says, said)


def _check_exit(run: Run, status: int) -> None:
    assert isinstance(run.error, SystemExit)
    assert run.error.code == status
