"""The providers of many profiles, which share stores and connections: one for each distinct configuration."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from procountor_auth.errors import StoreUnavailable
from procountor_auth.settings.secret_reference import SecretReferences
from procountor_auth.settings.settings import Settings
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from procountor_auth.protocol.flow import Response
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.stores.base import Entry, Store


class ProviderPool:
    """Builds the providers of profiles, each with one strategy and no fallback: the strategy itself is looked at.

    Most profiles share all of their stores and connections. Requests travel over kept connections; `close` ends them. A
    store that can't be reached is waited for once.

    Args:
        profiles: The profiles, with their variables from all places.
        clock: The wall clock, in Unix seconds.
    """

    def __init__(self, profiles: Profiles, *, clock: Callable[[], float] = time.time) -> None:
        self.profiles = profiles
        self.clock = clock
        self._lock = Lock()
        self._references = SecretReferences()
        self._http: dict[tuple[Path | None, str], httpx.HTTPTransport] = {}
        self._stores: dict[tuple[str, str], Backends] = {}
        self._down: dict[int, StoreUnavailable] = {}

    def provider(
        self,
        profile: str | None,
        strategy: str | None = None,
        *,
        account: str = "",
        on_response: Callable[[TokenProvider, Response, str], None] = lambda _provider, _response, _path: None,
    ) -> TokenProvider:
        """Return the provider of a profile with a strategy; nothing is opened yet.

        Args:
            profile: The profile, or None where there are none.
            strategy: The strategy; by default the one that is chosen.
            account: The program's own name for whose tokens they are; by default the profile's.
            on_response: Shown each response, with the provider and the path of the request.

        Raises:
            ConfigurationError: Something is missing, wrong or misspelt for this strategy.
            StoreError: The API key is in a keychain that can't be used.
        """
        settings = Settings.of_profile(self.profiles, profile, strategy).followed(self._references.follow)
        return TokenProvider.from_settings(
            settings,
            account=account,
            backends=_PooledBackends(settings, self),
            clock=self.clock,
            on_response=on_response,
        )

    def entry(self, provider: TokenProvider, key: str | None = None) -> Entry | None:
        """Return what the store has for a provider.

        Args:
            provider: The provider.
            key: Where to look in its store; by default where its token is.

        Raises:
            StoreError: It can't be read.
            ConfigurationError: The store can't be opened as it is configured.
        """
        store = provider.store
        down = self._down.get(id(store))
        with provider.whose.named():
            if down is None:
                try:
                    return store.read(key or provider.key)
                except StoreUnavailable as error:
                    if store.entries_fail_alone:
                        raise
                    down = self._down[id(store)] = error
            raise StoreUnavailable(down.message, hint=down.hint)

    def close(self) -> None:
        """Close all connections."""
        while self._http:
            self._http.popitem()[1].close()

    def store_of(self, settings: Settings) -> Store:
        """Return the store that settings describe, one for all of the same. Raises what `open_store` does."""
        sealed = settings.token_store_key.get_secret_value() if settings.token_store_key else ""
        with self._lock:
            return self._stores.setdefault((settings.token_store.get_secret_value(), sealed), Backends(settings)).store

    def transport_of(self, settings: Settings) -> Transport:
        """Return the transport that settings describe, with a connection that is kept.

        Raises:
            ConfigurationError: The CA bundle or the proxy can't be used.
        """
        transport = Transport.from_settings(settings)
        way = (transport.ca_bundle, transport.proxy.get_secret_value() if transport.proxy else "")
        with self._lock:
            http = self._http.get(way)
            if http is None:
                http = self._http.setdefault(way, transport.open())
        return replace(transport, http=http)


class _PooledBackends(Backends):
    """The backends of one provider, out of a pool."""

    def __init__(self, settings: Settings, pool: ProviderPool) -> None:
        super().__init__(settings)
        self._pool_settings = settings
        self._pool = pool

    @cached_property
    def transport(self) -> Transport:
        return self._pool.transport_of(self._pool_settings)

    @cached_property
    def store(self) -> Store:
        return self._pool.store_of(self._pool_settings)
