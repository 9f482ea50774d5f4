"""``procountor-auth login``: a person logs in with the browser, and the token store has the token."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from .output import Json, moment, print_json, store_name
from .selection import AccountOption, ProfileOption  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from procountor_auth.settings import Settings
    from procountor_auth.stores.base import Store
    from procountor_auth.token import Token

NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Print the address of the login page, and take the one it ends at.")
]


def _seconds(value: float) -> float:
    """Refuse `nan`, which is neither below the least nor above the most: Typer before 0.29 lets it through."""
    if math.isnan(value):
        raise typer.BadParameter("nan is not a number of seconds.")
    return value


Timeout = Annotated[
    float,
    typer.Option(min=1, max=86_400, metavar="SECONDS", callback=_seconds, help="Seconds that the login may take."),
]


def login(
    *,
    no_browser: NoBrowser = False,
    timeout: Timeout = 300,
    profile: ProfileOption = None,
    account: AccountOption = "",
    as_json: Json = False,
) -> None:
    """Log in with a browser, and keep the token in PROCOUNTOR_TOKEN_STORE."""
    # What it takes to get a token takes time to import: the other commands need not wait for it.
    from procountor_auth.settings import Settings  # noqa: PLC0415
    from procountor_auth.source import TokenSource  # noqa: PLC0415
    from procountor_auth.stores import open_store  # noqa: PLC0415
    from procountor_auth.stores.key import entry_key  # noqa: PLC0415

    from .visit import visit  # noqa: PLC0415

    settings = Settings() if profile is None else Settings(profile=profile)
    _check(settings)
    source = TokenSource.from_settings(settings, account=account)
    store = open_store(settings.token_store, settings.token_store_keys)
    key = entry_key(source.strategy, account or settings.profile or "")
    store.read(key)  # a store that can't be used is found out before anybody logs in
    token = visit(settings.redirect_uri or "", source.begin_login, browser=not no_browser, timeout=timeout)
    _check_stored(store, key, token)
    where = store_name(settings)
    if as_json:
        stored = {
            "profile": settings.profile,
            "company_id": token.company_id,
            "user_id": token.user_id,
            "expires_at": token.expires_at,
            "refresh_expires_at": token.refresh_expires_at,
            "store": where,
        }
        print_json(stored)
    else:
        typer.echo(
            f"Logged in: company {_shown(token.company_id)}, user {_shown(token.user_id)}, as the token says. "
            f"It is kept in {where} and {_until(token)}."
        )


def _check(settings: Settings) -> None:
    from procountor_auth.errors import ConfigurationError, Problem  # noqa: PLC0415
    from procountor_auth.profiles import variable_of  # noqa: PLC0415

    if settings.strategy != "authorization_code":
        variable = variable_of(settings.profile, "strategy")
        option = "" if settings.profile is None else f" --profile {settings.profile}"
        raise ConfigurationError(
            f"The {settings.strategy} strategy has no login page.",
            hint=f"To get ready for another one, run: {variable}=authorization_code procountor-auth login{option}",
        )
    if settings.token_store.get_secret_value() == "memory":
        variable = "PROCOUNTOR_TOKEN_STORE"
        problem = Problem(
            variable, "invalid", f"{variable} is memory, which would forget the token when this command ends"
        )
        raise ConfigurationError.from_problems(
            (problem,),
            hint=f"Set {variable}=file, keyring or redis://…, here and for the programs that use the token.",
        )


def _check_stored(store: Store, key: str, token: Token) -> None:
    """Make sure that others will find the token: a program is served one that could not be written, too.

    Raises:
        StoreError: They will not.
    """
    from procountor_auth.errors import StoreError  # noqa: PLC0415

    entry = store.read(key)
    if entry is None or entry.token is None or entry.token.access_token != token.access_token:
        raise StoreError(
            "The login was completed, but the token could not be stored.",
            hint="Mend the token store (the line above says what is wrong with it), then log in again.",
        )


def _shown(number: int | None) -> str:
    return "unknown" if number is None else str(number)


def _until(token: Token) -> str:
    if token.refresh_token is None:
        return f"ends at {moment(token.expires_at)}: the server gave no refresh token"
    ends = token.refresh_expires_at
    return "is renewed from now on" if ends is None else f"is renewed until {moment(ends)}, if it is used"
