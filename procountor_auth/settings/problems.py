"""What is wrong with a configuration, in words that name the variable and the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from procountor_auth.errors import Problem
from procountor_auth.settings.variables import PREFIX
from procountor_auth.strategies.registry import find_strategy, strategy_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

_CREDENTIALS: Final = {
    "username": "legacy_password",
    "password": "legacy_password",
    "company": "legacy_password",
    "refresh_token": "authorization_code",
    "api_key": "client_credentials",
}
"""The credentials that one strategy alone uses."""

ONE_COMPANYS: Final = frozenset({"company", "api_key", "refresh_token"})
"""What belongs to one company: a profile has its own, and never the common one."""

HINT: Final = (
    "Correct it in the environment, in .env or in the secrets directory; strategies/ has a profile to copy for each "
    "strategy."
)

CHOOSE_A_PROFILE: Final = (
    "There are profiles, {} of them, and none is chosen: set PROCOUNTOR_PROFILE, pass `profile=…`, or --profile to a "
    "command."
)


def hint_for(profile: object, problems: Iterable[Problem] = ()) -> str:
    """Return where to correct what is wrong with a profile, or with the only configuration."""
    if not profile:
        return HINT
    variable = f"{PREFIX}PROFILES__{profile}__".upper().replace("-", "_")
    own = sorted({setting_named(problem.variable) for problem in problems if problem.kind == "missing"} & ONE_COMPANYS)
    if own:
        return (
            f"Set it in [profiles.{profile}] of the profiles file, or as {variable}{own[0].upper()}. What belongs to "
            f"one company ({', '.join(sorted(ONE_COMPANYS))}) is never inherited from the common values."
        )
    return f"Correct it in [profiles.{profile}] of the profiles file, as {variable}…, or for all profiles at once."


def variable_named(name: str) -> str:
    """Return the environment's variable for a setting."""
    return f"{PREFIX}{name}".upper()


def setting_named(variable: str) -> str:
    """Return the setting that a variable of the environment is for."""
    return variable.removeprefix(PREFIX).lower()


def missing_problem(name: str, strategy: str) -> Problem:
    """Return the problem that `strategy` needs the setting `name`, which is not there."""
    return Problem(
        variable_named(name), "missing", f"{variable_named(name)} is missing ({strategy} needs it)", needed_by=strategy
    )


def invalid_problem(detail: ErrorDetails) -> Problem:
    """Return the problem that pydantic has found with one setting. Its value is not shown."""
    name = str(detail["loc"][0])
    if detail["type"] == "missing":
        choices = ", ".join(strategy_names())
        return Problem(variable_named(name), "missing", f"{variable_named(name)} is missing (one of {choices})")
    message = detail["msg"].removeprefix("Value error, ").replace("Input should", "should", 1)
    return Problem(variable_named(name), "invalid", f"{variable_named(name)} {message[0].lower()}{message[1:]}")


def needed_names(strategy: str, fallback: str) -> set[str]:
    """Return the names of the settings that two strategies ask with, the one that names the strategy included."""
    credentials = {name for name, user in _CREDENTIALS.items() if user in {strategy, fallback}}
    return {"strategy"} | settings_of(strategy, fallback) | credentials


def settings_of(*strategies: str) -> set[str]:
    """Return the names of the settings that strategies say they have, whoever wrote them."""
    found = [kind for kind in map(find_strategy, strategies) if kind is not None]
    return {name for kind in found for name in (*kind.required_settings, *kind.extra_settings)}


def is_staged(problem: Problem, strategy: str, fallback: str) -> bool:
    """Whether a problem is about a credential that only another strategy than the chosen one uses."""
    name = setting_named(problem.variable)
    return (
        name in _CREDENTIALS and find_strategy(strategy) is not None and _CREDENTIALS[name] not in {strategy, fallback}
    )
