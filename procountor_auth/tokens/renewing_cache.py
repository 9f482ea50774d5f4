"""One cached token, and one renewal at a time: the part of a source that has locks and threads.

What is done when is decided in `cache.py`, without either; where the next token comes from is `provider.py`.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from procountor_auth.errors import ProcountorAuthError, StoreError
from procountor_auth.tokens.cache import COOLDOWN, CachedToken, decide
from procountor_auth.transport.background import SharedFuture

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.tokens.provider import TokenProvider
    from procountor_auth.tokens.telemetry import Telemetry

T = TypeVar("T")

REFRESH_WARNING: Final = 30 * 86_400.0
"""Seconds before the expiry of a refresh token from which on every new token comes with a warning."""

_logger = logging.getLogger("procountor_auth")


class RenewingCache:
    """Keeps the token of one provider, and renews it for everybody who asks.

    Args:
        provider: Where the next token comes from.
        telemetry: Told of each token and each failure.
        monotonic: The clock for pauses, in seconds.
        jitter: Gives a number from 0 to 1: how early within its margin a token is renewed.

    Attributes:
        cached: The token, if there is one. Read without a lock.
        renewal: The renewal that is under way, if one is.
        provider: Where the next token comes from.
        clock: The wall clock, in Unix seconds.
    """

    def __init__(
        self,
        provider: TokenProvider,
        telemetry: Telemetry,
        *,
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self.provider = provider
        self.clock = provider.clock
        self.cached: CachedToken | None = None
        self.renewal: SharedFuture[Token] | None = None
        self._telemetry = telemetry
        self._monotonic = monotonic
        self._jitter = jitter
        self._rejected: Token | None = None  # as a token: its repr shows nothing
        self._cool_until = float("-inf")
        self._generation = 0  # goes up with each invalidation
        self.reset_after_fork()
        _caches.add(self)

    def token_or_renewal(self, seen: CachedToken | None) -> SharedFuture[Token] | Token:
        """Return a usable token, or the renewal to wait for; start one if it is time and none is under way.

        Args:
            seen: What the caller has found in `cached`.
        """
        with self._lock:
            cached, renewal, provider = self.cached, self.renewal, self.provider
            now = self.clock()
            if cached is not None and cached is not seen and now < cached.stale_from:
                return cached.token
            cooling = self._monotonic() < self._cool_until
            decision = decide(cached, now, renewing=renewal is not None, cooling=cooling)
            if decision.renews:
                self.renewal = renewal = self._future()
        if decision.renews and renewal is not None:
            renewal.start(partial(self._renew, provider))
        if decision.serves and cached is not None:
            return cached.token
        assert renewal is not None  # noqa: S101 - without a usable token there is one: found above or started
        return renewal

    def wait_for_token(self) -> Token:
        """Return a usable token, waiting for one if there is none. Raises what the renewal raises."""
        found = self.token_or_renewal(None)
        return found.result() if isinstance(found, SharedFuture) else found

    def keep_result_of(self, flow: Flow[Token]) -> SharedFuture[Token]:
        """Get a token with a flow that somebody else has prepared, such as the end of a login, and keep it."""
        future, provider = self._future(), self.provider

        def work() -> Token:
            token = provider.store_result_of(flow)
            self._telemetry.acquired(provider, token, None)
            return token

        future.start(work)
        return future

    def run(self, work: Callable[[], T]) -> SharedFuture[T]:
        """Do some other work on a thread of its own."""
        future: SharedFuture[T] = SharedFuture(self.provider.timeout)
        future.start(work)
        return future

    def reject(self, rejected: Token) -> None:
        """Never hand out this token again: the API has rejected it."""
        with self._lock:
            cached = self.cached
            if cached is not None and cached.token.access_token == rejected.access_token:
                # Kept for its refresh token.
                self.cached = CachedToken(cached.token, float("-inf"), float("-inf"))
                self._rejected = rejected

    def switch(self, provider: TokenProvider) -> bool:
        """Go on with another provider; return whether its tokens are others."""
        with self._lock:
            changed = provider.key != self.provider.key
            self.provider = provider
        if changed:
            self.drop()
        return changed

    def drop(self) -> CachedToken | None:
        """Forget the token here; return it. A renewal under way is cut off: nobody keeps what it brings."""
        with self._lock:
            cached = self.cached
            self.cached = None
            self.renewal = None
            self._generation += 1
        return cached

    def forget(self) -> Token | None:
        """Forget the token here and in the store; return it."""
        dropped = self.drop()
        stored = self.provider.forget()
        self.drop()  # what was read from the store in between
        return stored or (dropped.token if dropped else None)

    def log_out(self) -> None:
        """Forget the token, and have the server invalidate it."""
        deadline = self.provider.deadline()
        cached = self.cached
        failure: StoreError | None = None
        try:
            token = self.forget()
        except StoreError as error:
            token, failure = (cached.token if cached else None), error
        if token is not None:
            self.provider.drive(self.provider.logout(token), deadline)
        if failure is not None:
            raise failure.with_traceback(None)

    def reset_after_fork(self) -> None:
        """Start with no lock held and no renewal under way: the parent's threads do not exist in a child."""
        self._lock = threading.Lock()
        self.renewal = None
        self.provider.reset_after_fork()

    def _renew(self, provider: TokenProvider) -> Token:
        """Get the next token. Runs on the renewal's thread."""
        cached = self.cached
        known = cached.token if cached else None
        try:
            acquired = provider.renew(known, self._rejected)
        except ProcountorAuthError as error:
            failure = error
        else:
            if acquired.from_server:
                self._telemetry.acquired(provider, acquired.token, known)
            return acquired.token
        self._telemetry.failed(provider, failure)
        raise failure.with_traceback(None)

    def _future(self) -> SharedFuture[Token]:
        return SharedFuture(self.provider.timeout, partial(self._keep, self._generation))

    def _keep(self, generation: int, future: SharedFuture[Token], token: Token | None) -> None:
        with self._lock:
            if self.renewal is future:
                self.renewal = None
            if generation != self._generation:
                return  # invalidated since it began
            if token is None:
                self._cool_until = self._monotonic() + COOLDOWN
                if self.cached is not None and self.clock() < self.cached.usable_until:
                    _logger.warning("an early renewal has failed; the token is served until it expires")
                return
            self.cached = CachedToken.of(token, self._jitter())
            self._rejected = None
        expiry = token.refresh_expires_at
        if not self.provider.strategy.unattended and expiry is not None and expiry - self.clock() < REFRESH_WARNING:
            days = max(0, int((expiry - self.clock()) // 86_400))
            _logger.warning("the refresh token ends in %d days: a person has to log in before", days)


_caches: weakref.WeakSet[RenewingCache] = weakref.WeakSet()


def _in_a_child() -> None:
    for cache in list(_caches):
        cache.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
