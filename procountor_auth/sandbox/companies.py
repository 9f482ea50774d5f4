"""Many companies, as an integration has them that serves many: each with its user and its API key.

Their credentials go into a file of profiles, for ``PROCOUNTOR_PROFILES_FILE``.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .world import World


#: The first line of a file that may be written again.
MARK: Final = "# Made by procountor-auth sandbox, which writes it again when it starts. Its secrets are made up."


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
