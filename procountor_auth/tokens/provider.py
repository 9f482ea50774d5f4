"""One configuration behind one door: a strategy, the way to its server, the stores in front of it, and the fallback.

Whoever needs the next token of a configuration, its entry in the store, or to know whose it is, asks here: the source,
the command line, the rehearsal. How a token is renewed is `renewal.py`.
"""

from __future__ import annotations

import copy
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from procountor_auth.errors import RedirectError, StoreConflict, UnreadableEntry
from procountor_auth.protocol.flow import observed
from procountor_auth.protocol.token import Token
from procountor_auth.settings.profile import Profile, named
from procountor_auth.stores.lineage import Lineage
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.strategies.guarded import guarded_flow, owns
from procountor_auth.strategies.registry import build, find_strategy
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.company import Company
from procountor_auth.tokens.credentials import credentials_digest
from procountor_auth.tokens.entry_key import entry_key
from procountor_auth.tokens.fallback import Fallback
from procountor_auth.tokens.renewal import Renewal
from procountor_auth.tokens.rotation import Rotation
from procountor_auth.tokens.stored import Acquired, Patience, store_login, write_token
from procountor_auth.tokens.token_request import TokenRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from procountor_auth.events import Event
    from procountor_auth.protocol.endpoints import Endpoints
    from procountor_auth.protocol.flow import Flow, Response
    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.settings import Settings
    from procountor_auth.stores.base import Entry, Store
    from procountor_auth.strategies.base import Strategy

T = TypeVar("T")


class TokenProvider:
    """Gets tokens for one configuration. It keeps none itself, and never changes: another configuration is another one.

    Args:
        strategy: How tokens are requested; its client's clock says when they expire.
        backends: The transport and the stores.
        fallback: What is tried where the server refuses the strategy.
        account: The program's own name for whose tokens these are.
        settings: What described all this, if settings did.
        own_store: Where a login is kept that is nobody's in particular, if nothing is stored outside of the process;
            by default a new one.
        monotonic: The clock for deadlines, in seconds.
        on_response: Shown each response, with this provider and the path of the request.
    """

    def __init__(
        self,
        strategy: Strategy,
        backends: Backends | None = None,
        *,
        fallback: Fallback | None = None,
        account: str = "",
        settings: Settings | None = None,
        own_store: MemoryStore | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        on_response: Callable[[TokenProvider, Response, str], None] = lambda _provider, _response, _path: None,
    ) -> None:
        self.strategy = strategy
        self.backends: Backends = backends or Backends()
        self.fallback = fallback
        self.account = account
        self._settings = settings
        self.clock: Callable[[], float] = strategy.client.clock
        self.key: str = entry_key(strategy, account)
        self.company: Company = Company.of(settings)
        self.rotation: Rotation = Rotation(settings, monotonic)
        self._credentials = credentials_digest(settings)
        self._monotonic = monotonic
        self._on_response = on_response
        # Whoever logs in here is not whoever logs in at another source of this process.
        anonymous = not (strategy.unattended or strategy.identity() or account)
        keeps_it = settings is not None and self.forgets and anonymous
        self._own_store = (own_store or MemoryStore()) if keeps_it else None
        self.reset_after_fork()

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        account: str = "",
        backends: Backends | None = None,
        own_store: MemoryStore | None = None,
        on_fallback: Callable[[Event], None] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        on_response: Callable[[TokenProvider, Response, str], None] = lambda _provider, _response, _path: None,
    ) -> TokenProvider:
        """Build the provider that `settings` describe. Nothing is opened yet, and no deprecated strategy warns.

        Args:
            settings: The settings.
            account: The program's own name for whose tokens these are; by default the profile's.
            backends: The transport and the stores, where others share them.
            own_store: See the class.
            on_fallback: Told each time that the fallback is used. Without it, there is none.
            clock: The wall clock, in Unix seconds.
            monotonic: The clock for deadlines, in seconds.
            on_response: See the class.

        Raises:
            ConfigurationError: The strategy can't be used, or a reference to a secret can't be followed.
            StoreError: The keychain can't be used.
        """
        fallback: Fallback | None = None
        with Profile(settings.profile).named():
            settings = settings.followed()  # nothing to do where others have
            strategy = build(settings, clock=clock)
            # It may be set before the switch, and stay set after the way back.
            if on_fallback is not None and settings.fallback_strategy not in {None, settings.strategy}:
                other = build(settings, settings.fallback_strategy, clock=clock)
                company = Company.of(settings)
                fallback = Fallback(other, limit=settings.fallback_limit, emit=on_fallback, company=company)
        return cls(
            strategy,
            backends or Backends(settings),
            fallback=fallback,
            account=account or settings.profile or "",
            settings=settings,
            own_store=own_store,
            monotonic=monotonic,
            on_response=on_response,
        )

    @property
    def whose(self) -> Profile:
        """The profile whose tokens these are: no profile where there are none."""
        return Profile(self._settings.profile if self._settings else None)

    @property
    def settings(self) -> Settings:
        """What described this provider.

        Raises:
            TypeError: Nothing did: it was put together by hand.
        """
        if self._settings is None:
            raise TypeError("This provider was not made from settings.")
        return self._settings

    def observed_by(self, on_response: Callable[[TokenProvider, Response, str], None]) -> TokenProvider:
        """Return the same provider, with another function that gets the responses."""
        other = copy.copy(self)
        other._on_response = on_response  # noqa: SLF001 - its own class
        return other

    @property
    def endpoints(self) -> Endpoints:
        """The URLs of the host that the tokens are for."""
        return self.strategy.client.endpoints

    @property
    @named
    def store(self) -> Store:
        """Where tokens are shared with others. Raises what `Backends.store` raises."""
        return self._own_store or self.backends.store

    @property
    def store_keys(self) -> tuple[SecretStr, ...]:
        """The keys that seal what is stored."""
        return self._settings.token_store_keys if self._settings else ()

    @property
    def forgets(self) -> bool:
        """Whether its tokens end with the process."""
        return self.backends.forgets

    @property
    def timeout(self) -> float:
        """Seconds that getting a token may take."""
        return self.backends.transport.timeout

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """The strategy, and the one to fall back to if there is one."""
        return (self.strategy,) if self.fallback is None else (self.strategy, self.fallback.strategy)

    @property
    def unattended(self) -> bool:
        """Whether it needs no person, or what it is to fall back to does not."""
        fallback = find_strategy((self._settings and self._settings.fallback_strategy) or "")
        return any(each.unattended for each in self.strategies) or (fallback is not None and fallback.unattended)

    @named
    def prepare(self) -> None:
        """Act on being chosen by a program, and open everything where no fork can come between.

        Raises:
            LegacyNotAllowed: The legacy strategy is chosen, and forbidden.
            ConfigurationError: Something can't be opened as it is configured.
        """
        for each in self.strategies:
            each.apply_policy()
        self.backends.prepare()

    def reset_after_fork(self) -> None:
        """Drop what belongs to the parent process."""
        self._private = MemoryStore()
        self.rotation.reset_after_fork()

    def deadline(self) -> float:
        """Return the moment, on the monotonic clock, at which a token that is requested now has to be there."""
        return self._monotonic() + self.timeout

    def owns(self, token: Token) -> bool:
        """Whether a stored token is one of this configuration's own, and not another company's."""
        owned = any(owns(each, token) for each in self.strategies)
        return owned and self.company.stranger(token) is None

    def gives_same_as(self, other: TokenProvider) -> bool:
        """Whether tokens are the same ones as those of another provider: of the same entry, and the same company."""
        return self.key == other.key and self.company == other.company

    def continue_fallbacks_of(self, other: TokenProvider) -> None:
        """Count how often it falls back from where another provider is, unless there is something new to try.

        Args:
            other: The provider that this one replaces.
        """
        if self.fallback is None or other.fallback is None:
            return
        same_fallback = self.fallback.strategy.name == other.fallback.strategy.name
        if same_fallback and self.gives_same_as(other) and self._credentials == other._credentials:
            self.fallback.continue_count_of(other.fallback)

    @named
    def entry(self) -> Entry | None:
        """Return what the store has, without a lock. Raises what `store` and `Store.read` raise."""
        return self.store.read(self.key)

    @named
    def locked_entry(self, timeout: float) -> Entry | None:
        """Return what the store has, as a renewal finds it: read, then locked and read again.

        Args:
            timeout: Seconds to wait for the lock.

        Raises:
            StoreError: The store can't be read or locked.
            ConfigurationError: It can't be opened as it is configured.
        """
        self.store.read(self.key)
        with self.store.transaction(self.key, timeout=timeout) as transaction:
            return transaction.entry

    @named
    def renew(
        self, known: Token | None, rejected: Token | None, lineage: Lineage | None = None, *, pauses: bool = True
    ) -> Acquired:
        """Get the next token.

        Args:
            known: The token that the caller has, if any.
            rejected: The token that the API has rejected, if any.
            lineage: The place of the known token (see `Acquired`); by default it begins a chain.
            pauses: Whether credentials that were refused a moment ago are not sent again.

        Raises:
            ProcountorAuthError: Whatever keeps it from getting one.
        """
        deadline = self.deadline()
        request = TokenRequest(
            self.strategy,
            self.company,
            self.backends.spent,
            drive=lambda flow: self._receive(flow, deadline),
            seconds_left=lambda: deadline - self._monotonic(),
        )
        renewal = Renewal(
            self.fallback,
            key=self.key,
            profile=self.whose.name,
            known=Acquired(known, from_server=False, lineage=lineage or Lineage.of(known)) if known else None,
            rejected=rejected,
            credentials=self._credentials,
            pauses=pauses,
            superseded=lambda: self.rotation.found() is not None,
            owns=self.owns,
            request=request,
            sleep=self.backends.transport.sleep,
        )
        return renewal.run(self.store, lambda: (self.backends.local or self._private, self._private))

    @named
    def store_result_of(self, flow: Flow[Token], once: SecretStr) -> Acquired:
        """Get a token with a prepared flow, at the end of a login, and store it.

        Args:
            flow: The flow.
            once: What names the login; it is remembered beside the token.

        Raises:
            RedirectError: Another process with the same store has completed this login.
            ProcountorAuthError: Whatever else keeps it from getting a token.
        """
        deadline = self.deadline()
        # The lock comes first: a code that was exchanged must not be lost to a store that can't be had.
        with self.store.transaction(self.key, timeout=self.timeout) as transaction:
            if transaction.lineage.has_spent(once):
                flow.close()
                over = RedirectError("This login has been completed already.", hint="Start a new login.")
                over.ends_login = over.is_repeated = True
                raise over
            token = self._receive(flow, deadline)
            self.company.tell_of_replaced(transaction.entry)
            lineage = Lineage.of(token, transaction.lineage.spending(once))
            patience = Patience(self.backends.transport.sleep, lambda: deadline - self._monotonic())
            with suppress(StoreConflict):
                return write_token(transaction, token, lineage, patience)
        acquired = Acquired(token, from_server=True, lineage=lineage)
        return store_login(self.store, self.key, acquired, patience)

    def _receive(self, flow: Flow[Token], deadline: float) -> Token:
        """Drive a flow to its token, and refuse another company's."""
        token = self.drive(flow, deadline)
        self.company.check_received(token)
        return token

    @named
    def forget(self, timeout: float | None = None) -> Token | None:
        """Empty the entry in the store, and return the token that was in it.

        It waits for the renewal that holds the entry, and writes after it. A renewal that comes later finds this write,
        and so does not use the refresh token that it has seen before. An entry that can't be opened is removed.

        Args:
            timeout: Seconds to wait for it; by default as long as getting a token may take.
        """
        self._private = MemoryStore()
        timeout = self.timeout if timeout is None else timeout
        with suppress(UnreadableEntry), self.store.transaction(self.key, timeout=timeout) as transaction:
            entry = transaction.entry
            transaction.write(None, lineage=transaction.lineage.invalidated())
            return entry.token if entry else None
        self.store.remove(self.key, timeout=timeout)
        return None

    def logout(self, token: Token) -> Flow[None]:
        """Return the flow that has the server invalidate a token, in the way of the strategy that it came by."""
        owner = next((each for each in self.strategies if owns(each, token)), self.strategy)
        return guarded_flow(owner, lambda: owner.logout(token))

    @named
    def drive(self, flow: Flow[T], deadline: float) -> T:
        """Drive a flow to its result before the deadline."""
        return self.backends.transport.run(
            observed(flow, partial(self._on_response, self)), timeout=deadline - self._monotonic()
        )

    def __repr__(self) -> str:
        return f"<TokenProvider with {self.strategy!r}>"
