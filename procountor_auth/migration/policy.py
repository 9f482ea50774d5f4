"""What `PROCOUNTOR_LEGACY_POLICY` lets happen when the legacy strategy is chosen."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from procountor_auth.errors import LegacyNotAllowed
from procountor_auth.migration.lifecycle import LEGACY, warn_of_legacy

LegacyPolicy: TypeAlias = Literal["warn", "error", "allow"]
"""`warn` once per process (the default), refuse with an `error`, or `allow` it with a line in the log."""

if TYPE_CHECKING:
    from collections.abc import Iterator

_looking: Final = ContextVar("looking", default=False)

_logger = logging.getLogger("procountor_auth")


def apply_legacy_policy(policy: LegacyPolicy) -> None:
    """Act on the choice of the legacy strategy, before anything is sent.

    Raises:
        LegacyNotAllowed: The policy is `error`.
        LegacyAuthWarning: Where warnings are errors (`-W error`).
    """
    if _looking.get():
        return
    if policy == "error":
        raise LegacyNotAllowed(
            "PROCOUNTOR_STRATEGY=legacy_password is refused, because PROCOUNTOR_LEGACY_POLICY=error.",
            hint=LEGACY.advice,
        )
    if policy == "warn":
        warn_of_legacy()
    else:
        _logger.info("the deprecated strategy legacy_password is in use, as PROCOUNTOR_LEGACY_POLICY=allow says")


@contextmanager
def looking() -> Iterator[None]:
    """Let legacy strategies be built here without a word: to look at them, not to run a program with them."""
    before = _looking.set(True)
    try:
        yield
    finally:
        _looking.reset(before)
