"""The next steps of a migration."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from procountor_auth.migration.plan import PROFILES_FILE, plan
from procountor_auth.settings.profiles import DOTENV

from .call import MAX_NAMED
from .labels import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from procountor_auth.migration.plan import Change, Plan
    from procountor_auth.migration.readiness import Readiness, Reason
    from procountor_auth.migration.status import ProfileStatus
    from procountor_auth.settings.profiles import Profiles

    from .call import Call


def after_check(results: Sequence[Readiness], call: Call, profiles: Profiles) -> list[str]:
    """Return the steps after a check."""
    return (
        _fix_first(results, call, "check")
        or _when_done(results, call, _leftovers(results, profiles))
        or [call.command("rehearse")]
    )


def after_rehearsal(results: Sequence[Readiness], call: Call, profiles: Profiles) -> list[str]:
    """Return the steps after a rehearsal: the lines to set for the profiles with a GO."""
    go = [each for each in results if each.ready and not each.done]
    if not go:
        return _fix_first(results, call, "rehearse") or _when_done(results, call, _leftovers(results, profiles))
    if len(go) <= MAX_NAMED:
        lines = [f"{profiles.spelling_of(each.profile, 'strategy')}={each.target}" for each in go]
        return ["set", *(f"  {line}" for line in lines), f"{call.command('plan')} shows where"]
    return [f"{call.command('plan', '--env')} prints the line to set for each of the {count(len(go))}"]


def after_plan(plans: Sequence[Plan], call: Call, profiles: Profiles) -> list[str]:
    """Return the steps after a plan: where to put the lines.

    Args:
        plans: The plans.
        call: What the command was called with.
        profiles: The profiles.
    """
    can_switch = [each for each in plans if each.readiness.ready and not each.readiness.done]
    readiness = [each.readiness for each in plans]
    if not can_switch:
        steps = _fix_first(readiness, call, _again(readiness, "check"))
        return steps or _when_done(readiness, call, (each.later for each in plans))
    kinds = dict.fromkeys(change.kind_of_place for each in can_switch for change in each.now)
    places = [str(profiles.file) if kind == PROFILES_FILE else kind for kind in kinds]
    whose = "" if len(can_switch) == len(plans) else f" of the {count(len(can_switch))} that can switch"
    steps = [f"make the changes{whose} in {', '.join(places)}, then restart the programs (or call reload())"]
    # An environment variable would take precedence over the line.
    if len(can_switch) > 1 and set(kinds) <= {PROFILES_FILE, DOTENV}:
        steps.append(f"or append the lines instead: {call.command('plan', '--env')} >> .env")
    return [*steps, f"{call.command('status')} shows who has switched"]


def after_status(statuses: Sequence[ProfileStatus], call: Call, profiles: Profiles) -> list[str]:
    """Return the steps after `status`."""
    readiness = [each.readiness for each in statuses]
    can_switch = [each for each in statuses if each.state == "can_switch"]
    if not can_switch:
        steps = _fix_first(readiness, call, _again(readiness, "rehearse"))
        steps = steps or _when_done(readiness, call, _leftovers(readiness, profiles))
        bridged = sum(each.has_old_programs for each in statuses)
        return leave_the_bridge(bridged, call) if bridged and _all_done(readiness) else steps
    if any(each.go is None for each in can_switch):
        return [call.command("rehearse")]
    return [call.command("plan")]


def _fix_first(results: Sequence[Readiness], call: Call, again: str) -> list[str]:
    """Return the steps if profiles are blocked and none can switch."""
    blocked = [each for each in results if not each.ready]
    if not blocked or any(each.ready and not each.done for each in results):
        return []
    keyless = [each for each in blocked if any(_is_keyless(reason) for reason in each.reasons)]
    steps = [f"fix what blocks {count(len(blocked))}, then run {call.command(again)}"]
    if keyless:
        option = "" if keyless[0].profile is None else f" --profile {shlex.quote(keyless[0].profile)}"
        steps.insert(0, f"procountor-auth key create{option} creates an API key")
    return steps


def _again(results: Sequence[Readiness], command: str) -> str:
    """Return the command to run again: `status` if only profiles that have switched are blocked.

    The others don't look into the store, or try nothing, for a profile that has switched.
    """
    return "status" if all(each.ready or each.done for each in results) else command


def _is_keyless(reason: Reason) -> bool:
    return (reason.code, reason.variable) == ("missing", "PROCOUNTOR_API_KEY")


def leave_the_bridge(profiles: int, call: Call) -> list[str]:
    """Return the steps where everybody has switched, and programs still log in through the bridge.

    Args:
        profiles: How many profiles have such a program.
        call: What the command was called with.
    """
    return [
        f"replace the programs that still log in through the bridge ({count(profiles)})",
        f"{call.command('finish')}, once none of them does",
    ]


def _all_done(results: Sequence[Readiness]) -> bool:
    return bool(results) and all(each.ready and each.done for each in results)


def _leftovers(results: Sequence[Readiness], profiles: Profiles) -> Iterator[Sequence[Change]]:
    """Yield the old variables of each profile."""
    return (plan(profiles, each).later for each in results)


def _when_done(results: Sequence[Readiness], call: Call, leftovers: Iterable[Sequence[Change]]) -> list[str]:
    if not _all_done(results):
        return []
    if not any(leftovers):
        return ["nothing, the migration is finished"]
    return [f"{call.command('finish')}, when you no longer need to switch back"]
