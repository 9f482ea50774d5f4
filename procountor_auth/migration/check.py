"""Whether a profile has what another strategy needs: found out from the configuration alone, with nothing sent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.migration.readiness import Readiness, Reason, reasons_of
from procountor_auth.protocol.claims import read_time, unverified_claims
from procountor_auth.settings.profiles import variable_of
from procountor_auth.tokens.known_problems import find_wrong_company, needs_login
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.tokens.provider import TokenProvider


class Examined(NamedTuple):
    """A profile's readiness, and its two providers as far as they could be built."""

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
        profiles: What all places said.
        profile: The profile, or None where there are none.
        target: The strategy to switch to.
        pool: Shared by the checks of many profiles.
        clock: The wall clock, in Unix seconds.
    """
    return examine(profiles, profile, target, pool or ProviderPool(profiles, clock=clock), clock).readiness


def examine(
    profiles: Profiles, profile: str | None, target: str, pool: ProviderPool, clock: Callable[[], float]
) -> Examined:
    """Do what `check` does, and return the providers as well."""
    today: TokenProvider | None = None
    notes: list[str] = []
    try:
        today = pool.provider(profile)
    except ProcountorAuthError as error:
        notes += [f"today: {reason.message}" for reason in reasons_of(error)]
    strategy = today.strategy.name if today else strategy_of(profiles, profile)
    if today is not None and strategy == target:
        problems = _problems_of_today(today, pool, clock())
        return Examined(Readiness(profile=profile, strategy=strategy, target=target, reasons=problems), today, today)
    target_provider, reasons = _next(profile, target, pool, clock)
    if strategy == target:
        notes.clear()  # they are the reasons themselves
    named = {f"today: {reason.message}" for reason in reasons}
    readiness = Readiness(
        profile=profile,
        strategy=strategy,
        target=target,
        reasons=tuple(reasons),
        notes=tuple(note for note in notes if note not in named),
    )
    return Examined(readiness, today, target_provider)


def strategy_of(profiles: Profiles, profile: str | None) -> str | None:
    """Return the strategy that is written down, though it may be none that exists."""
    try:
        value = profiles.values_of(profile).get("strategy")
    except ProcountorAuthError:
        return None
    return None if value is None else str(getattr(value, "get_secret_value", lambda: value)())


def _next(
    profile: str | None, target: str, pool: ProviderPool, clock: Callable[[], float]
) -> tuple[TokenProvider | None, list[Reason]]:
    """Return the next provider, and what is wrong with it."""
    try:
        provider = pool.provider(profile, target)
        _ = provider.store, provider.backends.transport  # whether they can be opened as they are configured
        problems = _key_problems(provider)
    except ProcountorAuthError as error:
        return None, list(reasons_of(error))
    stored, unread = _stored(provider, pool)
    wrong = find_wrong_company(provider, stored, clock())
    more = reasons_of(wrong) if wrong is not None else _login_problems(provider, stored, unread, clock())
    return provider, [*problems, *more]


def _key_problems(provider: TokenProvider) -> list[Reason]:
    """Look at what the API key says about itself. That is not verified; a rehearsal is."""
    settings = provider.settings
    if provider.strategy.name != "client_credentials" or settings.api_key is None:
        return []
    claims = unverified_claims(settings.required("api_key").get_secret_value())
    problems = []
    if _differs(claims.get("aud"), settings.client_id):
        problems.append(
            Reason(
                code="other_client",
                message="PROCOUNTOR_API_KEY says that it is for another client than PROCOUNTOR_CLIENT_ID",
                hint="Make a key with this client (`procountor-auth key create`), or name the key's client.",
                variable="PROCOUNTOR_API_KEY",
            )
        )
    return problems


def _stored(provider: TokenProvider, pool: ProviderPool) -> tuple[Token | None, tuple[Reason, ...]]:
    """Return the stored token, and what keeps it from being read. Only where a person logs in does it matter."""
    if provider.strategy.unattended or provider.forgets:
        return None, ()
    try:
        entry = pool.entry(provider)
    except ProcountorAuthError as error:
        return None, reasons_of(error)
    return entry.token if entry is not None else None, ()


def _problems_of_today(provider: TokenProvider, pool: ProviderPool, now: float) -> tuple[Reason, ...]:
    """Look at whose company it is, and whether the strategy waits for a person."""
    stored, unread = _stored(provider, pool)
    wrong = find_wrong_company(provider, stored, now)
    if wrong is not None:
        return reasons_of(wrong)
    if provider.unattended:
        return ()
    if unread or not needs_login(provider, stored, now):
        return unread
    return (Reason(code="interaction_required", message="a person has to log in", hint="Run `procountor-auth login`."),)


def _login_problems(
    provider: TokenProvider, stored: Token | None, unread: tuple[Reason, ...], now: float
) -> tuple[Reason, ...]:
    """Find out whether a person has logged in, where the strategy needs that."""
    if provider.strategy.unattended:
        return ()
    settings = provider.settings
    if provider.forgets and not settings.refresh_token:
        return (
            Reason(
                code="token_store",
                message="PROCOUNTOR_TOKEN_STORE is memory, which forgets a login when the process ends",
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
    what = "PROCOUNTOR_REFRESH_TOKEN has ended" if given else "nobody has logged in for it yet"
    return (
        Reason(
            code="interaction_required",
            message=f"{provider.strategy.name} needs a person's login: {what}",
            hint=f"Run {variable_of(settings.profile, 'strategy')}={provider.strategy.name} procountor-auth login",
        ),
    )


def _differs(claim: Any, value: str | None) -> bool:  # noqa: ANN401 - whatever a key has in it
    """Whether a claim is there and says something else; one that is not text or a number says nothing."""
    return isinstance(claim, int | str) and value is not None and str(claim) != value
