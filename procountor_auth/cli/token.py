"""``procountor-auth token``: the bare access token, for scripts."""

from __future__ import annotations

import typer

from .options import AccountOption, ProfileOption  # noqa: TC001 - Typer reads the annotations
from .output import Json, on_terminal, print_json


def token(*, profile: ProfileOption = None, account: AccountOption = "", as_json: Json = False) -> None:
    """Print an access token, and nothing else, for a script.

    It comes from the token store if there is one that can be used for another minute at least, else from Procountor.
    Hand it on through a pipe or a variable: what stands in a command's arguments, every user of the machine can see.
    """
    from procountor_auth.tokens.source import TokenSource  # noqa: PLC0415 - slow to import: only this command waits

    source = TokenSource.from_env(profile=profile, account=account)
    found = source.token()
    if on_terminal():
        typer.echo("The next line is a secret: it opens the company's data until it expires.", err=True)
    if not as_json:
        typer.echo(found.access_token)
        return
    print_json(
        {
            "access_token": found.access_token,
            "expires_at": found.expires_at,
            "strategy": found.strategy,
            "company_id": found.company_id,
            "user_id": found.user_id,
            "profile": source.profile,
        }
    )
