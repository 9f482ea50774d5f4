"""Whether a profile can switch to another strategy, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from procountor_auth.errors import ConfigurationError, WrongCompany, printable
from procountor_auth.settings.profile import Profile
from procountor_auth.strategies.guarded import owns
from procountor_auth.tokens.key_claims import KeyClaims

if TYPE_CHECKING:
    from collections.abc import Iterable

    from procountor_auth.errors import ProcountorAuthError
    from procountor_auth.protocol.token import Token
    from procountor_auth.tokens.provider import TokenProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason why a profile can't switch. It contains no secret.

    Attributes:
        code: A stable word for the kind: an error's `code`, a problem's `kind` (`missing`, `invalid`, …), or
            `other_company`, `other_client`, `expired`, `no_rights`, `token_store`, `fallback`.
        message: The problem, in one sentence.
        hint: What to do about it.
        variable: The variable concerned, if any.
    """

    code: str
    message: str
    hint: str = ""
    variable: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the reason as JSON-ready values."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "variable": self.variable}


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether one profile can switch.

    Attributes:
        profile: Its name, or None if there are no profiles.
        strategy: The current strategy, or None if unknown.
        target: The strategy to switch to.
        reasons: Why the profile can't switch; empty if it can.
        notes: Notes that do not prevent the switch.
        found: The results of a rehearsal, by name.
    """

    profile: str | None
    strategy: str | None
    target: str
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    found: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        object.__setattr__(self, "reasons", for_profile(self.profile, self.reasons))

    @property
    def ready(self) -> bool:
        """Whether the profile can switch."""
        return not self.reasons

    @property
    def done(self) -> bool:
        """Whether the profile has switched already."""
        return self.strategy == self.target

    def as_dict(self) -> dict[str, Any]:
        """Return the readiness as JSON-ready values: `reasons` as sentences, `problems` with all details."""
        return {
            "profile": self.profile,
            "ready": self.ready,
            "reasons": [reason.message for reason in self.reasons],
            "problems": [reason.as_dict() for reason in self.reasons],
            "strategy": self.strategy,
            "target": self.target,
            "notes": list(self.notes),
            **self.found,
        }


def for_profile(profile: str | None, reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return reasons with their hints adapted to a profile."""
    whose = Profile(profile)
    return tuple(replace(reason, hint=whose.hint(reason.hint)) for reason in reasons)


def reasons_of(error: ProcountorAuthError, about: str = "") -> tuple[Reason, ...]:
    """Return the reasons in an error: one for each problem of a configuration.

    Args:
        error: The error.
        about: What was tried, as a prefix of the sentence.
    """
    if isinstance(error, ConfigurationError) and error.problems:
        return tuple(
            Reason(code=problem.kind, message=about + problem.message, hint=error.hint, variable=problem.variable)
            for problem in error.problems
        )
    variable = error.variable if isinstance(error, WrongCompany) else None
    return (Reason(code=error.code, message=about + error.message, hint=error.hint, variable=variable),)


def fallback_reasons(provider: TokenProvider, stored: Token | None) -> tuple[Reason, ...]:
    """Return that the chosen strategy is not in use yet, if its stored token is one that the fallback got.

    Args:
        provider: The configuration, with the chosen strategy.
        stored: The token in the strategy's entry of the store, if there is one.
    """
    if stored is None or owns(provider.strategy, stored):
        return ()
    chosen, used = printable(provider.strategy.name), printable(stored.strategy)
    return (
        Reason(
            code="fallback",
            message=f"it still uses {used}, the fallback: {chosen} was refused when the stored token was requested",
            hint="Run `procountor-auth migrate rehearse --target-only --fresh`: it shows why, or ends the fallback.",
        ),
    )


def key_reasons(provider: TokenProvider, now: float) -> tuple[list[Reason], list[str]]:
    """Return what keeps the API key from working, by its own claims, and what may.

    Args:
        provider: The configuration.
        now: The time, in Unix seconds.
    """
    claims = KeyClaims.of(provider)
    problems = claims.problems(now) if claims is not None else []
    reasons = [
        Reason(code=problem.code, message=problem.message, hint=problem.hint, variable="PROCOUNTOR_API_KEY")
        for problem in problems
        if problem.in_the_way
    ]
    return reasons, [problem.message for problem in problems if not problem.in_the_way]
