"""One side of a migration: a profile with one strategy, today's or the next, ready to be looked at or tried."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from procountor_auth.migration.policy import looking
from procountor_auth.stores.key import entry_key
from procountor_auth.strategies.registry import find_strategy
from procountor_auth.supply import Wiring, wiring
from procountor_auth.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.backend import backend
    from procountor_auth.profiles import Profiles
    from procountor_auth.settings import Settings
    from procountor_auth.stores.base import Entry, Store
    from procountor_auth.strategies.base import Strategy


class Side(NamedTuple):
    """A profile with one strategy, without a fallback: what is to be seen is the strategy itself."""

    settings: Settings
    strategy: Strategy

    @classmethod
    def of(
        cls,
        profiles: Profiles,
        profile: str | None,
        strategy: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> Side:
        """Build it, with no warning of a deprecated strategy.

        Args:
            profiles: What all places said.
            profile: The profile, or None where there are none.
            strategy: The strategy; by default the one that is chosen.
            clock: The wall clock, in Unix seconds.

        Raises:
            ConfigurationError: Something is missing, wrong or misspelt for this strategy.
            StoreError: The API key is in a keychain that can't be used.
        """
        settings = profiles.settings(profile, strategy)
        kind = find_strategy(settings.strategy)
        assert kind is not None  # noqa: S101 - the settings have been validated
        with looking():
            return cls(settings, kind.from_settings(settings, clock=clock))

    @property
    def account(self) -> str:
        """The account's name in the store, as `TokenSource` has it."""
        return self.settings.profile or ""

    @property
    def key(self) -> str:
        """The key of its token in the store."""
        return entry_key(self.strategy, self.account)

    @property
    def forgets(self) -> bool:
        """Whether its tokens end with the process."""
        return self.settings.token_store.get_secret_value() == "memory"


class Connections:
    """The stores and transports of many profiles: one for each distinct configuration, as most share all of it.

    Requests travel over kept connections. `close` ends them.
    """

    def __init__(self) -> None:
        self._http: dict[tuple[Path | None, str], backend.HTTPTransport] = {}
        self._stores: dict[tuple[str, str], tuple[Store | None, Store | None]] = {}

    def wiring(self, side: Side) -> Wiring:
        """Return how this side reaches its host and its store.

        Raises:
            ConfigurationError: The token store's package is not installed, its key is not one, or the CA bundle or
                the proxy can't be used.
        """
        settings = side.settings
        place = (
            settings.token_store.get_secret_value(),
            settings.token_store_key.get_secret_value() if settings.token_store_key else "",
        )
        found = self._stores.get(place)
        if found is None:
            made = wiring(settings, side.strategy, side.account)
            found = (made.store, made.local)
            if not side.forgets:
                found = self._stores.setdefault(place, found)
        return Wiring(self._kept(Transport.from_settings(settings)), *found)

    def entry(self, side: Side) -> Entry | None:
        """Return what the store has for this side.

        Raises:
            StoreError: It can't be read.
            ConfigurationError: See `wiring`.
        """
        store = self.wiring(side).store
        return None if store is None else store.read(side.key)

    def _kept(self, transport: Transport) -> Transport:
        way = (transport.ca_bundle, transport.proxy.get_secret_value() if transport.proxy else "")
        http = self._http.get(way)
        if http is None:
            http = self._http.setdefault(way, transport.open())
        return replace(transport, http=http)

    def close(self) -> None:
        """Close all connections."""
        while self._http:
            self._http.popitem()[1].close()
