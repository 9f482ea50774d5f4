"""``procountor-auth token``: the access token, for scripts."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from .message import say
from .options import AccountOption, ProfileOption  # noqa: TC001 - Typer reads the annotations
from .output import Json, on_terminal, print_json

if TYPE_CHECKING:
    from procountor_auth.protocol.token import Token

VARIABLE = "PROCOUNTOR_ACCESS_TOKEN"
"""The name of the variable that the token is printed as. It is not a setting: this package does not read it."""


class Format(StrEnum):
    """The output formats."""

    BARE = "bare"
    HEADER = "header"
    ENV = "env"
    POWERSHELL = "powershell"
    JSON = "json"


def token(
    *,
    profile: ProfileOption = None,
    account: AccountOption = "",
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="The bare token, a header for curl -H @-, a line for a shell or PowerShell, or JSON with its expiry.",
        ),
    ] = Format.BARE,
    as_json: Json = False,
) -> None:
    """Print an access token, and nothing else, for a script.

    It comes from the token store if a token there is valid for at least another minute, and from Procountor otherwise.
    Pass it on through a pipe or a variable: every user of the machine can see the arguments of a command.
    """
    from procountor_auth.tokens.source import TokenSource  # noqa: PLC0415 - slow to import, and only this command needs it

    source = TokenSource.from_env(profile=profile, account=account)
    found = source.token()
    if on_terminal():
        say("The next line is a secret: it gives access to the company's data until it expires.")
    if as_json or form is Format.JSON:
        from .documents.tokens import TokenDocument  # noqa: PLC0415 - not needed for text

        print_json(
            TokenDocument(
                access_token=found.access_token,
                expires_at=found.expires_at,
                strategy=found.strategy,
                company_id=found.company_id,
                user_id=found.user_id,
                profile=source.profile,
            )
        )
    else:
        typer.echo(_line(found, form))


def _line(found: Token, form: Format) -> str:
    match form:
        case Format.HEADER:
            return f"Authorization: {found.authorization}"
        case Format.ENV:
            return f"{VARIABLE}={shlex.quote(found.access_token)}"
        case Format.POWERSHELL:
            quoted = found.access_token.replace("'", "''")
            return f"$env:{VARIABLE} = '{quoted}'"
        case _:
            return found.access_token
