"""How requests reach the host, and where tokens are shared with others."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from procountor_auth.errors import ConfigurationError
from procountor_auth.stores import open_spent_tokens, open_store
from procountor_auth.stores.guarded import guarded
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from procountor_auth.settings.settings import Settings
    from procountor_auth.stores.base import Store
    from procountor_auth.stores.spent_tokens import SpentTokens


class Backends:
    """The transport and the stores of one configuration, each opened when it is first used.

    Args:
        settings: What describes them; without settings, the transport is the default one, and nothing is shared.
        transport: The transport to use instead.
        store: The store to use instead.
        local: The store to share with the processes of this host while `store` can't be reached.
        library: The HTTP library, `httpx` or `httpx2`; by default the one that the program uses.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        transport: Transport | None = None,
        store: Store | None = None,
        local: Store | None = None,
        library: str | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._store = None if store is None else guarded(store)
        self._local = None if local is None else guarded(local)
        self._library = library

    @property
    def forgets(self) -> bool:
        """Whether tokens end with the process: nothing is stored outside of it."""
        return self._store is None and (self._settings is None or self._settings.forgets)

    @cached_property
    def transport(self) -> Transport:
        """How requests reach the host."""
        if self._transport is not None:
            return self._transport
        if self._settings is None:
            return Transport(library=self._library)
        return Transport.from_settings(self._settings, self._library)

    @cached_property
    def store(self) -> Store:
        """Where tokens are shared with others.

        Raises:
            ConfigurationError: The store's package is not installed, or its key is not one.
        """
        if self._store is not None:
            return self._store
        if self._settings is None:
            return MemoryStore()
        # A part of the time, so that some is left to go on without the store where that may be.
        return open_store(
            self._settings.token_store, self._settings.token_store_keys, timeout=self._settings.timeout / 2
        )

    @cached_property
    def local(self) -> Store | None:
        """Where tokens are shared with this host's processes while `store` can't be reached, or None."""
        if self._local is not None or self._settings is None or not self.store.remote:
            return self._local
        with suppress(ConfigurationError):  # without the packages of the file store each process is by itself
            return open_store("file", self._settings.token_store_keys)
        return None

    @cached_property
    def spent(self) -> SpentTokens | None:
        """Configured refresh tokens that are known to be replaced, or None where nothing is to be remembered."""
        # Whoever keeps no tokens starts from the configured one each time, and can't do without it.
        return None if self._settings is None or self.forgets else open_spent_tokens()

    def prepare(self) -> None:
        """Open everything now, where no fork can come between.

        Raises:
            ConfigurationError: Something can't be opened as it is configured.
        """
        _ = self.store, self.local
        self.transport.prepare()
