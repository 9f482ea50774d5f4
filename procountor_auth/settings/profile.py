"""Whose error it is: a profile's name in an error, in its text and its hint, and in every line of the log."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, Protocol, TypeVar

from procountor_auth.errors import ProcountorAuthError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")

_VARIABLE: Final = re.compile(r"\bPROCOUNTOR_(STRATEGY|API_KEY|REFRESH_TOKEN|COMPANY|USERNAME|PASSWORD)\b(=\w+)?")
_COMMAND: Final = re.compile(
    r"\b(procountor-auth (?:login|logout|token|doctor|status|key create|migrate [a-z]+))\b(?! --profile)"
)

_logger = logging.getLogger("procountor_auth")
_current: ContextVar[str | None] = ContextVar("procountor_auth_profile", default=None)


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile that something is done for.

    Attributes:
        name: What it is called; None where there are no profiles.
    """

    name: str | None

    @contextmanager
    def named(self) -> Iterator[None]:
        """Name the profile in every error that leaves, and in every line that is logged meanwhile."""
        if self.name is None:
            yield
            return
        token = _current.set(self.name)
        try:
            yield
        except ProcountorAuthError as error:
            if error.profile is None:
                error.profile = printable(self.name)
                error.hint = self.hint(error.hint)
            raise
        finally:
            _current.reset(token)

    def hint(self, text: str) -> str:
        """Return a hint as it is for this profile: where its own values stand, and the command for it alone."""
        if self.name is None:
            return text
        name = printable(self.name)

        def own(found: re.Match[str]) -> str:
            # A list names the profile once: [profiles.beta] username, password and company.
            listed = found.string[: found.start()].endswith((", ", " and ", " or "))
            where = "" if listed and _VARIABLE.search(found.string[: found.start()]) else f"[profiles.{name}] "
            return f"{where}{found[1].lower()}{found[2] or ''}"

        text = _VARIABLE.sub(own, text)
        text = text.replace("TokenSource.from_env()", f'TokenSource.from_env(profile="{name}")')
        return _COMMAND.sub(lambda found: f"{found[1]} --profile {name}", text)

    def warning(self, text: str, *values: object) -> None:
        """Log a warning that names the profile."""
        with self.named():
            _logger.warning(text, *values)


NO_PROFILE: Final = Profile(None)
"""Where there are no profiles."""


class HasProfile(Protocol):
    """What is done for one profile."""

    @property
    def whose(self) -> Profile:
        """The profile."""


H = TypeVar("H", bound=HasProfile)


def named(method: Callable[Concatenate[H, P], T]) -> Callable[Concatenate[H, P], T]:
    """Name the profile in every error that leaves a method, and in every line that is logged meanwhile."""

    @wraps(method)
    def naming(self: H, /, *args: P.args, **options: P.kwargs) -> T:
        with self.whose.named():
            return method(self, *args, **options)

    return naming


def _name_in_log(record: logging.LogRecord) -> bool:
    """Put the profile before a line of the log, and into the record's `procountor_profile`."""
    if hasattr(record, "procountor_profile"):
        return True  # this module was imported twice
    event = getattr(record, "procountor_event", None)
    if event is not None:
        record.procountor_profile = event.get("profile")  # its text names it
        return True
    name = _current.get()
    record.procountor_profile = name
    if name is not None:
        # The template stays one, for those who group by it.
        template, values = (record.msg, record.args) if isinstance(record.args, tuple) and record.args else ("%s", None)
        record.args = (printable(name), *(values or (record.getMessage(),)))
        record.msg = f"profile %s: {template}"
    return True


_logger.addFilter(_name_in_log)
