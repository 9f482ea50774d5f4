"""How a source puts its providers together: the first one, one for `reload`, and one for other secrets."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from procountor_auth.settings.profile import Profile
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.tokens.renewing_cache import RenewingCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.settings.settings import Settings
    from procountor_auth.stores.base import Store
    from procountor_auth.tokens.telemetry import Telemetry


@dataclass(frozen=True)
class Assembly:
    """How one source's providers are put together.

    Attributes:
        telemetry: Told of each token, failure and fallback.
        account: The program's own name for whose tokens they are.
        store: The store to use instead of the one that settings describe.
        library: The HTTP library, `httpx` or `httpx2`; by default the one that the program uses.
        monotonic: The clock for deadlines, in seconds.
        jitter: Gives a number from 0 to 1: how early within its margin a token is renewed.
        own_store: Where all its providers keep a login that is nobody's in particular, so that a reload loses none.
    """

    telemetry: Telemetry
    account: str = ""
    store: Store | None = None
    library: str | None = None
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    own_store: MemoryStore = field(default_factory=MemoryStore)

    def provider(self, settings: Settings, clock: Callable[[], float]) -> TokenProvider:
        """Return the provider that settings describe, with `clock` for the time in Unix seconds.

        Raises:
            ConfigurationError: The strategy can't be used, or a reference to a secret can't be followed.
            StoreError: A secret is in a keychain that can't be used.
        """
        with Profile(settings.profile).named():
            settings = settings.followed()
        return TokenProvider.from_settings(
            settings,
            account=self.account,
            backends=Backends(settings, store=self.store, library=self.library),
            own_store=self.own_store,
            on_fallback=self.telemetry.emit,
            clock=clock,
            monotonic=self.monotonic,
            on_response=self.telemetry.on_response,
        )

    def cache(self, provider: TokenProvider) -> RenewingCache:
        """Return the cache of a provider."""
        return RenewingCache(
            provider,
            self.telemetry,
            monotonic=self.monotonic,
            jitter=self.jitter,
            rebuild=lambda settings: self.provider(settings, provider.clock),
        )
