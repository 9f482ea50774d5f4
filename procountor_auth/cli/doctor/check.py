"""One check of `procountor-auth doctor`, and what collects the checks."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from procountor_auth.errors import printable
from procountor_auth.migration.readiness import reasons_of
from procountor_auth.protocol.sunset import SunsetNotice
from procountor_auth.settings.profile import NO_PROFILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.errors import ProcountorAuthError

State: TypeAlias = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. No secret is in it.

    Attributes:
        name: What it is about.
        state: `failed` keeps programs from getting tokens or using them; a `warning` may do so one day.
        message: What was found.
        hint: What to do about it.
    """

    name: str
    state: State
    message: str
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it as plain values."""
        return asdict(self)


class Findings:
    """What the checks of one run have found.

    Attributes:
        checks: The results, in the order of the checks.
        whose: The profile that is examined.
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
        """Remember what a server has announced, each announcement once."""
        if notice is not None and notice != SunsetNotice():
            self._sunset_notices[notice] = None

    def add_announced_ends(self) -> None:
        """Add the result on everything that was announced."""
        with_link = {
            str(SunsetNotice(each.deprecated_at, each.sunset_at))
            for each in self._sunset_notices
            if each.link is not None
        }
        for notice in self._sunset_notices:
            if notice.link is None and str(notice) in with_link:
                continue  # the same announcement, without its page
            self.add("announced end", "warning", f"the server says: {notice}", "MIGRATION.md leads to what remains.")
        if not self._sunset_notices:
            self.add("announced end", "ok", "none is known")


@contextmanager
def collect_log_warnings() -> Iterator[list[str]]:
    """Collect what our log says meanwhile from WARNING on, except for the events, which have checks of their own."""
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
