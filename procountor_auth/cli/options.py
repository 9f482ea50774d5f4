"""Which profiles a command is about, and whose token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from procountor_auth.errors import Problem
    from procountor_auth.settings.profiles import Profiles


def _check_name(name: str | None) -> str | None:
    # An empty name comes from a script's variable that is not set: the wrong company would be worse than an error.
    if name is not None and not name.strip():
        raise typer.BadParameter("must be the name of a profile")
    return name


ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        callback=_check_name,
        help="The profile; by default the one that PROCOUNTOR_PROFILE names.",
    ),
]
ProfilesOption = Annotated[
    list[str] | None,
    typer.Option("--profile", metavar="NAME", help="A profile; may be given many times. By default all of them."),
]
AccountOption = Annotated[
    str,
    typer.Option("--account", metavar="NAME", help="Whose token it is, as in TokenSource.from_env(account=NAME)."),
]


def select_profiles(profiles: Profiles, names: list[str]) -> list[str | None]:
    """Return the named profiles, each once, or all of them; `[None]` for a configuration without profiles.

    Raises:
        ConfigurationError: Some of them do not exist; it lists all of those.
    """
    from procountor_auth.errors import ConfigurationError  # noqa: PLC0415 - help need not wait for it

    if not names:
        return list(profiles) or [None]
    found: dict[str | None, None] = {}
    unknown: dict[str, Problem] = {}
    hint = ""
    for name in names:
        try:
            found[profiles.spelt(name)] = None
        except ConfigurationError as error:
            hint = error.hint
            unknown |= {problem.message: problem for problem in error.problems}
    if unknown:
        raise ConfigurationError.from_problems(tuple(unknown.values()), hint=hint)
    return list(found)
