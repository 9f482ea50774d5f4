"""A sandbox with companies that still use the legacy login; each also has a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth.settings.profiles import Profiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox

SECRETS = ("username", "password", "company", "api_key")


@dataclass
class Companies:
    """The profiles of an integration that serves many companies, in a TOML file.

    Attributes:
        sandbox: Where they are.
        file: The profiles file.
        tables: What is written there, by the profiles' names.
        common: What is written at its top.
    """

    sandbox: Sandbox
    file: Path
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    common: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - settings
        """Add a company with its user and its key; `values` win, and None leaves one out."""
        world = self.sandbox.world
        company = world.add_company(f"{name} Oy")
        user = world.add_user(f"user of {name}", f"pässword of {name} & co", companies=[company.id])
        table: dict[str, Any] = {
            "username": user.username,
            "password": user.password,
            "company": str(company.id),
            "api_key": world.create_api_key(self.sandbox.client_id, user.id, company.id),
        } | values
        self.tables[name] = {key: value for key, value in table.items() if value is not None}
        return self.tables[name]

    def company_id(self, name: str) -> int:
        """Return the number of a profile's company."""
        return int(self.tables[name]["company"])

    def user_id(self, name: str) -> int:
        """Return the number of a profile's legacy user."""
        users = {user.username: user.id for user in self.sandbox.world.users()}
        return users[self.tables[name]["username"]]

    def write(self) -> Profiles:
        """Write the file, and read everything again."""
        lines = [f"{name} = {_toml(value)}" for name, value in self.common.items()]
        for profile, table in self.tables.items():
            lines += [f"[profiles.{profile}]", *(f"{name} = {_toml(value)}" for name, value in table.items())]
        self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return Profiles.search()


def _toml(value: str | int) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


@pytest.fixture
def companies(sandbox: Sandbox, environment: Callable[[dict[str, str]], None], tmp_path: Path) -> Companies:
    """Companies on the legacy login, with the tokens of each in a folder of the test."""
    file = tmp_path / "profiles.toml"
    common = {
        name: value for name, value in sandbox.environment("legacy_password").items() if _setting(name) not in SECRETS
    }
    environment(
        common
        | {
            "PROCOUNTOR_LEGACY_POLICY": "allow",
            "PROCOUNTOR_PROFILES_FILE": str(file),
            "PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}",
        }
    )
    return Companies(sandbox, file)


def _setting(variable: str) -> str:
    return variable.removeprefix("PROCOUNTOR_").lower()
