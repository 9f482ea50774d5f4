"""Which programs still log in through the bridge with a profile's login, according to the bridge's record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.bridge.caller import callers_in
from procountor_auth.bridge.login_key import entry_of
from procountor_auth.bridge.records import fields_of

if TYPE_CHECKING:
    from procountor_auth.bridge.caller import Caller
    from procountor_auth.tokens.pool import ProviderPool
    from procountor_auth.tokens.provider import TokenProvider


def callers_of(provider: TokenProvider, pool: ProviderPool) -> tuple[Caller, ...]:
    """Return the programs that have logged in through the bridge, the most recent first.

    Args:
        provider: The profile's provider.
        pool: The provider's pool.

    Raises:
        StoreError: The record can't be read.
        ConfigurationError: The store can't be opened as it is configured, or a reference can't be resolved.
    """
    # Other programs can't write to this process's memory.
    key = None if provider.forgets else entry_of(provider.settings)
    if key is None:
        return ()
    return tuple(callers_in(fields_of(pool.entry(provider, key), pool.clock())))
