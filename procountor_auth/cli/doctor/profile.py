"""Which profile `procountor-auth doctor` checks: always its first line, whatever else is wrong."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ConfigurationError, UnknownProfile
from procountor_auth.settings.profiles import PROFILE

if TYPE_CHECKING:
    from procountor_auth.settings.profiles import Profiles

    from .check import Findings

_MAX_NAMES: Final = 10
"""How many names of profiles are listed."""


def check_profile(findings: Findings, profiles: Profiles, asked: str | None) -> str | None:
    """Report which profile is checked; return its name, or None if there are no profiles or none is chosen.

    Args:
        findings: Where the result goes.
        profiles: The profiles, with their variables from all places.
        asked: The profile that the command names.

    Raises:
        UnknownProfile: The command names one that does not exist.
    """
    refused: UnknownProfile | None = None
    name: str | None = None
    wrong = False
    try:
        name = profiles.chosen(asked)
    except UnknownProfile as error:
        refused, wrong = error, True
    except ConfigurationError:
        wrong = True  # it is set twice: the check of the configuration reports it
    if refused is not None and asked is not None:
        hint = f"{refused.hint} They are {_names(profiles)}." if profiles else refused.hint
        raise UnknownProfile(refused.message, hint=hint, problems=refused.problems)
    if name is not None:
        findings.add("profile", "ok", f"{name}, {_number(profiles)}, chosen by {_chosen_by(profiles, asked)}")
    elif wrong:
        others = f"none of {len(profiles)} ({_names(profiles)})" if profiles else "none: there are no profiles"
        findings.add("profile", "warning", f"the profile in {PROFILE} is {others}", "Correct or remove it.")
    elif profiles:
        message = f"none of {len(profiles)} is chosen ({_names(profiles)}): this is what they have in common"
        findings.add("profile", "warning", message, f"Choose one with --profile, or with {PROFILE}.")
    else:
        findings.add("profile", "ok", "there are no profiles: this is the only configuration")
    return name


def add_unread_profile(findings: Findings, asked: str | None) -> None:
    """Report that the profiles are not known."""
    which = f"{asked} is requested; which profiles there are" if asked else "which profile this is, or which there are,"
    findings.add("profile", "warning", f"{which} is not known: not everything can be read")


def _names(profiles: Profiles) -> str:
    names = ", ".join(islice(profiles, _MAX_NAMES))
    return names if len(profiles) <= _MAX_NAMES else f"{names} and {len(profiles) - _MAX_NAMES} more"


def _number(profiles: Profiles) -> str:
    return "the only one" if len(profiles) == 1 else f"one of {len(profiles)}"


def _chosen_by(profiles: Profiles, asked: str | None) -> str:
    origin = None if asked is not None else profiles.origin(None, "profile")
    return "--profile" if origin is None else f"{origin.written} ({origin.place})"
