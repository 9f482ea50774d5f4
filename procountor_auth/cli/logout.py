"""``procountor-auth logout``: remove the stored token, here and at Procountor."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import typer

from .exit_status import status_of
from .message import print_text
from .options import AccountOption, ProfileOption  # noqa: TC001 - Typer reads the annotations
from .output import Json, print_json, store_text

if TYPE_CHECKING:
    from procountor_auth.errors import ProcountorAuthError
    from procountor_auth.tokens.provider import TokenProvider

_NOTHING_STORED: Final = {
    "memory": "Nothing is stored: PROCOUNTOR_TOKEN_STORE is memory, where each program keeps its own token.",
}


def logout(*, profile: ProfileOption = None, account: AccountOption = "", as_json: Json = False) -> None:
    """Remove the stored token, here and at Procountor.

    The configuration is not changed. With client_credentials, the next program simply gets another token; with
    authorization_code, a user has to log in again, unless PROCOUNTOR_REFRESH_TOKEN is set.
    """
    from procountor_auth.errors import ProcountorAuthError, StoreError, UnreadableEntry, printable  # noqa: PLC0415 - not needed for help
    from procountor_auth.settings.settings import Settings  # noqa: PLC0415 - the same
    from procountor_auth.tokens.provider import TokenProvider  # noqa: PLC0415 - the same
    from procountor_auth.tokens.renewing_cache import RenewingCache  # noqa: PLC0415 - the same
    from procountor_auth.tokens.telemetry import Telemetry  # noqa: PLC0415 - the same

    settings = Settings() if profile is None else Settings(profile=profile)
    telemetry = Telemetry()
    # Not a `TokenSource`: a logout needs no warning about a deprecated strategy, and must not be refused.
    provider = TokenProvider.from_settings(settings, account=account, on_fallback=telemetry.emit)
    where = printable(settings.store_label)
    unreadable = False
    try:
        stored = _has_token(provider)
    except UnreadableEntry:
        stored = unreadable = True
    error: ProcountorAuthError | None = None
    removed = False
    if stored:
        try:
            cache = RenewingCache(provider, telemetry, monotonic=time.monotonic, jitter=random.random)
            cache.run(cache.log_out).result()
        except ProcountorAuthError as raised:
            error = raised
    with suppress(StoreError):
        removed = stored and not _has_token(provider)
    invalidated = stored and error is None and not unreadable
    if as_json:
        _print_document(provider.whose.name, where, removed=removed, invalidated=invalidated, error=error)
        return
    if not stored:
        print_text(_NOTHING_STORED.get(where, f"Nothing to log out: {store_text(where)} has no token."))
    elif invalidated:
        print_text(f"Logged out: the token was removed from {store_text(where)}, and Procountor has invalidated it.")
    elif removed:
        print_text(
            f"The token was removed from {store_text(where)}, but Procountor did not invalidate it: it expires later."
        )
    if error is not None:
        raise error


def _print_document(
    profile: str | None, store: str, *, removed: bool, invalidated: bool, error: ProcountorAuthError | None
) -> None:
    """Print the result, including an error: standard output must be one JSON document."""
    from .documents.base import ErrorDetail  # noqa: PLC0415 - not needed for text
    from .documents.tokens import LogoutDocument  # noqa: PLC0415 - the same

    failed = ErrorDetail.of(error) if error is not None else None
    print_json(LogoutDocument(profile=profile, store=store, removed=removed, invalidated=invalidated, error=failed))
    if error is not None:
        raise typer.Exit(status_of(error))


def _has_token(provider: TokenProvider) -> bool:
    entry = provider.entry()
    return entry is not None and entry.token is not None
