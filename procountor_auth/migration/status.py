"""Where each profile stands on its way: who is still on the old strategy, who is ready, blocked, or done."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.migration.check import examine
from procountor_auth.migration.readiness import reasons_of
from procountor_auth.migration.results import fingerprint
from procountor_auth.strategies.registry import find_strategy
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.migration.readiness import Readiness
    from procountor_auth.migration.results import RehearsalResult, RehearsalResults
    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.tokens.provider import TokenProvider

State: TypeAlias = Literal["ready", "blocked", "done"]

_DAY: Final = 86_400.0


class ProfileStatus(NamedTuple):
    """Where one profile stands.

    Attributes:
        readiness: What is known about its way.
        state: `done` when it has switched, else `ready` or `blocked`.
        deprecated: Whether today's strategy is.
        token: The token that the store has for today's strategy, if it has one.
        rehearsed: The last rehearsal with this configuration, if there was one.
        now: When this was found out, in Unix seconds.
    """

    readiness: Readiness
    state: State
    deprecated: bool
    token: Token | None
    rehearsed: RehearsalResult | None
    now: float

    @property
    def refresh_days(self) -> int | None:
        """Whole days until the refresh token ends, or None if there is none, or it does not say."""
        ends = self.token.refresh_expires_at if self.token else None
        return None if ends is None else max(0, int((ends - self.now) // _DAY))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values; times are Unix seconds."""
        token = self.token
        return {
            **self.readiness.as_dict(),
            "state": self.state,
            "deprecated": self.deprecated,
            "last_token_at": token and token.issued_at,
            "token_expires_at": token and token.expires_at,
            "refresh_token_days": self.refresh_days,
            "deprecated_at": token and token.deprecated_at,
            "sunset_at": token and token.sunset_at,
            "rehearsed_at": self.rehearsed and self.rehearsed.at,
        }


def status_of(
    profiles: Profiles,
    profile: str | None,
    target: str,
    *,
    pool: ProviderPool | None = None,
    results: RehearsalResults | None = None,
    clock: Callable[[], float] = time.time,
) -> ProfileStatus:
    """Return where one profile stands. Nothing is sent to Procountor; the token store is read.

    What a rehearsal has found out with the same configuration wins over what the configuration looks like.

    Args:
        profiles: What all places said.
        profile: The profile, or None where there are none.
        target: The strategy to switch to.
        pool: Shared by many profiles.
        results: What rehearsals have found out.
        clock: The wall clock, in Unix seconds.

    Raises:
        StoreError: The results can't be read.
    """
    pool = pool or ProviderPool(profiles, clock=clock)
    readiness, today, target_provider = examine(profiles, profile, target, pool, clock)
    rehearsed = None
    if results is not None and today is not None and not readiness.done:
        rehearsed = _rehearsed(results, today, target_provider)
    if rehearsed is not None:
        readiness = rehearsed.readiness
    token = None
    if today is not None:
        try:
            entry = pool.entry(today)
            token = entry.token if entry else None
        except ProcountorAuthError as error:
            reasons = tuple(reason for reason in reasons_of(error) if reason not in readiness.reasons)
            readiness = replace(readiness, reasons=(*readiness.reasons, *reasons))
    kind = find_strategy(readiness.strategy) if readiness.strategy else None
    deprecated = kind is not None and kind.lifecycle is not None
    state: State = "blocked" if not readiness.ready else "done" if readiness.done else "ready"
    return ProfileStatus(readiness, state, deprecated, token, rehearsed, clock())


def _rehearsed(results: RehearsalResults, today: TokenProvider, target: TokenProvider | None) -> RehearsalResult | None:
    if target is None:
        return None
    found = [
        results.find(fingerprint(today, target)),
        results.find(fingerprint(target, target, target_only=True)),
    ]
    return max((each for each in found if each), key=lambda each: each.at, default=None)
