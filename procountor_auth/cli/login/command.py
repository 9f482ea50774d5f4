"""``procountor-auth login``: log in with a browser, and store the token."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from procountor_auth.cli.message import print_text
from procountor_auth.cli.options import AccountOption, ProfileOption  # noqa: TC001 - Typer reads the annotations
from procountor_auth.cli.output import Json, format_time, print_json, store_text
from procountor_auth.errors import printable

if TYPE_CHECKING:
    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.settings import Settings

NoBrowser = Annotated[
    bool,
    typer.Option(
        "--no-browser", help="Print the address of the login page, and prompt for the one that the browser ends up at."
    ),
]


def _check_seconds(value: float) -> float:
    """Refuse `nan`, which is neither below the minimum nor above the maximum: Typer before 0.29 accepts it."""
    if math.isnan(value):
        raise typer.BadParameter("nan is not a number of seconds.")
    return value


Timeout = Annotated[
    float,
    typer.Option(
        min=1,
        max=86_400,
        metavar="SECONDS",
        callback=_check_seconds,
        help="How long to wait for the login, in seconds.",
    ),
]


def login(
    *,
    no_browser: NoBrowser = False,
    timeout: Timeout = 300,
    profile: ProfileOption = None,
    account: AccountOption = "",
    as_json: Json = False,
) -> None:
    """Log in with a browser, and store the token in PROCOUNTOR_TOKEN_STORE."""
    from procountor_auth.settings.settings import Settings  # noqa: PLC0415 - not needed for help
    from procountor_auth.tokens.provider import TokenProvider  # noqa: PLC0415 - the same
    from procountor_auth.tokens.source import TokenSource  # noqa: PLC0415 - the same

    from .browser_login import log_in_with_browser  # noqa: PLC0415 - the same

    settings = Settings() if profile is None else Settings(profile=profile)
    _check_settings(settings)
    source = TokenSource.from_settings(settings, account=account)
    provider = TokenProvider.from_settings(settings, account=account)
    provider.entry()  # report a broken store before the login
    token = log_in_with_browser(
        settings.redirect_uri or "", source.begin_login, browser=not no_browser, timeout=timeout
    )
    stored_now = provider.entry()
    _check_stored(token, stored_now.token if stored_now else None)
    where = printable(settings.store_label)
    if as_json:
        from procountor_auth.cli.documents.tokens import LoginDocument  # noqa: PLC0415 - not needed for text

        print_json(
            LoginDocument(
                profile=settings.profile,
                company_id=token.company_id,
                user_id=token.user_id,
                expires_at=token.expires_at,
                refresh_expires_at=token.refresh_expires_at,
                store=where,
            )
        )
    else:
        print_text(
            f"Logged in: company {_id_text(token.company_id)}, user {_id_text(token.user_id)} (from the token). "
            f"The token is stored in {store_text(where)} and {_expiry_text(token)}."
        )
        option = "" if settings.profile is None else f" --profile {shlex.quote(settings.profile)}"
        print_text(f"Next: procountor-auth token{option}")


def _check_settings(settings: Settings) -> None:
    from procountor_auth.errors import ConfigurationError, Problem  # noqa: PLC0415 - not needed for help
    from procountor_auth.settings.profiles import variable_of  # noqa: PLC0415 - the same

    if settings.strategy != "authorization_code":
        variable = variable_of(settings.profile, "strategy")
        option = "" if settings.profile is None else f" --profile {settings.profile}"
        raise ConfigurationError(
            f"The {settings.strategy} strategy has no login page.",
            hint=f"To prepare for another strategy, run: {variable}=authorization_code procountor-auth login{option}",
        )
    if settings.token_store.get_secret_value() == "memory":
        variable = "PROCOUNTOR_TOKEN_STORE"
        problem = Problem(
            variable, "invalid", f"{variable} is memory, which would lose the token when this command exits"
        )
        raise ConfigurationError.from_problems(
            (problem,),
            hint=f"Set {variable}=file, keyring or redis://…, here and for the programs that use the token.",
        )


def _check_stored(token: Token, stored: Token | None) -> None:
    """Check that other processes can read the token: a login succeeds even if its token could not be stored.

    Raises:
        StoreError: They can't.
    """
    from procountor_auth.errors import StoreError  # noqa: PLC0415 - not needed for help

    if stored is None or stored.access_token != token.access_token:
        raise StoreError(
            "The login succeeded, but the token could not be stored.",
            hint="Fix the token store (see the line above), then log in again.",
        )


def _id_text(number: int | None) -> str:
    return "unknown" if number is None else str(number)


def _expiry_text(token: Token) -> str:
    if token.refresh_token is None:
        return f"expires {format_time(token.expires_at)}: the server issued no refresh token"
    if token.refresh_expires_at is None:
        return "will be renewed automatically"
    return f"can be renewed until {format_time(token.refresh_expires_at)}"
