"""The strategy and profiles that a command of `procountor-auth migrate` was called with."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NAMED: Final = 3
"""The most profiles that are named in a command, and whose lines are printed."""


class Call(NamedTuple):
    """The options of a command, which the next command repeats.

    Attributes:
        to: The strategy to switch to, if one was named.
        profiles: The profiles that were named, if any.
    """

    to: str | None
    profiles: tuple[str, ...] = ()

    @classmethod
    def of(cls, to: str | None, profiles: Sequence[str] | None) -> Call:
        """Return the call for the values of the options."""
        return cls(to, tuple(profiles or ()))

    def command(self, name: str, *options: str) -> str:
        """Return another command of `migrate` for the same strategy and profiles."""
        words = ["procountor-auth", "migrate", name, *options]
        if self.to is not None and name != "finish":
            words += ["--to", self.to]
        if len(self.profiles) <= MAX_NAMED:
            for profile in self.profiles:
                words += ["--profile", profile]
        return shlex.join(words)
