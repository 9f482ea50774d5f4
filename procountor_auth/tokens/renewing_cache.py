"""One cached token, and one renewal at a time: the part of a source that has locks and threads.

What is done when is decided in `cache.py`, without either; where the next token comes from is `provider.py`.
"""

from __future__ import annotations

import os
import weakref
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from procountor_auth.errors import ProcountorAuthError, StoreError
from procountor_auth.tokens.cache import COOLDOWN, CachedToken, decide
from procountor_auth.tokens.origin import origin_of
from procountor_auth.tokens.refresh_expiry import days_left
from procountor_auth.tokens.rejection import Rejections
from procountor_auth.tokens.rotated_renewal import renew_rotated
from procountor_auth.transport.background import SharedFuture, no_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.settings import Settings
    from procountor_auth.tokens.origin import Origin
    from procountor_auth.tokens.provider import TokenProvider
    from procountor_auth.tokens.stored import Acquired
    from procountor_auth.tokens.telemetry import Telemetry

T = TypeVar("T")

_Key: TypeAlias = "tuple[int, CachedToken | None]"
"""What a renewal is for: how often there was an invalidation, and the token that is to be replaced."""

_SHARE_OF_STORE: Final = 0.75
"""The share of its time for which a logout waits for the store: the rest is for the server."""


class RenewingCache:
    """Keeps the token of one provider, for ever the same one, and renews it for everybody who asks.

    So whoever holds one can take several steps (a request and its 401, a login from its begin to its end), and never
    gets a token of another configuration in between.

    Args:
        provider: Where the next token comes from.
        telemetry: Told of each token and each failure.
        monotonic: The clock for pauses, in seconds.
        jitter: Gives a number from 0 to 1: how early within its margin a token is renewed.
        rebuild: Builds the provider of the same settings with other secrets.

    Attributes:
        cached: The token, if there is one. Read without a lock.
        provider: Where the next token comes from.
        clock: The wall clock, in Unix seconds.
        origin: Where requests may carry the token.
        rejections: What the API has said about the tokens.
    """

    def __init__(
        self,
        provider: TokenProvider,
        telemetry: Telemetry,
        *,
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
        rebuild: Callable[[Settings], TokenProvider] | None = None,
    ) -> None:
        self._rebuild = rebuild
        self.provider: TokenProvider = provider
        self.clock: Callable[[], float] = provider.clock
        self.origin: Origin = origin_of(provider.endpoints.host)
        self.cached: CachedToken | None = None
        self.rejections: Rejections = Rejections(monotonic, provider.whose)
        self._telemetry = telemetry
        self._monotonic = monotonic
        self._jitter = jitter
        self._rejected: Token | None = None  # as a token: its repr shows nothing
        self._acquired: Acquired | None = None  # what came last
        self._cool_until = float("-inf")
        self._generation = 0  # goes up with each invalidation
        self.reset_after_fork()
        _caches.add(self)

    # There is no lock: a signal handler that needs a token may come in at any moment, and would wait for the thread
    # that it has interrupted. Each step is one operation on a dictionary or one assignment, which nothing cuts in two.

    @property
    def renewal(self) -> SharedFuture[Token] | None:
        """The renewal of what is cached now that is under way, if one is."""
        return self._renewals.get((self._generation, self.cached))

    def token_or_renewal(self, seen: CachedToken | None) -> SharedFuture[Token] | Token:
        """Return a usable token, or the renewal to wait for; start one if it is time and none is under way.

        Args:
            seen: What the caller has found in `cached`.
        """
        while True:
            cached = self.cached
            now = self.clock()
            if cached is not None and cached is not seen and now < cached.stale_from:
                return cached.token
            key = (self._generation, cached)
            renewal = self._renewals.get(key)
            if renewal is not None and renewal.is_overdue:
                # Abandoned: its callers have had their error, and another one may start.
                self._end(key, renewal)
                renewal = None
            cooling = self._monotonic() < self._cool_until
            decision = decide(cached, now, renewing=renewal is not None, cooling=cooling)
            if decision.renews:
                renewal = self._start_renewal(key)
            if decision.serves and cached is not None:
                return cached.token
            if renewal is not None:
                return renewal
            # Somebody else has renewed it meanwhile.

    def _start_renewal(self, key: _Key) -> SharedFuture[Token] | None:
        """Start the renewal of a token, or return the one that somebody else has started; None if it was replaced.

        One renewal belongs to one cached token: when that is replaced, nobody joins it any more. One that starts just
        then finds the newer token in the store, and asks nobody.
        """
        if self.cached is not key[1]:
            return None
        future: SharedFuture[Token] = SharedFuture(
            self.provider.timeout, partial(self._keep_renewed, key), repeatable=self.provider.strategy.unattended
        )
        try:
            # In here, as a signal may raise anywhere: nobody must wait for a renewal that has not begun.
            winner = self._renewals.setdefault(key, future)
            if winner is future:
                future.start(partial(self._renew, key[1], future))
        except BaseException:
            if not future.started:
                self._end(key, future)
            raise
        return winner

    def _end(self, key: _Key, future: SharedFuture[Token]) -> None:
        if self._renewals.get(key) is future:
            self._renewals.pop(key, None)

    def token(self) -> Token:
        """Return a valid token, waiting for one only if there is none.

        Raises:
            InteractionRequired: A person has to log in first.
            ProcountorAuthError: Whatever else kept it from getting one; all who waited get the same.
        """
        cached = self.cached
        if cached is not None and self.clock() < cached.stale_from:
            return cached.token
        found = self.token_or_renewal(cached)
        return found.result() if isinstance(found, SharedFuture) else found

    async def atoken(self) -> Token:
        """Return a valid token without blocking the event loop. Raises what `token` raises."""
        cached = self.cached
        if cached is not None and self.clock() < cached.stale_from:
            return cached.token
        found = self.token_or_renewal(cached)
        return await found.aresult() if isinstance(found, SharedFuture) else found

    def renew(self, rejected: Token) -> Token:
        """Return a new token after the API rejected one with a 401. Raises what `token` raises."""
        self.reject(rejected)
        return self.token()

    async def arenew(self, rejected: Token) -> Token:
        """Return a new token after the API rejected one with a 401. Raises what `token` raises."""
        self.reject(rejected)
        return await self.atoken()

    def observe(self, header: Callable[[str], str | None], path: str) -> None:
        """Look at the headers of an API response for an announced sunset.

        Args:
            header: Returns the value of a header, or None.
            path: The path of the request.
        """
        self._telemetry.observe(self.provider, header, path)

    def keep_result_of(self, flow: Flow[Token], once: SecretStr) -> SharedFuture[Token]:
        """Get a token with a prepared flow, at the end of a login, and keep it.

        Args:
            flow: The flow.
            once: The name of the login, so that no process with the same store completes it a second time.
        """
        future: SharedFuture[Token] = SharedFuture(self.provider.timeout, partial(self._keep, self._generation))

        def work() -> Token:
            self._acquired = acquired = self.provider.store_result_of(flow, once)
            token = acquired.token
            future.later(lambda: self._telemetry.acquired(self.provider, token, None))
            return token

        future.start(work)
        return future

    def run(self, work: Callable[[], T]) -> SharedFuture[T]:
        """Do some other work on a separate thread."""
        future: SharedFuture[T] = SharedFuture(self.provider.timeout)
        future.start(work)
        return future

    def reject(self, rejected: Token) -> None:
        """Never hand out this token again: the API has rejected it."""
        cached = self.cached
        if cached is not None and cached.token.access_token == rejected.access_token:
            self._rejected = rejected
            # Kept for its refresh token. A renewal of it that is under way is joined.
            cached.reject()

    def successor(self, provider: TokenProvider) -> RenewingCache:
        """Return the cache of another provider; if its tokens are the same ones, it begins with the token of this one.

        Whatever is under way here ends here, with the provider that it began with.
        """
        other = RenewingCache(
            provider, self._telemetry, monotonic=self._monotonic, jitter=self._jitter, rebuild=self._rebuild
        )
        provider.continue_fallbacks_of(self.provider)
        if provider.key == self.provider.key:
            other.cached, other._rejected = self.cached, self._rejected
            if self.cached is not None and not provider.owns(self.cached.token):
                # Never served there; kept for its refresh token, should the way lead back.
                other.cached = CachedToken(self.cached.token, float("-inf"), float("-inf"))
            other._acquired = self._acquired
            other.rejections = self.rejections
        return other

    def drop(self) -> CachedToken | None:
        """Forget the token here; return it. The result of a pending renewal is discarded."""
        self._generation += 1
        cached, self.cached = self.cached, None
        return cached

    def forget(self, timeout: float | None = None) -> Token | None:
        """Forget the token here and in the store; return it. See `TokenProvider.forget`."""
        dropped = self.drop()
        stored = self.provider.forget(timeout)
        self.drop()  # what was read from the store in between
        return stored or (dropped.token if dropped else None)

    def log_out(self) -> None:
        """Forget the token, and have the server invalidate it."""
        deadline = self.provider.deadline()
        cached = self.cached
        failure: ProcountorAuthError | None = None
        try:
            token = self.forget(_SHARE_OF_STORE * self.provider.timeout)
        except StoreError as error:
            token, failure = (cached.token if cached else None), error
        if token is not None:
            try:
                self.provider.drive(self.provider.logout(token), deadline)
            except ProcountorAuthError as error:
                failure = failure or error
        if failure is not None:
            raise failure.with_traceback(None)

    def reset_after_fork(self) -> None:
        """Start with no lock held and no renewal under way: the parent's threads do not exist in a child."""
        self._renewals: dict[_Key, SharedFuture[Token]] = {}
        self.provider.reset_after_fork()

    def _renew(self, cached: CachedToken | None, future: SharedFuture[Token]) -> Token:
        """Get the next token after the cached one. Runs on the renewal's thread."""
        known = cached.token if cached else None
        last = self._acquired
        lineage = last.lineage if last is not None and last.token is known else None
        try:
            self.provider, acquired = renew_rotated(self.provider, self._rebuild, known, self._rejected, lineage)
        except ProcountorAuthError as error:
            failure = error
        else:
            self._acquired = acquired
            if acquired.from_server:
                future.later(lambda: self._telemetry.acquired(self.provider, acquired.token, known))
            return acquired.token
        future.later(lambda: self._telemetry.failed(self.provider, failure))
        raise failure.with_traceback(None)

    def _keep_renewed(self, key: _Key, future: SharedFuture[Token], token: Token | None) -> None:
        """Keep what a renewal has brought. One that was abandoned wins over nothing, but not over a newer token."""
        cached = self.cached
        abandoned = self._renewals.get(key) is not future
        try:
            if token is None:
                if not future.started:  # else the renewal itself tells
                    future.later(lambda: self._telemetry.failed(self.provider, no_thread()))
                self._cool_until = self._monotonic() + COOLDOWN
                if cached is not None and self.clock() < cached.usable_until:
                    future.later(
                        lambda: self.provider.whose.warning(
                            "an early renewal has failed; the token is served until it expires"
                        )
                    )
            elif not (abandoned and cached is not None and cached.token.issued_at >= token.issued_at):
                self._keep(key[0], future, token)
        finally:
            # Whatever has happened: a renewal that is over must not be joined.
            self._end(key, future)

    def _keep(self, generation: int, future: SharedFuture[Token], token: Token | None) -> None:
        """Keep a token, unless there was an invalidation since its work began."""
        if token is None or generation != self._generation or token == self._rejected:
            return
        cached = CachedToken.of(token, self._jitter())
        self._rejected = None
        self.cached = cached
        if generation != self._generation and self.cached is cached:
            self.cached = None  # in this moment
            return
        days = days_left(token, self.clock())
        if not self.provider.strategy.unattended and days is not None:
            future.later(
                lambda: self.provider.whose.warning(
                    "the refresh token ends in %d days: a user has to log in before", days
                )
            )


_caches: weakref.WeakSet[RenewingCache] = weakref.WeakSet()


def _in_a_child() -> None:
    for cache in list(_caches):
        cache.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
