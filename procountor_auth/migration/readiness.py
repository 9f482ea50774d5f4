"""What is known about a profile's way to another strategy: whether it is free, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from procountor_auth.errors import ConfigurationError, WrongCompany
from procountor_auth.settings.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from procountor_auth.errors import ProcountorAuthError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that is in the way. No secret is in it.

    Attributes:
        code: A stable word for the kind: an error's `code`, a problem's `kind` (`missing`, `invalid`, …), or
            `other_company`, `other_client`, `no_rights`, `token_store`.
        message: What it is, in one sentence.
        hint: What to do about it.
        variable: The variable that it is about, if it is about one.
    """

    code: str
    message: str
    hint: str = ""
    variable: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "variable": self.variable}


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether one profile can switch.

    Attributes:
        profile: Its name, or None where there are no profiles.
        strategy: The strategy of today, or None if that can't be told.
        target: The strategy to switch to.
        reasons: What is in the way; empty if the way is free.
        notes: What is worth knowing, and is not in the way.
        found: What a rehearsal found out, by name.
    """

    profile: str | None
    strategy: str | None
    target: str
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    found: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reasons", for_profile(self.profile, self.reasons))

    @property
    def ready(self) -> bool:
        """Whether nothing is in the way."""
        return not self.reasons

    @property
    def done(self) -> bool:
        """Whether the profile has switched already."""
        return self.strategy == self.target

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values: `reasons` as sentences, and as `problems` with everything about each."""
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
    """Return reasons with their hints as they are for a profile."""
    whose = Profile(profile)
    return tuple(replace(reason, hint=whose.hint(reason.hint)) for reason in reasons)


def reasons_of(error: ProcountorAuthError, about: str = "") -> tuple[Reason, ...]:
    """Return what an error says, each problem of a configuration by itself.

    Args:
        error: The error.
        about: What was tried, to stand before the sentence.
    """
    if isinstance(error, ConfigurationError) and error.problems:
        return tuple(
            Reason(code=problem.kind, message=about + problem.message, hint=error.hint, variable=problem.variable)
            for problem in error.problems
        )
    variable = error.variable if isinstance(error, WrongCompany) else None
    return (Reason(code=error.code, message=about + error.message, hint=error.hint, variable=variable),)
