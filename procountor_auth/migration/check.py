"""Whether a profile has what another strategy needs: found out from the configuration alone, with nothing sent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from procountor_auth.claims import unverified_claims
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.migration.side import Connections, Side
from procountor_auth.migration.verdict import Reason, Verdict, reasons_of
from procountor_auth.stores.pointer import follow

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.profiles import Profiles


class Examined(NamedTuple):
    """A profile's verdict, and its two sides as far as they could be built."""

    verdict: Verdict
    today: Side | None
    next: Side | None


def check(
    profiles: Profiles,
    profile: str | None,
    target: str,
    *,
    connections: Connections | None = None,
    clock: Callable[[], float] = time.time,
) -> Verdict:
    """Return what is missing or wrong for one profile. Nothing is sent to Procountor; the token store may be read.

    Args:
        profiles: What all places said.
        profile: The profile, or None where there are none.
        target: The strategy to switch to.
        connections: Shared by the checks of many profiles.
        clock: The wall clock, in Unix seconds.
    """
    return examine(profiles, profile, target, connections or Connections(), clock).verdict


def examine(
    profiles: Profiles, profile: str | None, target: str, connections: Connections, clock: Callable[[], float]
) -> Examined:
    """Do what `check` does, and return the sides as well."""
    today: Side | None = None
    notes: list[str] = []
    try:
        today = Side.of(profiles, profile, clock=clock)
    except ProcountorAuthError as error:
        notes += [f"today: {reason.message}" for reason in reasons_of(error)]
    strategy = today.strategy.name if today else strategy_of(profiles, profile)
    if today is not None and strategy == target:
        return Examined(Verdict(profile=profile, strategy=strategy, target=target), today, today)
    following, reasons = _next(profiles, profile, target, connections, clock)
    if strategy == target:
        notes.clear()  # they are the reasons themselves
    named = {f"today: {reason.message}" for reason in reasons}
    verdict = Verdict(
        profile=profile,
        strategy=strategy,
        target=target,
        reasons=tuple(reasons),
        notes=tuple(note for note in notes if note not in named),
    )
    return Examined(verdict, today, following)


def strategy_of(profiles: Profiles, profile: str | None) -> str | None:
    """Return the strategy that is written down, though it may be none that exists."""
    try:
        value = profiles.values_of(profile).get("strategy")
    except ProcountorAuthError:
        return None
    return None if value is None else str(getattr(value, "get_secret_value", lambda: value)())


def _next(
    profiles: Profiles, profile: str | None, target: str, connections: Connections, clock: Callable[[], float]
) -> tuple[Side | None, list[Reason]]:
    """Return the next side, and what is wrong with it."""
    try:
        side = Side.of(profiles, profile, target, clock=clock)
        connections.wiring(side)
        problems = _key_problems(side)
    except ProcountorAuthError as error:
        return None, list(reasons_of(error))
    return side, [*problems, *_login_problems(side, connections, clock)]


def _key_problems(side: Side) -> list[Reason]:
    """Look at what the API key says about itself. That is not verified; a rehearsal is."""
    settings = side.settings
    if side.strategy.name != "client_credentials" or settings.api_key is None:
        return []
    claims = unverified_claims(follow(settings.api_key).get_secret_value())
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
    company = settings.company.get_secret_value() if settings.company else None
    if _differs(claims.get("cid"), company):
        problems.append(
            Reason(
                code="other_company",
                message=f"PROCOUNTOR_API_KEY says that it is for company {_number(claims.get('cid'))}, and "
                f"PROCOUNTOR_COMPANY is {company}",
                hint="Each company needs a key of its own: take this company's.",
                variable="PROCOUNTOR_API_KEY",
            )
        )
    return problems


def _login_problems(side: Side, connections: Connections, clock: Callable[[], float]) -> list[Reason]:
    """Find out whether a person has logged in, where the strategy needs that."""
    if side.strategy.alone:
        return []
    settings = side.settings
    if side.forgets and not settings.refresh_token:
        return [
            Reason(
                code="token_store",
                message="PROCOUNTOR_TOKEN_STORE is memory, which forgets a login when the process ends",
                hint="Set PROCOUNTOR_TOKEN_STORE=file, keyring or redis://…, then run `procountor-auth login`.",
                variable="PROCOUNTOR_TOKEN_STORE",
            )
        ]
    stored = None
    try:
        entry = connections.entry(side)
    except ProcountorAuthError as error:
        return list(reasons_of(error))
    if entry is not None and entry.token is not None and not entry.token.refresh_ended(clock()):
        stored = entry.token.refresh_token
    given = settings.refresh_token.get_secret_value() if settings.refresh_token else None
    ends = _number(unverified_claims(given).get("exp")) if given else None
    if stored or (given and not (ends is not None and ends <= clock())):
        return []
    what = "PROCOUNTOR_REFRESH_TOKEN has ended" if given else "nobody has logged in for it yet"
    whose = f" --profile {settings.profile}" if settings.profile else ""
    return [
        Reason(
            code="interaction_required",
            message=f"{side.strategy.name} needs a person's login: {what}",
            hint=f"Run PROCOUNTOR_STRATEGY={side.strategy.name} procountor-auth login{whose}",
        )
    ]


def _differs(claim: Any, value: str | None) -> bool:  # noqa: ANN401 - whatever a key has in it
    """Whether a claim is there and says something else; one that is not text or a number says nothing."""
    return isinstance(claim, int | str) and value is not None and str(claim) != value


def _number(claim: Any) -> int | None:  # noqa: ANN401 - see above
    text = str(claim)
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(2**63)) else None
