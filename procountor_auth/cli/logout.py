"""``procountor-auth logout``: the stored token is forgotten, here and at Procountor."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import typer

from .output import Json, print_json, store_name
from .selection import AccountOption, ProfileOption  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from procountor_auth.stores.base import Store

_NOTHING: Final = {
    "memory": "Nothing is stored: PROCOUNTOR_TOKEN_STORE is memory, where each program keeps its own token.",
}


def logout(*, profile: ProfileOption = None, account: AccountOption = "", as_json: Json = False) -> None:
    """Remove the stored token, here and at Procountor.

    The configuration stays as it is: with client_credentials, the next program simply gets another token; with
    authorization_code, a person has to log in again, unless PROCOUNTOR_REFRESH_TOKEN is set.
    """
    # What it takes to get a token takes time to import: the other commands need not wait for it.
    from procountor_auth.errors import ProcountorAuthError, StoreError  # noqa: PLC0415
    from procountor_auth.migration.policy import looking  # noqa: PLC0415
    from procountor_auth.settings import Settings  # noqa: PLC0415
    from procountor_auth.source import TokenSource  # noqa: PLC0415
    from procountor_auth.stores import open_store  # noqa: PLC0415
    from procountor_auth.stores.key import entry_key  # noqa: PLC0415

    settings = Settings() if profile is None else Settings(profile=profile)
    with looking():  # whoever leaves the deprecated strategy needs no warning, and must not be kept from it
        source = TokenSource.from_settings(settings, account=account)
    where = store_name(settings)
    store = open_store(settings.token_store, settings.token_store_keys)
    key = entry_key(source.strategy, account or settings.profile or "")
    stored = _has_token(store, key)
    failure: ProcountorAuthError | None = None
    removed = False
    if stored:
        try:
            source.logout()
        except ProcountorAuthError as error:
            failure = error
    with suppress(StoreError):
        removed = stored and not _has_token(store, key)
    invalidated = stored and failure is None
    if as_json:
        print_json({"profile": source.profile, "store": where, "removed": removed, "invalidated": invalidated})
    elif not stored:
        typer.echo(_NOTHING.get(where, f"Nothing was stored in {where}: there is nobody to log out."))
    elif invalidated:
        typer.echo(f"Logged out: the token was removed from {where}, and Procountor has invalidated it.")
    elif removed:
        typer.echo(f"The token was removed from {where}, but Procountor was not told: it ends by itself.")
    if failure is not None:
        raise failure


def _has_token(store: Store, key: str) -> bool:
    entry = store.read(key)
    return entry is not None and entry.token is not None
