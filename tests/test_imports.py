"""What a wrong import, a broken package and a missing extra say."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import procountor_auth
from procountor_auth import errors
from procountor_auth.protocol.extra import missing_extra
from procountor_auth.stores import open_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.process
def test_the_errors_need_no_import_of_their_own() -> None:
    """`procountor_auth.errors` is there after `import procountor_auth`."""
    program = "import procountor_auth; print(procountor_auth.errors.StoreError.__name__, procountor_auth.events.Event)"
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert done.stdout.startswith("StoreError ")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ProcountorAuth", "from procountor_auth.httpx import ProcountorAuth"),
        ("CredentialsRefused", "from procountor_auth.errors import CredentialsRefused"),
        ("StoreUnavailable", "from procountor_auth.errors import StoreUnavailable"),
        ("NoSuchName", "cannot import name 'NoSuchName'"),
    ],
)
def test_a_name_that_is_elsewhere_is_told_where(name: str, said: str) -> None:
    """The message of a failed import has the right one."""
    with pytest.raises(ImportError, match=said):
        exec(f"from procountor_auth import {name}", {})  # noqa: S102 - what a program would write


def test_every_error_that_is_exported_is_the_same_class() -> None:
    """What is exported at the top is not mistaken for something that is not."""
    assert procountor_auth.ConfigurationError is errors.ConfigurationError
    assert not hasattr(procountor_auth, "nothing_here")
    assert not hasattr(procountor_auth, "NothingHere")


@pytest.mark.process
@pytest.mark.parametrize("module", ["authlib", "pydantic_settings", "dotenv", "filelock"])
def test_a_package_that_is_broken_shows_its_cause(tmp_path: Path, module: str) -> None:
    """An AttributeError in a dependency's import is not told as a name that is missing here."""
    (tmp_path / f"{module}.py").write_text("import json\njson.no_such_thing\n")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from procountor_auth import Settings, TokenSource\n"
        "settings = Settings(strategy='client_credentials', client_id='c', client_secret='s', redirect_uri='r', "
        "api_key='k', base_url='http://127.0.0.1:1', token_store='file')\n"
        "TokenSource.from_settings(settings).token()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert "no_such_thing" in done.stderr


@pytest.mark.parametrize(
    ("value", "package", "extra"),
    [("file", "filelock", "file"), ("keyring", "keyring", "keyring"), ("redis://127.0.0.1:1", "redis", "redis")],
)
def test_a_store_without_its_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    package: str,
    extra: str,
) -> None:
    """A missing package is named with the command that installs it."""
    kind = value.partition(":")[0]
    modules = [f"procountor_auth.stores.{kind}", "procountor_auth.stores.private_folder"]
    modules += ["procountor_auth.stores.redis_connection", "procountor_auth.settings.keychain"]
    for module in modules:
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(errors.ConfigurationError, match=rf"PROCOUNTOR_TOKEN_STORE=.* needs .*{package}") as caught:
        open_store(value)
    assert f"pip install 'procountor-auth[{extra}]'" in caught.value.hint


def test_a_package_that_is_there_and_broken_is_told_as_such() -> None:
    """What a package needs itself and does not find is shown, and another command helps."""
    what, hint = missing_extra(
        ModuleNotFoundError("No module named 'async_timeout'", name="async_timeout"), "redis", "redis"
    )
    assert what == "needs redis, which can't be imported (ModuleNotFoundError: No module named 'async_timeout')"
    assert "--force-reinstall" in hint
