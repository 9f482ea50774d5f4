"""The token store that the logins of a bridge share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.tokens.backends import Backends

if TYPE_CHECKING:
    from pydantic import SecretStr

    from procountor_auth.settings.settings import Settings
    from procountor_auth.stores.base import Store

    from .login import Logins


def shared_store(logins: Logins) -> Store:
    """Return the store that all logins have.

    Raises:
        ConfigurationError: Some have another one, or it can't be opened.
        StoreError: A secret is in a keychain that can't be used.
    """
    first, *others = (login.settings for login in logins)
    for other in others:
        if named(other) != named(first):
            raise ConfigurationError.from_problems(
                (
                    Problem(
                        "PROCOUNTOR_TOKEN_STORE",
                        "invalid",
                        f"PROCOUNTOR_TOKEN_STORE or its key is another one for profile {other.profile} than for "
                        f"{first.profile}",
                    ),
                ),
                hint="The profiles of one bridge share a token store: set it for all, or start a bridge for each.",
            )
    return Backends(first.followed()).store


def refuse_other_store(logins: Logins, before: Logins) -> None:
    """Make sure that logins have the store that a bridge was started with: its tokens are there.

    Raises:
        ConfigurationError: Some have another one.
    """
    first = next(iter(before)).settings
    if any(named(login.settings) != named(first) for login in logins):
        variable = "PROCOUNTOR_TOKEN_STORE"
        raise ConfigurationError.from_problems(
            (Problem(variable, "invalid", f"{variable} or its key is another one than before"),),
            hint="Restart the bridge to change its token store.",
        )


def named(settings: Settings) -> tuple[str, ...]:
    """Return what the store is described by: settings with the same have the same store. It is a secret."""
    values: tuple[SecretStr | None, ...] = (settings.token_store, settings.token_store_key)
    return tuple(value.get_secret_value() if value is not None else "" for value in values)
