"""How long a strategy is good for: deprecated since when, removed when, and what comes after it."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from procountor_auth.errors import LegacyNotAllowed, printable


class LegacyAuthWarning(DeprecationWarning):
    """The chosen strategy is deprecated. Shown by default, unlike other deprecation warnings."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The end of a strategy's life, as its vendor announced it.

    Attributes:
        removed: When and where it was removed, in words.
        successors: The strategies to use instead.
        guide: The document that leads there.
    """

    removed: str
    successors: tuple[str, ...]
    guide: str = "MIGRATION.md"

    @property
    def advice(self) -> str:
        """Which variables to set instead, exactly."""
        settings = [_SETTINGS.get(name, f"PROCOUNTOR_STRATEGY={name}") for name in self.successors]
        return f"Set {'either ' if len(settings) > 1 else ''}{', or '.join(settings)}. {self.guide} leads there."


_SETTINGS: Final = {
    "client_credentials": "PROCOUNTOR_STRATEGY=client_credentials and PROCOUNTOR_API_KEY",
    "authorization_code": "PROCOUNTOR_STRATEGY=authorization_code and PROCOUNTOR_REFRESH_TOKEN (or log in)",
}

LEGACY: Final = Lifecycle(
    removed="Procountor removed it from production with API version 21.04 in April 2021",
    successors=("client_credentials", "authorization_code"),
)
"""The life of `legacy_password`: deprecated, announced for removal, removed (the vendor's release notes)."""

_lock = threading.Lock()
_warned = False

_logger = logging.getLogger("procountor_auth")


def warn_of_legacy(profile: str | None = None) -> None:
    """Emit `LegacyAuthWarning`, once per process, at the line outside this package that led here.

    Args:
        profile: The profile that chooses the legacy strategy, if there are profiles.
    """
    global _warned  # noqa: PLW0603 - "once per process" is process-wide
    with _lock:
        if _warned:
            return
        warnings.warn(
            f"{f'Profile {printable(profile)}: ' if profile else ''}PROCOUNTOR_STRATEGY=legacy_password is deprecated: "
            f"{LEGACY.removed}. {LEGACY.advice}",
            LegacyAuthWarning,
            stacklevel=_distance_to_caller(),
        )
        # Only now: where warnings are errors, every attempt must fail.
        _warned = True


def forget_warning() -> None:
    """Let `warn_of_legacy` warn again, as in a new process."""
    global _warned  # noqa: PLW0603
    with _lock:
        _warned = False


def _distance_to_caller() -> int:
    """Count the frames up to the first one outside this package."""
    package = __name__.partition(".")[0]
    distance = 2
    frame = sys._getframe(distance)  # noqa: SLF001 - the only way to look up the stack without building it all
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame = frame.f_back
        distance += 1
    return distance


def show_by_default() -> None:
    """Show `LegacyAuthWarning` unless somebody has decided about deprecation warnings.

    Python ignores deprecation warnings outside `__main__`. This lifts exactly that default and leaves `-W`,
    `PYTHONWARNINGS`, pytest's and a program's own filters in charge.
    """
    if any(option.startswith("i") for option in sys.warnoptions):
        return  # `-W ignore::DeprecationWarning` looks just like Python's own default, and is a decision
    for action, message, category, module, line in warnings.filters:
        if message is None and module is None and line == 0 and issubclass(LegacyAuthWarning, category):
            if action == "ignore" and category is DeprecationWarning:
                warnings.filterwarnings("default", category=LegacyAuthWarning)
            return


show_by_default()


LegacyPolicy: TypeAlias = Literal["warn", "error", "allow"]
"""`warn` once per process (the default), refuse with an `error`, or `allow` it with a line in the log."""


def legacy_refusal(policy: LegacyPolicy, *strategies: str | None) -> LegacyNotAllowed | None:
    """Return why programs may not use these strategies, if the policy forbids one of them."""
    if policy != "error" or "legacy_password" not in strategies:
        return None
    return LegacyNotAllowed(
        "PROCOUNTOR_STRATEGY=legacy_password is refused, because PROCOUNTOR_LEGACY_POLICY=error.", hint=LEGACY.advice
    )


def apply_legacy_policy(policy: LegacyPolicy, profile: str | None = None) -> None:
    """Act on the choice of the legacy strategy, before anything is sent.

    Args:
        policy: What to do.
        profile: The profile that chooses it, if there are profiles.

    Raises:
        LegacyNotAllowed: The policy is `error`.
        LegacyAuthWarning: Where warnings are errors (`-W error`).
    """
    refusal = legacy_refusal(policy, "legacy_password")
    if refusal is not None:
        raise refusal
    if policy == "warn":
        warn_of_legacy(profile)
    else:
        _logger.info("the deprecated strategy legacy_password is in use, as PROCOUNTOR_LEGACY_POLICY=allow says")
