"""The seed: what exists in a sandbox when it starts, and further companies with a user and an API key each.

The credentials of further companies go into a file of profiles, for ``PROCOUNTOR_PROFILES_FILE``.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .state.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .state.directory import Client, User
    from .state.service import Service
    from .state.world import World

#: The number of the company that the API key is for.
COMPANY: Final = 14159
_SECOND_COMPANY: Final = 14160
_USER: Final = 26535

#: The first line of a file that may be written again.
MARK: Final = "# Made by procountor-auth sandbox, which writes it again when it starts. Its secrets are made up."


class Seed:
    """A service with its first companies, user, client and API key.

    Args:
        service: The service, in which nothing exists yet.
        redirect_uri: The client's redirect URI.
        password: The user's password.

    Attributes:
        service: As given.
        client: The API client.
        user: The user, who has access to both companies.
        api_key: The API key of the user, the first company and the client.
    """

    def __init__(self, service: Service, redirect_uri: str, password: str) -> None:
        world = service.world
        world.add_company("Sandbox Oy", COMPANY)
        world.add_company("Second Sandbox Oy", _SECOND_COMPANY)
        self.service = service
        self.client: Client = world.add_client(redirect_uri)
        self.user: User = world.add_user(
            "sandbox.user",
            password,
            name="Sandbox User",
            user_id=_USER,
            companies=(COMPANY, _SECOND_COMPANY),
        )
        self.api_key = world.create_api_key(self.client.client_id, self.user.id, COMPANY)

    def new_refresh_token(self) -> str:
        """Return the refresh token of a new login of the user to the first company."""
        login = Session(self.client.client_id, self.user.id, COMPANY, int(self.service.true_time()))
        return self.service.world.sessions.start_session(login)[1]


def profile_names(number: int) -> list[str]:
    """Return the names of so many profiles: ``company-0001`` and so on."""
    return [f"company-{each:0{max(4, len(str(number)))}}" for each in range(1, number + 1)]


def add_profile(world: World, client_id: str, name: str) -> dict[str, str]:
    """Add a company with a user and an API key; return their credentials by the settings' names.

    Raises:
        ValueError: There is a user of this name already.
    """
    company = world.add_company(f"{name} Oy")
    user = world.add_user(f"user.{name}", name=f"User of {name}", companies=[company.id])
    return {
        "username": user.username,
        "password": user.password,
        "company": str(company.id),
        "api_key": world.create_api_key(client_id, user.id, company.id),
    }


class ProfilesFile:
    """A file of profiles that belongs to the sandbox: readable by this user alone, and written as a whole.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Make sure that nothing of anybody else's is overwritten.

        Raises:
            FileExistsError: There is a file that no sandbox has written.
            OSError: What is there can't be read.
        """
        if not os.path.lexists(self.path):
            return
        if self.path.is_symlink() or not self.path.is_file():
            raise FileExistsError(f"{self.path} is there, and is no file of a sandbox's")
        with self.path.open("rb") as file:
            if file.read(len(MARK)) != MARK.encode("ascii"):
                raise FileExistsError(f"{self.path} is there, and no sandbox has written it: name another file")

    def write(self, common: Mapping[str, str], profiles: Mapping[str, Mapping[str, str]]) -> None:
        """Write the common values and the tables.

        Raises:
            OSError: It can't be written; what was there is still there.
        """
        lines = [MARK, "", *_lines(common)]
        for name, table in profiles.items():
            lines += ["", f"[profiles.{name}]", *_lines(table)]
        folder = self.path.parent
        handle, temporary = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=folder)  # 0600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write("\n".join(lines) + "\n")
            self.check()
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _lines(values: Mapping[str, str]) -> list[str]:
    # A JSON string in ASCII is a TOML string, too.
    return [f"{name} = {json.dumps(value)}" for name, value in values.items()]
