"""What all commands have in common: `-h`, `-v` anywhere, flags without a type, and our errors."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperCommand, TyperGroup

from .exit_status import exit_on_error, wants_json

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTEXT: Final = {"help_option_names": ["-h", "--help"]}
"""Settings of each command's context."""

VERBOSE: Final = "verbose"
"""The application's option that every command accepts too."""

_NO_TYPE: Final = ""

_NARROW: Final = 78
_NARROW_COLUMN: Final = 14
"""Columns for the names of options on a terminal with fewer than 80; a longer name gets its own line."""


class Command(TyperCommand):
    """A command of the application."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - Typer's context is in a private module
        """Return the parameters (called by Typer)."""
        return _with_common(super().get_params(ctx), ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - see above
        """Write the help (called by Typer)."""
        self.help: str | None = _joined(self.help)
        super().format_help(ctx, _fitted(formatter))


class Group(TyperGroup):
    """A command with subcommands."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - see above
        """Return the parameters (called by Typer)."""
        return _with_common(super().get_params(ctx), ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - see above
        """Write the help (called by Typer)."""
        self.help: str | None = _joined(self.help)
        super().format_help(ctx, _fitted(formatter))


class Application(Group):
    """The application: it reports every error of a command, and sets the exit status, before Typer sees the error."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - see above
        """Run a command (called by Typer)."""
        with exit_on_error(as_json=wants_json(sys.argv[1:])):
            return super().invoke(ctx)


def _fitted(formatter: Any) -> Any:  # noqa: ANN401 - Typer's formatter is in a private module
    """Return a formatter that leaves more room for the texts beside options on a narrow terminal."""
    if formatter.width < _NARROW:
        formatter.write_dl = partial(formatter.write_dl, col_max=_NARROW_COLUMN)
    return formatter


def _joined(text: str | None) -> str | None:
    """Return a help text with each paragraph on one line: on a terminal, Typer keeps the line ends of the source."""
    if text is None:
        return None
    return "\n\n".join(each if "\b" in each else " ".join(each.split()) for each in text.split("\n\n"))


def _with_common(params: Sequence[Any], ctx: Any) -> list[Any]:  # noqa: ANN401 - see above
    """Return parameters with `--verbose`, and with no `<bool>` beside a flag, which newer versions of Typer print."""
    root = ctx.find_root().command
    verbose = [each for each in root.params if each.name == VERBOSE and each not in params]
    found = [*params, *verbose]
    # Help comes last, as in other programs.
    found.sort(key=lambda each: each.name == "help")
    for each in found:
        if getattr(each, "is_flag", False):
            each.metavar = _NO_TYPE
    return found
