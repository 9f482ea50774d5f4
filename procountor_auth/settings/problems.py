"""Problems of a configuration: messages that name the variable, and hints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.settings.variables import PREFIX
from procountor_auth.strategies.registry import find_strategy, strategy_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

    from procountor_auth.errors import ProcountorAuthError

_CREDENTIALS: Final = {
    "username": "legacy_password",
    "password": "legacy_password",
    "refresh_token": "authorization_code",
    "api_key": "client_credentials",
}
"""The credentials that only one strategy uses."""

ONE_COMPANYS: Final = frozenset({"company", "api_key", "refresh_token"})
"""Settings that belong to one company: a profile never inherits them from the common values."""

_PLAIN: Final = {
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
}
"""What pydantic says of some values in a programmer's words."""

HINT: Final = (
    "Set it in the environment, in .env or in the secrets directory; `procountor-auth init` writes a commented .env."
)
"""Where a missing variable goes."""

CHOOSE_A_PROFILE: Final = (
    "No profile is selected (available: {}): set PROCOUNTOR_PROFILE, pass `profile=…`, or --profile to a command."
)


def hint_for(profile: object, problems: Iterable[Problem] = (), *, has_file: bool) -> str:
    """Return where to correct the problems of a profile, or of the only configuration.

    Args:
        profile: The profile, if there is one.
        problems: The problems.
        has_file: Whether there is a profiles file.
    """
    problems = tuple(problems)
    missing = [problem.variable for problem in problems if problem.kind == "missing"]
    verb = "Correct" if not missing else "Set" if len(missing) == len(problems) else "Set or correct"
    one = len(problems) < 2  # noqa: PLR2004 - one or several
    what = f"{verb} {'it' if one else 'them'}"
    if not profile:
        where = "in the environment, in .env, in the secrets directory or at the top of the profiles file."
        return f"{what} {where}" if has_file else HINT.replace("Set it", what)
    variable = f"{PREFIX}PROFILES__{profile}__".upper().replace("-", "_")
    table = f"in [profiles.{profile}] of the profiles file, " if has_file else ""
    no_file = f", or name the profiles file: {PREFIX}PROFILES_FILE is not set" if missing and not has_file else ""
    own = sorted({setting_named(each) for each in missing} & ONE_COMPANYS)
    if not own:
        return f"{what} {table}as {variable}…, or for all profiles at once{no_file}."
    variables = f"{variable}{own[0].upper()}" if one else f"variables that begin with {variable}"
    return (
        f"{what} {table}{'or ' if table else ''}as {variables}{no_file}. "
        f"Settings of one company ({', '.join(sorted(ONE_COMPANYS))}) are never inherited from the common values."
    )


def variable_named(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{name}".upper()


def setting_named(variable: str) -> str:
    """Return the setting of an environment variable."""
    return variable.removeprefix(PREFIX).lower()


def missing_problem(name: str, strategy: str) -> Problem:
    """Return the problem that `strategy` needs the setting `name`, which is missing."""
    return Problem(
        variable_named(name), "missing", f"{variable_named(name)} is missing ({strategy} needs it)", needed_by=strategy
    )


def invalid_problem(detail: ErrorDetails) -> Problem:
    """Return a problem that pydantic has found, without the setting's value."""
    name = str(detail["loc"][0])
    if detail["type"] == "missing":
        choices = ", ".join(strategy_names())
        return Problem(variable_named(name), "missing", f"{variable_named(name)} is missing (one of {choices})")
    message = _PLAIN.get(detail["type"]) or detail["msg"].removeprefix("Value error, ").replace(
        "Input should", "should", 1
    )
    return Problem(variable_named(name), "invalid", f"{variable_named(name)} {message[0].lower()}{message[1:]}")


def is_merely_absent(error: ProcountorAuthError) -> bool:
    """Whether all that is wrong with a strategy's configuration is that variables are missing."""
    problems = error.problems if isinstance(error, ConfigurationError) else ()
    return bool(problems) and all(problem.kind == "missing" for problem in problems)


def needed_names(strategy: str, fallback: str) -> set[str]:
    """Return the names of the settings that two strategies use, including the one that selects the strategy."""
    return {"strategy", *settings_of(strategy, fallback), *credentials_of(strategy), *credentials_of(fallback)}


def settings_of(*strategies: str) -> set[str]:
    """Return the names of the settings that strategies declare, including those of other packages."""
    found = [kind for kind in map(find_strategy, strategies) if kind is not None]
    return {name for kind in found for name in (*kind.required_settings, *kind.optional_settings, *kind.extra_settings)}


def credentials_of(strategy: str) -> tuple[str, ...]:
    """Return the names of the credentials that only this strategy uses, whether it needs them or not."""
    return tuple(name for name, user in _CREDENTIALS.items() if user == strategy)


def used_only_by(name: str) -> str | None:
    """Return the only strategy that uses a credential; None for other settings and for shared credentials."""
    return _CREDENTIALS.get(name)


def is_staged(problem: Problem, strategy: str, fallback: str) -> bool:
    """Whether a problem is about a credential that only a strategy other than the chosen ones uses."""
    name = setting_named(problem.variable)
    return (
        name in _CREDENTIALS and find_strategy(strategy) is not None and _CREDENTIALS[name] not in {strategy, fallback}
    )
