"""One check of `procountor-auth doctor`, and the collection of checks."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from procountor_auth.errors import printable
from procountor_auth.migration.readiness import reasons_of
from procountor_auth.protocol.pages import MIGRATION
from procountor_auth.protocol.sunset import SunsetNotice
from procountor_auth.settings.profile import NO_PROFILE

if TYPE_CHECKING:
    from collections.abc import Generator

    from procountor_auth.errors import ProcountorAuthError

State: TypeAlias = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. It contains no secret.

    Attributes:
        name: The subject of the check.
        state: `failed` if programs can't get or use tokens; `warning` if that may happen later.
        message: The result, in a sentence.
        hint: What to do about it.
    """

    name: str
    state: State
    message: str
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the check as JSON-ready values."""
        return asdict(self)


class Findings:
    """The results of one run.

    Attributes:
        checks: The results, in the order of the checks.
        whose: The profile that is checked.
    """

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.whose = NO_PROFILE
        self._sunset_notices: dict[SunsetNotice, None] = {}

    def add(self, name: str, state: State, message: str, hint: str = "") -> None:
        """Add a result."""
        self.checks.append(Check(name, state, printable(message), printable(self.whose.hint(hint))))

    def add_error(self, name: str, error: ProcountorAuthError) -> None:
        """Add a failed check for each problem that an error names."""
        for reason in reasons_of(error):
            self.add(name, "failed", reason.message, reason.hint)

    def add_sunset_notice(self, notice: SunsetNotice | None) -> None:
        """Record a server's announcement, unless it is recorded already."""
        if notice is not None and notice != SunsetNotice():
            self._sunset_notices[notice] = None

    def add_announced_ends(self) -> None:
        """Add the result for all announcements."""
        with_link = {
            str(SunsetNotice(each.deprecated_at, each.sunset_at))
            for each in self._sunset_notices
            if each.link is not None
        }
        for notice in self._sunset_notices:
            if notice.link is None and str(notice) in with_link:
                continue  # the same announcement, without its link
            self.add("announced end", "warning", f"the server announces: {notice}", f"See {MIGRATION}.")
        if not self._sunset_notices:
            self.add("announced end", "ok", "none is known")


@contextmanager
def collect_log_warnings() -> Generator[list[str]]:
    """Collect log records of this package from WARNING up, except for events, which have separate checks."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not hasattr(record, "procountor_event"):
                lines.append(record.getMessage())

    logger = logging.getLogger("procountor_auth")
    collector = Collector(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield lines
    finally:
        logger.removeHandler(collector)
