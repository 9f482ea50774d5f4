"""Adds the profile's name to errors, hints and log records."""

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
    from collections.abc import Callable, Generator

P = ParamSpec("P")
T = TypeVar("T")

# Patterns as text: they are compiled on first use, for errors of profiles only.
_VARIABLE: Final = r"\bPROCOUNTOR_(STRATEGY|API_KEY|REFRESH_TOKEN|COMPANY|USERNAME|PASSWORD)\b(=\w+)?"
_COMMAND: Final = r"\b(procountor-auth (?:login|logout|token|doctor|status|key create|migrate [a-z]+))\b(?! --profile)"

_logger = logging.getLogger("procountor_auth")
_current: ContextVar[str | None] = ContextVar("procountor_auth_profile", default=None)


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile that an operation is for.

    Attributes:
        name: Its name; None if there are no profiles.
    """

    name: str | None

    @contextmanager
    def named(self) -> Generator[None]:
        """Name the profile in errors that are raised inside, and in log records of this thread or task."""
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
        """Return a hint for this profile: with its own variables, and `--profile` in commands."""
        if self.name is None:
            return text
        name = printable(self.name)

        def own(found: re.Match[str]) -> str:
            # A list names the profile only once: [profiles.beta] username, password and company.
            listed = found.string[: found.start()].endswith((", ", " and ", " or "))
            where = "" if listed and re.search(_VARIABLE, found.string[: found.start()]) else f"[profiles.{name}] "
            return f"{where}{found[1].lower()}{found[2] or ''}"

        text = re.sub(_VARIABLE, own, text)
        text = text.replace("TokenSource.from_env()", f'TokenSource.from_env(profile="{name}")')
        return re.sub(_COMMAND, lambda found: f"{found[1]} --profile {name}", text)

    def warning(self, text: str, *values: object) -> None:
        """Log a warning that names the profile."""
        with self.named():
            _logger.warning(text, *values)


NO_PROFILE: Final = Profile(None)
"""Used if there are no profiles."""


class HasProfile(Protocol):
    """An object that works for one profile."""

    @property
    def whose(self) -> Profile:
        """The profile."""
        ...


H = TypeVar("H", bound=HasProfile)


def named(method: Callable[Concatenate[H, P], T]) -> Callable[Concatenate[H, P], T]:
    """Name the profile in errors that a method raises, and in what is logged meanwhile."""

    @wraps(method)
    def naming(self: H, /, *args: P.args, **options: P.kwargs) -> T:
        with self.whose.named():
            return method(self, *args, **options)

    return naming


def _name_in_log(record: logging.LogRecord) -> bool:
    """Put the profile in front of a log message, and into the record's `procountor_profile`."""
    if hasattr(record, "procountor_profile"):
        return True  # already done: this module was imported twice
    event = getattr(record, "procountor_event", None)
    if event is not None:
        record.procountor_profile = event.get("profile")  # its text already names it
        return True
    name = _current.get()
    record.procountor_profile = name
    if name is not None:
        # The message template stays the same for all profiles, for tools that group by it.
        template, values = (record.msg, record.args) if isinstance(record.args, tuple) and record.args else ("%s", None)
        record.args = (printable(name), *(values or (record.getMessage(),)))
        record.msg = f"profile %s: {template}"
    return True


_logger.addFilter(_name_in_log)
