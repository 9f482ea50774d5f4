"""``procountor-auth key create``: a person logs in with the browser, and there is an API key."""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .login import NoBrowser, Timeout  # noqa: TC001 - Typer reads the annotations
from .output import Json, on_terminal, print_json
from .selection import ProfileOption  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from pydantic import SecretStr

    from procountor_auth.settings import Settings

app = typer.Typer(no_args_is_help=True, help="API keys, for PROCOUNTOR_STRATEGY=client_credentials.")


@app.callback()
def root() -> None:
    """API keys, for PROCOUNTOR_STRATEGY=client_credentials."""


@app.command()
def create(
    *,
    keyring: Annotated[
        bool, typer.Option("--keyring", help="Put the key into the system's keychain, and print where it is.")
    ] = False,
    no_browser: NoBrowser = False,
    timeout: Timeout = 300,
    profile: ProfileOption = None,
    as_json: Json = False,
) -> None:
    """Log in with a browser, and print PROCOUNTOR_API_KEY=… with a new key of the chosen company.

    Of a profile, the line is the profile's own variable, PROCOUNTOR_PROFILES__NAME__API_KEY=….
    """
    # What it takes to get a key takes time to import: the other commands need not wait for it.
    from procountor_auth.claims import unverified_claims  # noqa: PLC0415
    from procountor_auth.login import KeyLogin  # noqa: PLC0415
    from procountor_auth.profiles import variable_of  # noqa: PLC0415
    from procountor_auth.settings import KeyLoginSettings  # noqa: PLC0415
    from procountor_auth.stores import pointer  # noqa: PLC0415

    from .visit import visit  # noqa: PLC0415

    settings = KeyLoginSettings() if profile is None else KeyLoginSettings(profile=profile)
    if keyring:
        pointer.check()  # a keychain that can't be used is found out before there is a key to keep
    key = visit(
        settings.redirect_uri or "",
        lambda redirect_uri: KeyLogin.from_settings(settings, redirect_uri),
        browser=not no_browser,
        timeout=timeout,
    )
    claims = unverified_claims(key.get_secret_value())
    value = _kept(_entry(settings, claims), key) if keyring else key.get_secret_value()
    if as_json:
        company, user = _number(claims.get("cid")), _number(claims.get("sub"))
        print_json({"profile": settings.profile, "api_key": value, "company_id": company, "user_id": user})
        return
    if not keyring and on_terminal():
        typer.echo("The next line is a secret: it gets a token for the company until the key is revoked.", err=True)
    typer.echo(f"{variable_of(settings.profile, 'api_key')}={shlex.quote(value)}")


def _entry(settings: Settings, claims: dict[str, Any]) -> str:
    """Return the keychain entry's name: one for each host, client, user and company, so that each has its own key."""
    whose = [settings.endpoints.host, settings.client_id, str(claims.get("sub")), str(claims.get("cid"))]
    digest = hashlib.sha256(json.dumps(whose).encode()).hexdigest()[:8]
    company = _number(claims.get("cid"))
    return f"api-key-{'unknown' if company is None else company}-{digest}"


def _kept(name: str, key: SecretStr) -> str:
    from procountor_auth.errors import StoreError  # noqa: PLC0415
    from procountor_auth.stores import pointer  # noqa: PLC0415

    failed: StoreError | None = None
    try:
        return pointer.keep(name, key)
    except StoreError as error:
        failed = error
    failed.hint = f"The new key is lost: delete it in Procountor's user interface. {failed.hint}"
    raise failed.with_traceback(None)


def _number(claim: object) -> int | None:
    """Read an ID, which is an integer in the documentation's samples and a string in real keys."""
    text = str(claim)
    return int(text) if text.isascii() and text.isdigit() else None
