"""Checks from the configuration alone, without any request, whether a profile has what another strategy needs."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.migration.readiness import Readiness, Reason, fallback_reasons, key_reasons, reasons_of
from procountor_auth.migration.target import strategy_of
from procountor_auth.protocol.claims import read_time, unverified_claims
from procountor_auth.settings.profiles import variable_of
from procountor_auth.strategies.deprecation import legacy_refusal
from procountor_auth.tokens.known_problems import find_wrong_company, needs_login
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.tokens.provider import TokenProvider


class Examined(NamedTuple):
    """A profile's readiness, and those of its two providers that could be built."""

    readiness: Readiness
    today: TokenProvider | None
    next: TokenProvider | None


def check(
    profiles: Profiles,
    profile: str | None,
    target: str,
    *,
    pool: ProviderPool | None = None,
    clock: Callable[[], float] = time.time,
) -> Readiness:
    """Return what is missing or wrong for one profile. Nothing is sent to Procountor; the token store may be read.

    Args:
        profiles: The profiles, with their variables from all places.
        profile: The profile, or None if there are no profiles.
        target: The strategy to switch to.
        pool: The pool that the checks of many profiles share.
        clock: The wall clock, in Unix seconds.
    """
    pool = pool or ProviderPool(profiles, clock=clock)
    readiness, today, _ = examine(profiles, profile, target, pool, clock)
    if readiness.done and today is not None:
        readiness = replace(readiness, reasons=(*readiness.reasons, *_fallback_in_use(today, pool)))
    return readiness


def examine(
    profiles: Profiles, profile: str | None, target: str, pool: ProviderPool, clock: Callable[[], float]
) -> Examined:
    """Check a profile as `check` does, and return the providers too."""
    today: TokenProvider | None = None
    notes: list[str] = []
    try:
        today = pool.provider(profile)
    except ProcountorAuthError as error:
        notes += [f"today: {reason.message}" for reason in reasons_of(error)]
    strategy = today.strategy.name if today else strategy_of(profiles, profile)
    if today is not None and strategy == target:
        now = clock()
        in_key, about_key = key_reasons(today, now)
        reasons = [*_refused_by_policy(today), *in_key, *_problems_of_today(today, pool, now)]
        readiness = Readiness(
            profile=profile, strategy=strategy, target=target, reasons=tuple(reasons), notes=tuple(about_key)
        )
        return Examined(readiness, today, today)
    target_provider, reasons, about_key = _next(profile, target, pool, clock)
    if strategy == target:
        notes.clear()  # they are the reasons already
    named = {f"today: {reason.message}" for reason in reasons}
    readiness = Readiness(
        profile=profile,
        strategy=strategy,
        target=target,
        reasons=tuple(reasons),
        notes=(*(note for note in notes if note not in named), *about_key),
    )
    return Examined(readiness, today, target_provider)


def _fallback_in_use(today: TokenProvider, pool: ProviderPool) -> tuple[Reason, ...]:
    """Return that the fallback is in use instead. A store that can't be read says nothing: `status` tells why."""
    try:
        entry = pool.entry(today)
    except ProcountorAuthError:
        return ()
    return fallback_reasons(today, entry.token if entry is not None else None)


def _next(
    profile: str | None, target: str, pool: ProviderPool, clock: Callable[[], float]
) -> tuple[TokenProvider | None, list[Reason], list[str]]:
    """Return the target's provider, its problems, and possible problems of its key."""
    try:
        provider = pool.provider(profile, target)
        _ = provider.store, provider.backends.transport  # to see whether the stores can be opened
        reasons, about_key = key_reasons(provider, clock())
    except ProcountorAuthError as error:
        return None, list(reasons_of(error)), []
    stored, unread = _stored(provider, pool)
    wrong = find_wrong_company(provider, stored, clock())
    more = reasons_of(wrong) if wrong is not None else _login_problems(provider, stored, unread, clock())
    return provider, [*_refused_by_policy(provider), *reasons, *more], about_key


def _refused_by_policy(provider: TokenProvider) -> tuple[Reason, ...]:
    """Return why programs may not use the strategy, or its fallback."""
    settings = provider.settings
    refusal = legacy_refusal(settings.legacy_policy, settings.strategy, settings.fallback_strategy)
    return reasons_of(refusal) if refusal is not None else ()


def _stored(provider: TokenProvider, pool: ProviderPool) -> tuple[Token | None, tuple[Reason, ...]]:
    """Return the stored token, or why it can't be read. It matters only if a user has to log in."""
    if provider.strategy.unattended or provider.forgets:
        return None, ()
    try:
        entry = pool.entry(provider)
    except ProcountorAuthError as error:
        return None, reasons_of(error)
    return entry.token if entry is not None else None, ()


def _problems_of_today(provider: TokenProvider, pool: ProviderPool, now: float) -> tuple[Reason, ...]:
    """Compare the company, and check whether the strategy waits for a user's login."""
    stored, unread = _stored(provider, pool)
    wrong = find_wrong_company(provider, stored, now)
    if wrong is not None:
        return reasons_of(wrong)
    if provider.unattended:
        return ()
    if unread or not needs_login(provider, stored, now):
        return unread
    return (Reason(code="interaction_required", message="a user has to log in", hint="Run `procountor-auth login`."),)


def _login_problems(
    provider: TokenProvider, stored: Token | None, unread: tuple[Reason, ...], now: float
) -> tuple[Reason, ...]:
    """Check whether a user has logged in, if the strategy needs that."""
    if provider.strategy.unattended:
        return ()
    settings = provider.settings
    if provider.forgets and not settings.refresh_token:
        return (
            Reason(
                code="token_store",
                message="PROCOUNTOR_TOKEN_STORE is memory, which loses a login when the process exits",
                hint="Set PROCOUNTOR_TOKEN_STORE=file, keyring or redis://…, then run `procountor-auth login`.",
                variable="PROCOUNTOR_TOKEN_STORE",
            ),
        )
    if unread:
        return unread
    kept = stored.refresh_token if stored is not None and not stored.refresh_ended(now) else None
    given = settings.refresh_token.get_secret_value() if settings.refresh_token else None
    ends = read_time(unverified_claims(given).get("exp")) if given else None
    if kept or (given and not (ends is not None and ends <= now)):
        return ()
    what = "PROCOUNTOR_REFRESH_TOKEN has expired" if given else "no user has logged in yet"
    return (
        Reason(
            code="interaction_required",
            message=f"{provider.strategy.name} needs a user's login: {what}",
            hint=f"Run {variable_of(settings.profile, 'strategy')}={provider.strategy.name} procountor-auth login",
        ),
    )
