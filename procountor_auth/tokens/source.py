"""The token source: one valid token for all callers.

Reading a fresh token is a comparison and takes no lock. A stale one is served as well, while one renewal runs behind
the callers. Only without a usable token do callers wait, all for the same outcome, success or failure. What is done
when is decided in `cache.py` and done in `renewing_cache.py`; where the next token comes from is `provider.py`.
"""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, NoReturn, Self

from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, printable
from procountor_auth.protocol.argument import wrong_argument
from procountor_auth.protocol.importing import importing
from procountor_auth.settings.hosts import PRODUCTION
from procountor_auth.tokens.argument import check_options, check_settings, check_strategy
from procountor_auth.tokens.assembly import Assembly
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.browser_login import login_of
from procountor_auth.tokens.fallback import MAX_FALLBACKS, Fallback
from procountor_auth.tokens.fixed_token import fixed_token_strategy
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.tokens.telemetry import Telemetry
from procountor_auth.transport.backend import check_library
from procountor_auth.transport.background import afinish, finish

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.events import Listener
    from procountor_auth.login.login import Login
    from procountor_auth.protocol.endpoints import Endpoints
    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.profile import Profile
    from procountor_auth.settings.settings import Settings
    from procountor_auth.stores.base import Store
    from procountor_auth.strategies.base import Strategy
    from procountor_auth.tokens.renewing_cache import RenewingCache
    from procountor_auth.transport.background import SharedFuture
    from procountor_auth.transport.transport import Transport

_logger = logging.getLogger("procountor_auth")


class TokenSource:
    """Keeps one valid token. Safe to share between threads and event loops, and across a fork.

    Args:
        strategy: How tokens are requested; its client's clock says when they expire.
        fallback: The strategy to go back to whenever the server definitely refuses `strategy`; by default none.
        fallback_limit: How often that may happen.
        transport: How requests reach the host; by default with 30 seconds for a token.
        store: Where tokens are shared with others; by default nowhere.
        local: The store to share with the processes of this host while `store` can't be reached.
        account: Your own name for whose tokens these are. Needed where several people log in through one client and
            share a store: before its login, the authorization_code strategy can't tell them apart.
        on_event: Called with each event (`procountor_auth.events`), on the thread where it happens.
        monotonic: The clock for deadlines, in seconds.
        jitter: Gives a number from 0 to 1: how early within its margin a token is renewed.

    Raises:
        LegacyNotAllowed: A strategy is the legacy one, and its policy forbids it.
        LegacyAuthWarning: A strategy is the legacy one, where warnings are errors (`-W error`).
        TypeError: An argument is of another class than it should be.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        fallback: Strategy | None = None,
        fallback_limit: int = MAX_FALLBACKS,
        transport: Transport | None = None,
        store: Store | None = None,
        local: Store | None = None,
        account: str = "",
        on_event: Listener | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        check_strategy("strategy", strategy)
        if fallback is not None:
            check_strategy("fallback", fallback)
        check_options(account, store, on_event)
        telemetry = Telemetry(on_event)
        provider = TokenProvider(
            strategy,
            Backends(transport=transport, store=store, local=local),
            fallback=None if fallback is None else Fallback(fallback, limit=fallback_limit, emit=telemetry.emit),
            account=account,
            monotonic=monotonic,
            on_response=telemetry.on_response,
        )
        provider.prepare()
        self._begin(Assembly(telemetry, account, store, monotonic=monotonic, jitter=jitter), provider)

    def _begin(self, assembly: Assembly, provider: TokenProvider) -> None:
        self._assembly = assembly
        self._configured: Callable[[], Settings] | None = None
        self._cache = assembly.cache(provider)

    @classmethod
    def from_env(
        cls,
        *,
        profile: str | None = None,
        account: str = "",
        store: Store | None = None,
        library: str | None = None,
        on_event: Listener | None = None,
    ) -> Self:
        """Build the source that the environment describes (`PROCOUNTOR_*`, `.env`, secrets directory, profiles file).

        Args:
            profile: Which profile to use; by default the one that `PROCOUNTOR_PROFILE` names, if any.
            account: Your own name for whose tokens these are, see the class; by default the profile's.
            store: A store of your own, in place of the one that `PROCOUNTOR_TOKEN_STORE` names.
            library: Which HTTP library fetches tokens, `httpx` or `httpx2`; by default the one that the program uses.
            on_event: See the class.

        Raises:
            ConfigurationError: Something is missing, wrong or misspelt there.
            LegacyNotAllowed: It chooses the legacy strategy and forbids it.
            TypeError: An argument is of another class than it should be, such as an `account` that is a number.
        """
        with importing():
            from procountor_auth.settings.settings import Settings  # noqa: PLC0415 - it brings pydantic-settings

        def configured() -> Settings:
            return Settings() if profile is None else Settings(profile=profile)

        source = cls.from_settings(configured(), account=account, store=store, library=library, on_event=on_event)
        source._configured = configured  # noqa: SLF001 - its own class
        return source

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        account: str = "",
        store: Store | None = None,
        library: str | None = None,
        on_event: Listener | None = None,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Build the source that `settings` describe.

        Args:
            settings: The settings.
            account: Your own name for whose tokens these are, see the class; by default the profile's.
            store: A store of your own, in place of the one that they describe.
            library: See `from_env`.
            on_event: See the class.
            clock: The wall clock, in Unix seconds.

        Raises:
            LegacyNotAllowed: They choose the legacy strategy and forbid it.
            ConfigurationError: A package is not installed, the store's key is not one, or there is no such library.
            TypeError: An argument is of another class than it should be.
        """
        check_settings(settings)
        check_options(account, store, on_event)
        check_library(library)
        source = cls.__new__(cls)
        assembly = Assembly(Telemetry(on_event), account, store, library)
        provider = assembly.provider(settings, clock)
        provider.prepare()
        source._begin(assembly, provider)  # noqa: SLF001 - its own class
        return source

    @classmethod
    def fixed(cls, access_token: str | SecretStr, *, base_url: str = PRODUCTION) -> Self:
        """Build a source that always has this token, and sends no requests: for a program's own tests.

        Args:
            access_token: The token.
            base_url: The host that requests carry it to.

        Raises:
            ConfigurationError: One of them can't be it.
        """
        # Wrapped: a traceback may show the locals.
        token, access_token = (SecretStr(access_token) if isinstance(access_token, str) else access_token), ""
        return cls(fixed_token_strategy(token, base_url))

    def reload(self) -> bool:
        """Read the configuration again, and go on with what it says now, such as another strategy.

        What the old strategy has stored stays where it is, for the way back. If the new configuration is wrong, nothing
        changes here.

        Returns:
            Whether tokens come from elsewhere now: by another strategy, client, user, company or host.

        Raises:
            ConfigurationError: Something is missing, wrong or misspelt there, or this source is not the environment's.
            LegacyNotAllowed: It chooses the legacy strategy and forbids it.
        """
        if self._configured is None:
            raise ConfigurationError(
                "This source was not made from the environment, so there is nothing to read again.",
                hint="Make it with `TokenSource.from_env()`.",
            )
        before = self._cache
        provider = self._assembly.provider(self._configured(), before.clock)
        provider.prepare()
        self._cache = before.successor(provider)
        if provider.gives_same_as(before.provider):
            return False
        with provider.whose.named():
            _logger.info(
                "tokens come from %s now, strategy %s",
                *map(printable, (provider.endpoints.host, provider.strategy.name)),
            )
        return True

    @property
    def strategy(self) -> Strategy:
        """How tokens are requested."""
        return self._cache.provider.strategy

    @property
    def whose(self) -> Profile:
        """The profile whose tokens these are: no profile where there are none."""
        return self._cache.provider.whose

    @property
    def profile(self) -> str | None:
        """The profile whose tokens these are, if there are profiles."""
        return self._cache.provider.whose.name

    @property
    def endpoints(self) -> Endpoints:
        """The URLs of the host that the tokens are for."""
        return self._cache.provider.endpoints

    def bind(self) -> RenewingCache:
        """Return the tokens of the configuration as it is now, for an operation of several steps.

        A `reload` in between does not reach it: it goes on with the host, client and company that it began with.
        """
        return self._cache

    def is_current(self, bound: RenewingCache) -> bool:
        """Whether the configuration still gives the tokens that `bound` has.

        Args:
            bound: What `bind` gave.
        """
        return bound.provider.gives_same_as(self._cache.provider)

    def token(self) -> Token:
        """Return a valid token, waiting for one only if there is none.

        Raises:
            InteractionRequired: A person has to log in first.
            ProcountorAuthError: Whatever else kept it from getting one; all who waited get the same.
        """
        # As there, but for one call: this is what programs call before each request.
        cache = self._cache
        cached = cache.cached
        if cached is not None and cache.clock() < cached.stale_from:
            return cached.token
        return cache.token()

    async def atoken(self) -> Token:
        """Return a valid token without blocking the event loop. Raises what `token` raises."""
        return await self._cache.atoken()

    def renew(self, rejected: Token) -> Token:
        """Return a new token after the API rejected one with a 401. Raises what `token` raises.

        Args:
            rejected: The token that was rejected.
        """
        return self._cache.renew(rejected)

    async def arenew(self, rejected: Token) -> Token:
        """Return a new token after the API rejected one with a 401. Raises what `token` raises.

        Args:
            rejected: The token that was rejected.
        """
        return await self._cache.arenew(rejected)

    def invalidate(self) -> None:
        """Forget the token here and in the store. A renewal that is under way does not bring it back.

        Raises:
            StoreError: The store can't be written; this source has forgotten it all the same.
        """
        cache = self._cache
        self._ending(cache, cache.forget).result()

    async def ainvalidate(self) -> None:
        """Do what `invalidate` does without blocking the event loop."""
        cache = self._cache
        await self._ending(cache, cache.forget).aresult()

    def logout(self) -> None:
        """Forget the token and have the server invalidate it.

        Raises:
            ProcountorAuthError: The server or the store could not be reached; the token is forgotten here.
        """
        cache = self._cache
        self._ending(cache, cache.log_out).result()

    async def alogout(self) -> None:
        """Do what `logout` does without blocking the event loop."""
        cache = self._cache
        await self._ending(cache, cache.log_out).aresult()

    def _ending(self, cache: RenewingCache, work: Callable[[], object]) -> SharedFuture[None]:
        """Do what ends the token of a cache, and end it as well where a `reload` in between has taken it along."""

        def whole() -> None:
            try:
                work()
            finally:
                successor = self._cache
                if successor is not cache and successor.provider.key == cache.provider.key:
                    successor.drop()

        return cache.run(whole)

    @staticmethod
    def finish_all() -> None:
        """Wait for the renewals that are under way in this process, of all its sources, before it ends.

        It waits for each at most as long as the renewal may take, whether that succeeds or fails, until `on_event` and
        the log have been told of it as well. It starts none, and the sources stay usable. Python itself waits at the
        end of a program, but not at that of a process which a signal or `os._exit` ends.
        """
        finish()

    @staticmethod
    async def afinish_all() -> None:
        """Do what `finish_all` does without blocking the event loop."""
        await afinish()

    def begin_login(self, redirect_uri: str | None = None) -> Login:
        """Start a login in a person's browser, for the authorization_code strategy.

        Args:
            redirect_uri: The registered redirect URI with this login's port filled in, as a `LoopbackListener` has
                it; by default as it is registered.

        Raises:
            ConfigurationError: Another strategy is chosen, which needs no login; or `redirect_uri` is not the
                registered one.
        """
        return login_of(self._cache, redirect_uri)

    def resume_login(self, saved: str) -> Login:
        """Go on with a login that another process has begun: what its `save` has returned, from the person's session.

        Args:
            saved: The text.

        Raises:
            RedirectError: It is no saved login of this source, or is over.
            ConfigurationError: Another strategy is chosen, which needs no login.
            TypeError: It is no text.
        """
        if error := wrong_argument("resume_login", saved, str, "the text that `save` returned", "decode bytes first"):
            saved = ""  # a traceback may show the locals
            raise error
        text, saved = SecretStr(saved), ""
        return login_of(self._cache, saved=text)

    def observe(self, header: Callable[[str], str | None], path: str) -> None:
        """Look at the headers of an API response for an announced sunset.

        Args:
            header: Returns the value of a header, or None.
            path: The path of the request.
        """
        self._cache.observe(header, path)

    def __repr__(self) -> str:
        if not hasattr(self, "_cache"):  # in a traceback with locals, of a configuration that is wrong
            return "<TokenSource>"
        return f"<TokenSource with {self.strategy!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A TokenSource is not pickled: call `TokenSource.from_env()` in each process.")
