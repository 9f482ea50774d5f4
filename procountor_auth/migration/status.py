"""The state of each profile's migration: on the old strategy, ready, blocked, or done."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.migration.bridge_callers import callers_of
from procountor_auth.migration.check import examine
from procountor_auth.migration.readiness import fallback_reasons, reasons_of
from procountor_auth.migration.results import fingerprint
from procountor_auth.strategies.registry import find_strategy
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.bridge.caller import Caller
    from procountor_auth.migration.readiness import Readiness
    from procountor_auth.migration.results import RehearsalResult, RehearsalResults
    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.tokens.provider import TokenProvider

State: TypeAlias = Literal["can_switch", "blocked", "done"]

_DAY: Final = 86_400.0


class ProfileStatus(NamedTuple):
    """The state of one profile's migration.

    Attributes:
        readiness: Whether it can switch.
        state: `done` if it has switched, else `can_switch` or `blocked`.
        deprecated: Whether the current strategy is deprecated.
        token: The stored token of the current strategy, if there is one.
        rehearsed: The last rehearsal with this configuration, if there was one.
        now: The time of the report, in Unix seconds.
        callers: The programs that have logged in through the bridge, the most recent first.
    """

    readiness: Readiness
    state: State
    deprecated: bool
    token: Token | None
    rehearsed: RehearsalResult | None
    now: float
    callers: tuple[Caller, ...] = ()

    @property
    def has_old_programs(self) -> bool:
        """Whether a program still logs in through the bridge."""
        return any(caller.is_recent(self.now) for caller in self.callers)

    @property
    def go(self) -> bool | None:
        """Whether the last rehearsal says GO; None if there was none, or if its GO no longer counts."""
        if self.rehearsed is None or not self.rehearsed.counts(self.now):
            return None
        said_go = self.rehearsed.readiness.ready
        return None if said_go and not self.readiness.ready else said_go

    @property
    def refresh_days(self) -> int | None:
        """Whole days until the refresh token expires, or None if there is none or its expiry is unknown."""
        ends = self.token.refresh_expires_at if self.token else None
        return None if ends is None else max(0, int((ends - self.now) // _DAY))

    def as_dict(self) -> dict[str, Any]:
        """Return the state as JSON-ready values; times are Unix seconds."""
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
            "bridge": [caller._asdict() for caller in self.callers],
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
    """Return the state of one profile. Nothing is sent to Procountor; the token store is read.

    If a check of the configuration finds nothing in the way, the result of a rehearsal with the same configuration
    counts: a NO GO until the next rehearsal, a GO for a day.

    Args:
        profiles: The profiles, with their variables from all places.
        profile: The profile, or None if there are no profiles.
        target: The strategy to switch to.
        pool: The pool that many profiles share.
        results: The results of rehearsals.
        clock: The wall clock, in Unix seconds.

    Raises:
        StoreError: The results can't be read.
    """
    pool = pool or ProviderPool(profiles, clock=clock)
    now = clock()
    readiness, today, target_provider = examine(profiles, profile, target, pool, clock)
    rehearsed = None
    if results is not None and today is not None and not readiness.done:
        rehearsed = _rehearsed(results, today, target_provider)
    if rehearsed is not None and readiness.ready and rehearsed.counts(now):
        readiness = rehearsed.told_of(readiness)
    token = None
    callers: tuple[Caller, ...] = ()
    if today is not None:
        try:
            entry = pool.entry(today)
            token = entry.token if entry else None
            if readiness.done:
                readiness = replace(readiness, reasons=(*readiness.reasons, *fallback_reasons(today, token)))
            callers = callers_of(today, pool)
        except ProcountorAuthError as error:
            reasons = tuple(reason for reason in reasons_of(error) if reason not in readiness.reasons)
            readiness = replace(readiness, reasons=(*readiness.reasons, *reasons))
    kind = find_strategy(readiness.strategy) if readiness.strategy else None
    deprecated = kind is not None and kind.lifecycle is not None
    state: State = "blocked" if not readiness.ready else "done" if readiness.done else "can_switch"
    status = ProfileStatus(readiness, state, deprecated, token, rehearsed, now, callers)
    if readiness.done and status.has_old_programs:
        notes = (*readiness.notes, "programs still log in through the bridge, with the legacy login")
        status = status._replace(readiness=replace(readiness, notes=notes))
    return status


def _rehearsed(results: RehearsalResults, today: TokenProvider, target: TokenProvider | None) -> RehearsalResult | None:
    if target is None:
        return None
    found = [
        results.find(fingerprint(today, target)),
        results.find(fingerprint(target, target, target_only=True)),
    ]
    return max((each for each in found if each), key=lambda each: each.at, default=None)
