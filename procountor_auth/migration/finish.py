"""The end of a migration: the old strategy's stored token goes, and the old secrets are named."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.migration.plan import plan
from procountor_auth.migration.readiness import Readiness, Reason, reasons_of
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.migration.plan import Change
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.tokens.provider import TokenProvider


class Finished(NamedTuple):
    """What was done for one profile, and what is left to do by hand.

    Attributes:
        readiness: Not ready if the profile was left alone: it has not switched, or the store failed.
        removed: Whether a token of the old strategy was removed from the store.
        delete: The variables that nothing needs any more, and where they stand.
    """

    readiness: Readiness
    removed: bool
    delete: tuple[Change, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            **self.readiness.as_dict(),
            "removed": self.removed,
            "delete": [
                {"variable": change.variable, "place": change.place, "shared": change.shared} for change in self.delete
            ],
        }


def finish(
    profiles: Profiles,
    profile: str | None,
    old: str,
    *,
    pool: ProviderPool | None = None,
    dry_run: bool = False,
    clock: Callable[[], float] = time.time,
) -> Finished:
    """Remove what the old strategy has left in the store, once a profile has switched. Nothing is sent to Procountor.

    Args:
        profiles: What all places said.
        profile: The profile, or None where there are none.
        old: The strategy that it has left.
        pool: Shared by many profiles.
        dry_run: Only look.
        clock: The wall clock, in Unix seconds.
    """
    pool = pool or ProviderPool(profiles, clock=clock)
    try:
        today = pool.provider(profile)
    except ProcountorAuthError as error:
        return Finished(_readiness(profile, None, old, reasons_of(error)), removed=False, delete=())
    strategy = today.strategy.name
    if strategy == old:
        reason = Reason(
            code="not_switched",
            message=f"it has not switched: PROCOUNTOR_STRATEGY is still {old}",
            hint="`procountor-auth migrate status` says what is in the way.",
        )
        return Finished(_readiness(profile, strategy, old, (reason,)), removed=False, delete=())
    notes: list[str] = []
    removed = False
    try:
        left = pool.provider(profile, old)
    except ProcountorAuthError:
        notes.append(f"the variables of {old} are gone already: a token that it may have stored ends by itself")
    else:
        try:
            removed = _remove(pool, left, dry_run=dry_run)
        except ProcountorAuthError as error:
            return Finished(_readiness(profile, strategy, old, reasons_of(error)), removed=False, delete=())
    readiness = _readiness(profile, strategy, old, notes=tuple(notes))
    return Finished(readiness, removed, plan(profiles, readiness).later)


def _remove(pool: ProviderPool, provider: TokenProvider, *, dry_run: bool) -> bool:
    entry = pool.entry(provider)
    if entry is None or entry.token is None:
        return False
    if not dry_run:
        provider.forget()
    return True


def _readiness(
    profile: str | None,
    strategy: str | None,
    old: str,
    reasons: tuple[Reason, ...] = (),
    notes: tuple[str, ...] = (),
) -> Readiness:
    target = strategy if strategy is not None and strategy != old else "another strategy"
    return Readiness(profile=profile, strategy=strategy, target=target, reasons=reasons, notes=notes)
