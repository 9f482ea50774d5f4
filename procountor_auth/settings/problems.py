"""What is wrong with a configuration, in words that name the variable and the next step."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import Problem
from procountor_auth.settings.variables import PREFIX, shown_name
from procountor_auth.strategies.registry import find_strategy, strategy_names

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic_core import ErrorDetails

_logger = logging.getLogger("procountor_auth")

_CREDENTIALS: Final = {
    "username": "legacy_password",
    "password": "legacy_password",
    "company": "legacy_password",
    "refresh_token": "authorization_code",
    "api_key": "client_credentials",
}
"""The credentials that one strategy alone uses."""

_MIN_SIMILARITY: Final = 0.75
"""How alike a misspelt name and the right one are at least (`difflib`'s ratio)."""

HINT: Final = (
    "Correct it in the environment, in .env or in the secrets directory; strategies/ has a profile to copy for each "
    "strategy."
)

CHOOSE_A_PROFILE: Final = (
    "There are profiles, {} of them, and none is chosen: set PROCOUNTOR_PROFILE, pass `profile=…`, or --profile to a "
    "command."
)


def hint_for(profile: object) -> str:
    """Return where to correct what is wrong with a profile, or with the only configuration."""
    if not profile:
        return HINT
    variable = f"{PREFIX}PROFILES__{profile}__".upper().replace("-", "_")
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


def is_staged(problem: Problem, strategy: str, fallback: str) -> bool:
    """Whether a problem is about a credential that only another strategy than the chosen one uses."""
    name = setting_named(problem.variable)
    return (
        name in _CREDENTIALS and find_strategy(strategy) is not None and _CREDENTIALS[name] not in {strategy, fallback}
    )


def without_unknown(
    values: dict[str, Any], fields: Collection[str], own: dict[str, bool]
) -> tuple[dict[str, Any], list[Problem]]:
    """Take out the names that no setting has: a misspelling is a problem, another name gets a line in the log.

    It counts as a misspelling if the name that it resembles is not there itself: a program may keep variables of its
    own under the same prefix.

    Args:
        values: What was found, by the settings' names.
        fields: The names of all settings.
        own: The names that only the chosen strategy knows, and whether each is there.
    """
    known = {name: value for name, value in values.items() if name in fields}
    problems = []
    for name in sorted(values.keys() - known.keys()):
        nearest = difflib.get_close_matches(name, [*fields, *own], n=1, cutoff=_MIN_SIMILARITY)
        meant = f": did you mean {variable_named(nearest[0])}?" if nearest else ""
        if nearest and nearest[0] not in known and not own.get(nearest[0]):
            problems.append(Problem(variable_named(name), "unknown", f"{variable_named(name)} is unknown{meant}"))
        else:
            shown = variable_named(name) if shown_name(name) else f"A name after {PREFIX} that is not shown"
            _logger.warning("%s is no setting of procountor_auth and is ignored%s", shown, meant)
    return known, problems
