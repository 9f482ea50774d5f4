"""``procountor-auth key create``: log in with a browser, and print a new API key."""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from procountor_auth.cli.command import Command
from procountor_auth.cli.message import say
from procountor_auth.cli.options import ProfileOption  # noqa: TC001 - Typer reads the annotations
from procountor_auth.cli.output import Json, on_terminal, print_json
from procountor_auth.errors import printable

from .command import NoBrowser, Timeout  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from pydantic import SecretStr

    from procountor_auth.settings.settings import Settings

app: typer.Typer = typer.Typer(no_args_is_help=True, help="API keys, for PROCOUNTOR_STRATEGY=client_credentials.")


@app.callback()
def root() -> None:
    """API keys, for PROCOUNTOR_STRATEGY=client_credentials."""


@app.command(cls=Command, epilog="Example: procountor-auth key create --profile acme --keyring")
def create(
    *,
    keyring: Annotated[
        bool, typer.Option("--keyring", help="Save the key in the system keychain, and print a reference to it.")
    ] = False,
    no_browser: NoBrowser = False,
    timeout: Timeout = 300,
    profile: ProfileOption = None,
    as_json: Json = False,
) -> None:
    """Log in with a browser, and print PROCOUNTOR_API_KEY=… with a new key for the chosen company.

    For a profile, the line sets the profile's own variable, PROCOUNTOR_PROFILES__NAME__API_KEY=….
    """
    from procountor_auth.login.login import KeyLogin  # noqa: PLC0415 - not needed for help
    from procountor_auth.protocol.claims import read_id, unverified_claims  # noqa: PLC0415 - the same
    from procountor_auth.settings import secret_reference  # noqa: PLC0415 - the same
    from procountor_auth.settings.key_login import KeyLoginSettings  # noqa: PLC0415 - the same
    from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - the same

    from .browser_login import log_in_with_browser  # noqa: PLC0415 - the same

    settings = KeyLoginSettings() if profile is None else KeyLoginSettings(profile=profile)
    variable = Profiles.search().spelling_of(settings.profile, "api_key")
    if keyring:
        secret_reference.check()  # report a broken keychain before a key is created
    key = log_in_with_browser(
        settings.redirect_uri or "",
        lambda redirect_uri: KeyLogin.from_settings(settings, redirect_uri),
        browser=not no_browser,
        timeout=timeout,
    )
    claims = unverified_claims(key.get_secret_value())
    company, user = read_id(claims.get("cid")), read_id(claims.get("sub"))
    value = key.get_secret_value()
    if keyring:
        value = _store_in_keychain(_entry_name(settings, claims, company), key)
    if as_json:
        from procountor_auth.cli.documents.tokens import KeyDocument  # noqa: PLC0415 - not needed for text

        print_json(KeyDocument(profile=settings.profile, api_key=value, company_id=company, user_id=user))
        return
    if not keyring and on_terminal():
        say("The next line is a secret: it gets a token for the company until the key is revoked.")
    typer.echo(f"{printable(variable)}={shlex.quote(value)}")


def _entry_name(settings: Settings, claims: dict[str, Any], company: int | None) -> str:
    """Return the name of the keychain entry, which is unique for host, client, user and company."""
    identity = [settings.endpoints.host, settings.client_id, str(claims.get("sub")), str(claims.get("cid"))]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]
    return f"api-key-{'unknown' if company is None else company}-{digest}"


def _store_in_keychain(name: str, key: SecretStr) -> str:
    """Store the key in the keychain; return the reference to it."""
    from procountor_auth.errors import StoreError  # noqa: PLC0415 - not needed for help
    from procountor_auth.settings import secret_reference  # noqa: PLC0415 - the same

    failed: StoreError | None = None
    try:
        return secret_reference.keep(name, key)
    except StoreError as error:
        failed = error
    failed.hint = f"The new key is lost: delete it in Procountor's user interface. {failed.hint}"
    raise failed.with_traceback(None)
