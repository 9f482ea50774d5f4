"""The options for profiles and accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.parse import SplitResult

    from procountor_auth.errors import Problem
    from procountor_auth.settings.profiles import Profiles


def _check_name(name: str | None) -> str | None:
    # An empty name comes from an unset variable of a script: an error is better than the wrong company.
    if name is not None and not name.strip():
        raise typer.BadParameter("must be the name of a profile")
    return name


def _complete_profile(incomplete: str) -> list[str]:
    """Return the profiles that begin with the typed text (called by shell completion)."""
    try:
        from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - only needed for completion

        return [name for name in Profiles.search() if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - the command itself reports errors; a completion can't
        return []


ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        callback=_check_name,
        autocompletion=_complete_profile,
        help="The profile. Default: the one that PROCOUNTOR_PROFILE names.",
    ),
]
ProfilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        autocompletion=_complete_profile,
        help="A profile. Can be repeated. Default: all profiles.",
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="List every profile, even if there are more than 20.")]
AccountOption = Annotated[
    str,
    typer.Option("--account", metavar="NAME", help="The account, as in TokenSource.from_env(account=NAME)."),
]


def split_url(url: str) -> SplitResult | None:
    """Return the parts of a URL with a scheme of HTTP and a host, or None if it is none, or its port is not one."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_address else None


def is_utf8(text: str) -> bool:
    """Whether text from the command line or standard input is UTF-8: Python keeps other bytes as lone surrogates."""
    return not any("\ud800" <= each <= "\udfff" for each in text)


def check_choice(value: str, choices: Sequence[str], option: str) -> None:
    """Refuse a value that is not one of the choices, and suggest the closest one.

    Args:
        value: The value.
        choices: The valid values.
        option: The name of the option or argument in the help.

    Raises:
        typer.BadParameter: It is none of them.
    """
    if value in choices:
        return
    from procountor_auth.settings.nearest import nearest  # noqa: PLC0415 - only after a mistake

    near = nearest(value, choices)
    meant = f". Did you mean {near}?" if near else ""
    raise typer.BadParameter(f"must be one of {', '.join(choices)}{meant}", param_hint=option)


def select_profiles(profiles: Profiles, names: list[str]) -> list[str | None]:
    """Return the named profiles without duplicates, or all profiles; `[None]` for a configuration without profiles.

    Raises:
        ConfigurationError: Some of them do not exist; the message lists them.
    """
    from procountor_auth.errors import ConfigurationError  # noqa: PLC0415 - not needed for help

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
