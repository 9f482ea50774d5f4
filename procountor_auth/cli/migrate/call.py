"""The strategy and profiles that a command of `procountor-auth migrate` was called with."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NAMED: Final = 3
"""The most profiles that are named in a command, and whose lines are printed."""

DEFAULT_OLD: Final = "legacy_password"
"""The strategy that profiles used before, unless another one is named."""


class Call(NamedTuple):
    """The options of a command, which the next command repeats.

    Attributes:
        to: The strategy to switch to, if one was named.
        profiles: The profiles that were named, if any.
        old: The strategy that the profiles used before.
    """

    to: str | None
    profiles: tuple[str, ...] = ()
    old: str = DEFAULT_OLD

    @classmethod
    def of(cls, to: str | None, profiles: Sequence[str] | None, old: str = DEFAULT_OLD) -> Call:
        """Return the call for the values of the options."""
        return cls(to, tuple(profiles or ()), old)

    def command(self, name: str, *options: str) -> str:
        """Return another command of `migrate` for the same strategy and profiles."""
        words = ["procountor-auth", "migrate", name, *options]
        if name == "finish":
            words += from_option(self.old)
        elif self.to is not None:
            words += ["--to", self.to]
        if len(self.profiles) <= MAX_NAMED:
            for profile in self.profiles:
                words += ["--profile", profile]
        return shlex.join(words)


def from_option(old: str) -> list[str]:
    """Return the option of `finish` that names the old strategy, if it has to be named."""
    return [] if old == DEFAULT_OLD else ["--from", old]
