"""The first steps: how to point a program at the sandbox, strategy by strategy."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procountor_auth.sandbox.client_settings import ClientSettings

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@%+~=-]*")


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """The steps to the first token with one strategy.

    Attributes:
        strategy: The name of the strategy.
        about: One sentence about it.
        env: The text of an ``.env`` with the sandbox's made-up credentials.
        commands: The commands to run with it.
    """

    strategy: str
    about: str
    env: str = field(repr=False)
    commands: tuple[str, ...] = ("procountor-auth token",)

    @property
    def rows(self) -> int:
        """The number of lines of the ``.env``, and one for a scroll bar."""
        return self.env.count("\n") + 1


def first_steps(client: ClientSettings) -> list[FirstSteps]:
    """Return the first steps of every strategy with the credentials of the sandbox's first client."""
    return [
        FirstSteps(
            "client_credentials",
            "Machine to machine, with an API key.",
            env_text(client.environment("client_credentials")),
        ),
        FirstSteps(
            "authorization_code",
            "A user logs in with a browser.",
            f"# On the login page: user {client.username}, password {_in_a_line(client.password)}\n"
            # A login that is only in memory would be lost when the command exits.
            + env_text(client.environment("authorization_code") | {"PROCOUNTOR_TOKEN_STORE": "file"}),
            ("procountor-auth login", "procountor-auth token"),
        ),
        FirstSteps(
            "legacy_password",
            "The deprecated login with a password.",
            env_text(client.environment("legacy_password")),
        ),
    ]


def env_text(variables: dict[str, str]) -> str:
    """Return variables as the lines of an ``.env``."""
    return "".join(f"{name}={_quote(value)}\n" for name, value in variables.items())


def _quote(value: str) -> str:
    # In the syntax of python-dotenv, which allows a newline between quotation marks.
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", r"\\").replace("'", r"\'") + "'"


def _in_a_line(value: str) -> str:
    return value if value.isprintable() else repr(value)
