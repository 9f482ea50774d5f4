"""Where each profile stands on its way: who is still on the old strategy, who is ready, blocked, or done."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.migration.check import examine
from procountor_auth.migration.record import fingerprint
from procountor_auth.migration.side import Connections
from procountor_auth.migration.verdict import reasons_of
from procountor_auth.strategies.registry import find_strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.migration.record import Record, Recorded
    from procountor_auth.migration.side import Side
    from procountor_auth.migration.verdict import Verdict
    from procountor_auth.profiles import Profiles
    from procountor_auth.token import Token

State: TypeAlias = Literal["ready", "blocked", "done"]

_DAY: Final = 86_400.0


class Standing(NamedTuple):
    """Where one profile stands.

    Attributes:
        verdict: What is known about its way.
        state: `done` when it has switched, else `ready` or `blocked`.
        deprecated: Whether today's strategy is.
        token: The token that the store has for today's strategy, if it has one.
        rehearsed: The last rehearsal with this configuration, if there was one.
        now: When this was found out, in Unix seconds.
    """

    verdict: Verdict
    state: State
    deprecated: bool
    token: Token | None
    rehearsed: Recorded | None
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
            **self.verdict.as_dict(),
            "state": self.state,
            "deprecated": self.deprecated,
            "last_token_at": token and token.issued_at,
            "token_expires_at": token and token.expires_at,
            "refresh_token_days": self.refresh_days,
            "deprecated_at": token and token.deprecated_at,
            "sunset_at": token and token.sunset_at,
            "rehearsed_at": self.rehearsed and self.rehearsed.at,
        }


def standing(
    profiles: Profiles,
    profile: str | None,
    target: str,
    *,
    connections: Connections | None = None,
    record: Record | None = None,
    clock: Callable[[], float] = time.time,
) -> Standing:
    """Return where one profile stands. Nothing is sent to Procountor; the token store is read.

    What a rehearsal has found out with the same configuration wins over what the configuration looks like.

    Args:
        profiles: What all places said.
        profile: The profile, or None where there are none.
        target: The strategy to switch to.
        connections: Shared by many profiles.
        record: What rehearsals have found out.
        clock: The wall clock, in Unix seconds.

    Raises:
        StoreError: The record can't be read.
    """
    connections = connections or Connections()
    verdict, today, following = examine(profiles, profile, target, connections, clock)
    rehearsed = None
    if record is not None and today is not None and not verdict.done:
        rehearsed = _rehearsed(record, today, following)
    if rehearsed is not None:
        verdict = rehearsed.verdict
    token = None
    if today is not None:
        try:
            entry = connections.entry(today)
            token = entry.token if entry else None
        except ProcountorAuthError as error:
            reasons = tuple(reason for reason in reasons_of(error) if reason not in verdict.reasons)
            verdict = replace(verdict, reasons=(*verdict.reasons, *reasons))
    kind = find_strategy(verdict.strategy) if verdict.strategy else None
    deprecated = kind is not None and kind.lifecycle is not None
    state: State = "blocked" if not verdict.ready else "done" if verdict.done else "ready"
    return Standing(verdict, state, deprecated, token, rehearsed, clock())


def _rehearsed(record: Record, today: Side, target: Side | None) -> Recorded | None:
    if target is None:
        return None
    found = [
        record.find(fingerprint(today, target)),
        record.find(fingerprint(target, target, target_only=True)),
    ]
    return max((each for each in found if each), key=lambda each: each.at, default=None)
