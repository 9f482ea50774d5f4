"""The end of a migration: the old strategy's stored token goes, and the old secrets are named."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.migration.plan import plan
from procountor_auth.migration.side import Connections, Side
from procountor_auth.migration.verdict import Reason, Verdict, reasons_of
from procountor_auth.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.migration.plan import Change
    from procountor_auth.profiles import Profiles


class Finished(NamedTuple):
    """What was done for one profile, and what is left to do by hand.

    Attributes:
        verdict: Not ready if the profile was left alone: it has not switched, or the store failed.
        removed: Whether a token of the old strategy was removed from the store.
        delete: The variables that nothing needs any more, and where they stand.
    """

    verdict: Verdict
    removed: bool
    delete: tuple[Change, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            **self.verdict.as_dict(),
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
    connections: Connections | None = None,
    dry_run: bool = False,
    clock: Callable[[], float] = time.time,
) -> Finished:
    """Remove what the old strategy has left in the store, once a profile has switched. Nothing is sent to Procountor.

    Args:
        profiles: What all places said.
        profile: The profile, or None where there are none.
        old: The strategy that it has left.
        connections: Shared by many profiles.
        dry_run: Only look.
        clock: The wall clock, in Unix seconds.
    """
    connections = connections or Connections()
    try:
        today = Side.of(profiles, profile, clock=clock)
    except ProcountorAuthError as error:
        return Finished(_verdict(profile, None, old, reasons_of(error)), removed=False, delete=())
    strategy = today.strategy.name
    if strategy == old:
        reason = Reason(
            code="not_switched",
            message=f"it has not switched: PROCOUNTOR_STRATEGY is still {old}",
            hint="`procountor-auth migrate status` says what is in the way.",
        )
        return Finished(_verdict(profile, strategy, old, (reason,)), removed=False, delete=())
    notes: list[str] = []
    removed = False
    try:
        left = Side.of(profiles, profile, old, clock=clock)
    except ProcountorAuthError:
        notes.append(f"the variables of {old} are gone already: a token that it may have stored ends by itself")
    else:
        try:
            removed = _remove(connections, left, dry_run=dry_run)
        except ProcountorAuthError as error:
            return Finished(_verdict(profile, strategy, old, reasons_of(error)), removed=False, delete=())
    verdict = _verdict(profile, strategy, old, notes=tuple(notes))
    return Finished(verdict, removed, plan(profiles, verdict).later)


def _remove(connections: Connections, side: Side, *, dry_run: bool) -> bool:
    entry = connections.entry(side)
    if entry is None or entry.token is None:
        return False
    if not dry_run:
        Supply(side.strategy, connections.wiring(side), account=side.account, look=lambda *_: None).forget()
    return True


def _verdict(
    profile: str | None,
    strategy: str | None,
    old: str,
    reasons: tuple[Reason, ...] = (),
    notes: tuple[str, ...] = (),
) -> Verdict:
    target = strategy if strategy is not None and strategy != old else "another strategy"
    return Verdict(profile=profile, strategy=strategy, target=target, reasons=reasons, notes=notes)
