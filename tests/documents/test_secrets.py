"""The recipes of docs/secrets.md, with programs that stand in for those of the secrets managers."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from dotenv import dotenv_values

from procountor_auth import Settings
from procountor_auth.settings.profiles import Profiles
from procountor_auth.settings.secret_reference import SecretReferences
from procountor_auth.settings.validators import CHECKS

from .document import blocks_of

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE: Final = Path(__file__).parents[2] / "docs" / "secrets.md"

_BLOCKS: Final = blocks_of(PAGE)

_LINES: Final = [line for block in _BLOCKS if block.language == "sh" for line in block.lines]

_ARGUMENTS: Final = {
    "op": r"read --no-newline op://[\w-]+/[\w-]+/[\w-]+",
    "vault": r"kv get -mount=\w+ -field=\w+ [\w/]+",
    "aws": r"secretsmanager get-secret-value --secret-id [\w/]+ --query SecretString --output text",
    "az": r"keyvault secret show --vault-name \w+ --name [\w-]+ --query value --output tsv",
    "pass": r"show [\w/]+",
}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that note what they are given, and print a secret; the folder where they note it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in _ARGUMENTS:
        (folder / name).write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$*" >>{folder}/{name}.log\nprintf "%s" "of-{name}-$2"\n'
        )
        (folder / name).chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.mark.process
@pytest.mark.parametrize("line", _LINES)
def test_each_command_of_the_page_brings_a_secret(line: str, programs: Path, tmp_path: Path) -> None:
    """A line can be put into a `.env` file as it is, and its program is given what the page says."""
    (tmp_path / ".env").write_text(f"{line}\n")
    ((variable, value),) = dotenv_values(tmp_path / ".env", interpolate=False).items()
    name = variable.removeprefix("PROCOUNTOR_").lower()
    secrets = {"client_secret": "s", "api_key": "k", "username": "u", "password": "p", "company": "1"} | {name: value}
    strategy = "client_credentials" if name in {"client_secret", "api_key"} else "legacy_password"
    settings = Settings(strategy=strategy, client_id="c", redirect_uri="r", **secrets).followed()
    program = str(value).removeprefix("command:").split()[0]
    assert getattr(settings, name).get_secret_value().startswith(f"of-{program}")
    assert re.fullmatch(_ARGUMENTS[program], (programs / f"{program}.log").read_text().strip())


@pytest.mark.process
def test_the_profiles_of_the_page_bring_their_secrets(
    programs: Path, tmp_path: Path, environment: Callable[[dict[str, str]], None]
) -> None:
    """The common secret is read once, and each profile's own."""
    (block,) = [block for block in _BLOCKS if block.file == "profiles.toml"]
    (tmp_path / "profiles.toml").write_text(block.text)
    environment({"PROCOUNTOR_PROFILES_FILE": "profiles.toml"})
    profiles, references = Profiles.read(), SecretReferences()
    for name in profiles:
        assert Settings.of_profile(profiles, name).followed(references.follow).references.keys() == {
            "client_secret",
            "api_key",
        }
    assert len((programs / "op.log").read_text().splitlines()) == 3


def test_the_page_names_every_secret() -> None:
    """Each setting that may be a reference is in the list."""
    text = PAGE.read_text("utf-8")
    assert [name for name in CHECKS if f"`PROCOUNTOR_{name.upper()}`" not in text] == []


def test_the_python_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of a vault, and of pydantic-settings' source for AWS, go to the constructor of the strategy."""

    class Client:
        def get_secret_value(self, **asked: str) -> dict[str, str]:
            assert asked["SecretId"] == "procountor/acme"
            return {"SecretString": '{"client_secret": "of-aws", "api_key": "k3y-of-aws"}'}

    boto3: Any = types.ModuleType("boto3")
    boto3.client = lambda *_, **__: Client()
    monkeypatch.setitem(sys.modules, "boto3", boto3)
    vault = types.SimpleNamespace(read=lambda name: f"of-{name}")
    names: dict[str, Any] = {"vault": vault, "__name__": "recipe"}
    pytest.importorskip("httpx")
    keys = []
    for block in _BLOCKS:
        if block.language == "python":
            exec(compile(block.text, f"{PAGE}:{block.line}", "exec", dont_inherit=True), names)  # noqa: S102 - the page's own code
            api_key = names["auth"].source.bind().provider.settings.api_key
            keys.append(api_key.get_secret_value())
    assert keys == ["of-procountor/acme", "k3y-of-aws"]
