"""The last step of a migration: removes the old strategy's stored token, and lists the old secrets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from procountor_auth.bridge.login_key import needed_by_the_bridge
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.migration.bridge_callers import callers_of
from procountor_auth.migration.plan import plan
from procountor_auth.migration.readiness import Readiness, Reason, fallback_reasons, reasons_of
from procountor_auth.migration.target import strategy_of
from procountor_auth.settings.problems import is_merely_absent, variable_named
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.migration.plan import Change
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.tokens.provider import TokenProvider


class Finished(NamedTuple):
    """What was done for one profile, and what remains to be done manually.

    Attributes:
        readiness: Not ready if the profile was left unchanged: it has not switched, or the store failed.
        removed: Whether a token of the old strategy was removed from the store.
        delete: The variables that are no longer needed, and where they are set.
        has_old_programs: Whether variables remain because a program still logs in through the bridge.
    """

    readiness: Readiness
    removed: bool
    delete: tuple[Change, ...]
    has_old_programs: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values."""
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
    """Remove the old strategy's token from the store, if a profile has switched. Nothing is sent to Procountor.

    Args:
        profiles: The profiles, with their variables from all places.
        profile: The profile, or None if there are no profiles.
        old: The strategy that the profile used before.
        pool: The pool that many profiles share.
        dry_run: Only determine what would be removed.
        clock: The wall clock, in Unix seconds.
    """
    pool = pool or ProviderPool(profiles, clock=clock)
    try:
        today = pool.provider(profile)
    except ProcountorAuthError as error:
        strategy = strategy_of(profiles, profile)
        return Finished(_readiness(profile, strategy, old, reasons_of(error)), removed=False, delete=())
    strategy = today.strategy.name
    reasons = _not_switched(pool, today, old)
    if reasons:
        return Finished(_readiness(profile, strategy, old, reasons), removed=False, delete=())
    notes: list[str] = []
    removed = False
    try:
        left = pool.provider(profile, old)
    except ProcountorAuthError as error:
        reasons = _unseen(profiles, old) if is_merely_absent(error) else reasons_of(error)
        if reasons:
            return Finished(_readiness(profile, strategy, old, reasons), removed=False, delete=())
        notes.append(f"the variables of {old} are already removed: a token that it may have stored will expire")
    else:
        try:
            removed = _remove(pool, left, dry_run=dry_run)
        except ProcountorAuthError as error:
            return Finished(_readiness(profile, strategy, old, reasons_of(error)), removed=False, delete=())
    try:
        kept = _kept_for_the_bridge(pool, today)
    except ProcountorAuthError as error:
        return Finished(_readiness(profile, strategy, old, reasons_of(error)), removed=removed, delete=())
    delete = plan(profiles, _readiness(profile, strategy, old), old).later
    needed = [variable_named(change.setting) for change in delete if change.setting in kept]
    if needed:
        notes.append(
            f"a program still logs in through the bridge, which needs {', '.join(needed)}; `procountor-auth migrate "
            "status` shows when it was last seen"
        )
    readiness = _readiness(profile, strategy, old, notes=tuple(notes))
    remaining = tuple(change for change in delete if change.setting not in kept)
    return Finished(readiness, removed, remaining, has_old_programs=bool(needed))


def _not_switched(pool: ProviderPool, today: TokenProvider, old: str) -> tuple[Reason, ...]:
    """Return why a profile may still need the old strategy: it is the chosen one, or the one that it falls back to."""
    if today.strategy.name == old:
        return (
            Reason(
                code="not_switched",
                message=f"it has not switched: PROCOUNTOR_STRATEGY is still {old}",
                hint="`procountor-auth migrate status` shows what blocks it.",
            ),
        )
    try:
        entry = pool.entry(today)
        return fallback_reasons(today, entry.token if entry is not None else None)
    except ProcountorAuthError as error:
        return reasons_of(error)


def _unseen(profiles: Profiles, old: str) -> tuple[Reason, ...]:
    """Return why nobody knows whether the variables of the old strategy are removed: where they may be unseen."""
    return tuple(
        Reason(
            code="unreadable",
            message=f"the variables of {old} may be in a place that was ignored: {skipped}",
            hint="Run this as the user that the program runs as. If the place is another program's, name your own with "
            "PROCOUNTOR_ENV_FILE, PROCOUNTOR_SECRETS_DIR or PROCOUNTOR_PROFILES_FILE.",
        )
        for skipped in profiles.skipped
    )


def _kept_for_the_bridge(pool: ProviderPool, today: TokenProvider) -> tuple[str, ...]:
    """Return the settings of the legacy login that the bridge needs, if a program still logs in through it."""
    is_used = any(caller.is_recent(pool.clock()) for caller in callers_of(today, pool))
    return needed_by_the_bridge(today.settings) if is_used else ()


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
