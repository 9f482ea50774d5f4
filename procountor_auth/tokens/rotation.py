"""Checks whether references lead to new secrets, so that a rotated key is used without a restart."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.tokens.credentials import credentials_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.settings.settings import Settings

PAUSE: Final = 10.0
"""Seconds between two times that references are followed again: each may run a program."""

_logger = logging.getLogger("procountor_auth")


class Rotation:
    """Follows the references of a configuration again when it is asked, but not at once after the last time.

    Args:
        settings: The settings, with their references followed.
        monotonic: The clock, in seconds.
    """

    def __init__(self, settings: Settings | None, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._next = float("-inf")
        self._found: Settings | None = None
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Start with no lock held: the thread that follows references exists in the parent only."""
        self._lock = Lock()

    def found(self) -> Settings | None:
        """Return the settings with other secrets than before, or None: there are none, or they are still the same."""
        settings = self._settings
        if settings is None or not settings.references:
            return None
        with self._lock:
            if self._monotonic() >= self._next:
                # What was found before may be refused as well, and be replaced.
                self._found = self._followed(settings, self._found)
                self._next = self._monotonic() + PAUSE
            return self._found

    @staticmethod
    def _followed(settings: Settings, last: Settings | None) -> Settings | None:
        try:
            again = settings.followed(again=True)
        except ProcountorAuthError as error:
            # The refusal stands, and is what the caller is told.
            _logger.warning("a secret was refused, and its reference can't be followed again: %s", error.message)
            return last
        if credentials_digest(again) == credentials_digest(settings):
            return None
        if last is not None and credentials_digest(again) == credentials_digest(last):
            return last
        names = ", ".join(sorted(settings.references))
        if again.company != settings.company:
            _logger.error("a reference leads to another company by now (%s): reload() or a restart uses it", names)
            return None
        _logger.info("a secret was refused, and its reference leads to another one by now (%s)", names)
        return again
