"""Which strategies are deprecated, what replaces them, and how the policy handles them."""

from __future__ import annotations

import logging
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from procountor_auth.errors import LegacyNotAllowed, printable
from procountor_auth.protocol.pages import MIGRATION

if TYPE_CHECKING:
    from types import FrameType


class LegacyAuthWarning(DeprecationWarning):
    """The chosen strategy is deprecated. Shown by default, unlike other deprecation warnings."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The deprecation and removal of a strategy, as the vendor announced them.

    Attributes:
        removed: When and where it was removed, in words.
        successors: The strategies to use instead.
        guide: The migration guide.
    """

    removed: str
    successors: tuple[str, ...]
    guide: str = MIGRATION

    @property
    def advice(self) -> str:
        """Which variables to set instead."""
        settings = [_SETTINGS.get(name, f"PROCOUNTOR_STRATEGY={name}") for name in self.successors]
        return f"Set {'either ' if len(settings) > 1 else ''}{', or '.join(settings)}. {self.guide} explains how."


_SETTINGS: Final = {
    "client_credentials": "PROCOUNTOR_STRATEGY=client_credentials and PROCOUNTOR_API_KEY",
    "authorization_code": "PROCOUNTOR_STRATEGY=authorization_code and PROCOUNTOR_REFRESH_TOKEN (or log in)",
}

LEGACY: Final = Lifecycle(
    removed="Procountor removed it from production with API version 21.04 in April 2021",
    successors=("client_credentials", "authorization_code"),
)
"""The removal of `legacy_password` (the vendor's release notes)."""

_warned = False

_logger = logging.getLogger("procountor_auth")


CHOSEN: Final = "PROCOUNTOR_STRATEGY"
FALLEN_BACK_TO: Final = "PROCOUNTOR_FALLBACK_STRATEGY"
"""The variables that name a strategy."""


def _advice(variable: str) -> str:
    if variable == FALLEN_BACK_TO:
        return f"Remove {FALLEN_BACK_TO} as soon as the chosen strategy works. {LEGACY.guide} explains how."
    return LEGACY.advice


def warn_of_legacy(profile: str | None = None, variable: str = CHOSEN) -> None:
    """Emit `LegacyAuthWarning`, once per process, for the nearest caller outside this package.

    Args:
        profile: The profile that chooses the legacy strategy, if there are profiles.
        variable: The variable that names it.
    """
    global _warned  # noqa: PLW0603 - "once per process" is process-wide
    # Without a lock: the program's own code shows the warning, and may fork, or come back here.
    if _warned:
        return
    _warned = True
    try:
        warnings.warn(
            f"{f'Profile {printable(profile)}: ' if profile else ''}{variable}=legacy_password is deprecated: "
            f"{LEGACY.removed}. {_advice(variable)}"
            + (" `procountor-auth migrate status` lists every profile that still uses it." if profile else ""),
            LegacyAuthWarning,
            # The only way to look up the stack without building all of it.
            stacklevel=_distance_to_caller(sys._getframe()),  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        )
    except BaseException:  # if warnings are errors, every attempt must fail
        _warned = False
        raise


def forget_warning() -> None:
    """Make `warn_of_legacy` warn again, as in a new process."""
    global _warned  # noqa: PLW0603
    _warned = False


def _distance_to_caller(frame: FrameType) -> int:
    """Count the frames from this one up to the first one outside this package, as `stacklevel` counts them."""
    package = __name__.partition(".")[0]
    distance = 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame = frame.f_back
        distance += 1
    return distance


def show_by_default() -> None:
    """Show `LegacyAuthWarning` unless a filter for deprecation warnings is set.

    Python ignores deprecation warnings outside `__main__`. This overrides only that default; `-W`, `PYTHONWARNINGS`,
    and the filters of pytest and of the program take precedence.
    """
    if any(option.startswith("i") for option in sys.warnoptions):
        return  # `-W ignore::DeprecationWarning` looks like Python's own default, but is set on purpose
    for action, message, category, module, line in warnings.filters:
        if message is None and module is None and line == 0 and issubclass(LegacyAuthWarning, category):
            if action == "ignore" and category is DeprecationWarning:
                warnings.filterwarnings("default", category=LegacyAuthWarning)
            return


show_by_default()


LegacyPolicy: TypeAlias = Literal["warn", "error", "allow"]
"""`warn` once per process (the default), raise an `error`, or `allow` it with a log message."""


def legacy_refusal(policy: LegacyPolicy, chosen: str | None, fallback: str | None = None) -> LegacyNotAllowed | None:
    """Return the error if the policy forbids the chosen strategy, or the one to fall back to."""
    if policy != "error" or "legacy_password" not in {chosen, fallback}:
        return None
    return _not_allowed(CHOSEN if chosen == "legacy_password" else FALLEN_BACK_TO)


def _not_allowed(variable: str) -> LegacyNotAllowed:
    return LegacyNotAllowed(
        f"{variable}=legacy_password is not allowed, because PROCOUNTOR_LEGACY_POLICY=error.", hint=_advice(variable)
    )


def apply_legacy_policy(policy: LegacyPolicy, profile: str | None = None, variable: str = CHOSEN) -> None:
    """Apply the policy for the legacy strategy, before anything is sent.

    Args:
        policy: The policy.
        profile: The profile that chooses it, if there are profiles.
        variable: The variable that names it.

    Raises:
        LegacyNotAllowed: The policy is `error`.
        LegacyAuthWarning: If warnings are errors (`-W error`).
    """
    if policy == "error":
        raise _not_allowed(variable)
    if policy == "warn":
        warn_of_legacy(profile, variable)
    else:
        _logger.info("the deprecated strategy legacy_password is in use (PROCOUNTOR_LEGACY_POLICY=allow)")
