"""Unknown names after `PROCOUNTOR_`: which of them are errors, and which are ignored.

A program may have its own variables with the same prefix, and Kubernetes sets some for a service of this name. So a
name is an error only if ignoring it could select the wrong host or company: if it resembles a needed setting that is
missing, or names a host while no host is set and the default is production.
"""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import Problem
from procountor_auth.settings.hosts import PRODUCTION
from procountor_auth.settings.problems import variable_named
from procountor_auth.settings.variables import ENV_FILE, PREFIX, SECRETS_DIR, setting_misspelt, shown_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_logger = logging.getLogger("procountor_auth")

_MIN_SIMILARITY: Final = 0.75
"""The minimum similarity of a misspelt name and the intended one (`difflib`'s ratio)."""

_MIN_SIMILARITY_UNNEEDED: Final = 0.85
"""The same for a setting that is not needed: `database_url` is not a misspelling of `base_url`."""

_HOST: Final = ("base_url", "environment")
"""The settings that name the host."""

_WHERE: Final = ("profile", "profiles_file")
"""The settings that select the profile; without them, the common values may be another company's."""

_PRINTED: Final = "access_token"

# Patterns as text: they are compiled on first use, as most programs have no unknown names.
_KUBERNETES: Final = r"(.+_)?(service_(host|port(_.+)?)|port(_[0-9]+_(tcp|udp|sctp)(_(proto|port|addr))?)?)"
"""The variables that Kubernetes sets for a service with a name such as `procountor-token` in the namespace."""

_ENVIRONMENT_WORD: Final = "environment|environ|env|staging|stage|sandbox|testing|tests|test|production|prod|live|demo"

_HOST_WORD: Final = "urls?|uris?|hosts?|hostname|domain|servers?|endpoints?|address|fqdn"

_FILLER: Final = "api|base|use|is|mode|target|default|root|name|service|backend|http|https|web|rest|oauth|auth|[_-]"

_SPEAKS_OF_HOST: Final = (
    f"(?:{_FILLER})*(?:{_ENVIRONMENT_WORD}|{_HOST_WORD})(?:{_FILLER}|{_ENVIRONMENT_WORD}|{_HOST_WORD})*"
)
"""Names that consist only of such words, like `api_url` and `testmode`, but not `redirect_url` or `database_host`."""


_PLACES: Final = {name.removeprefix(PREFIX).lower(): name for name in (ENV_FILE, SECRETS_DIR)}
"""The names that say where variables are read from; they are not settings themselves."""


def without_unknown(
    values: dict[str, Any], fields: Collection[str], own: Mapping[str, bool], needed: Collection[str]
) -> tuple[dict[str, Any], list[Problem]]:
    """Remove unknown names: each is a problem, or is logged.

    Args:
        values: The values that were found, by the settings' names.
        fields: The names of all settings.
        own: The names that only the chosen strategy uses, and whether each is set.
        needed: The names of the settings that the chosen strategy uses.
    """
    known = {name: value for name, value in values.items() if name in fields}
    host_named = any(name in known for name in _HOST)
    needed = [name for name in needed if name not in known and not own.get(name)]
    deciding = [name for name in (*_WHERE, *(() if host_named else _HOST)) if name not in known]
    deciding += [setting for setting, variable in _PLACES.items() if not os.environ.get(variable)]
    problems: list[Problem] = []
    for name in sorted(values.keys() - known.keys()):
        meant = _nearest(name, needed) or _nearest(name, deciding, _MIN_SIMILARITY_UNNEEDED)
        if name == _PRINTED:
            continue  # printed by `procountor-auth token --format env`, and passed on by programs
        if (setting := setting_misspelt(name)) is not None:
            # What is meant is certain here: a base URL wins over a named environment.
            if setting in needed or setting in deciding or (setting == "base_url" and setting not in known):
                problems.append(_unknown(name.upper(), f": did you mean {variable_named(setting)}?"))
            elif setting in fields or setting in own:
                _logger.warning("%s is ignored: did you mean %s?", name.upper(), variable_named(setting))
        elif re.fullmatch(_KUBERNETES, name):
            _logger.debug("%s%s, which Kubernetes sets, is not a setting", PREFIX, name.upper())
        elif meant:
            problems.append(_unknown(variable_named(name), f": did you mean {variable_named(meant)}?"))
        elif not host_named and re.fullmatch(_SPEAKS_OF_HOST, name):
            problems.append(_unknown(variable_named(name), _would_be_production(name)))
        else:
            nearest = _nearest(name, [*fields, *own])
            shown = variable_named(name) if nearest or shown_name(name) else f"A name after {PREFIX} that is hidden"
            resembles = f": did you mean {variable_named(nearest)}?" if nearest else ""
            _logger.warning("%s is not a setting of procountor_auth and is ignored%s", shown, resembles)
    return known, problems


def did_you_mean(names: Collection[str], known: Collection[str]) -> str:
    """Return a question with the names that were probably meant, or an empty string."""
    meant = sorted({found for name in names if (found := _nearest(name, known)) is not None})
    return f": did you mean {', '.join(meant)}?" if meant else ""


def _nearest(name: str, names: Collection[str], similarity: float = _MIN_SIMILARITY) -> str | None:
    import difflib  # noqa: PLC0415 - only after a mistake

    found = difflib.get_close_matches(name, names, n=1, cutoff=similarity)
    return found[0] if found else None


def _unknown(variable: str, rest: str) -> Problem:
    return Problem(variable, "unknown", f"{variable} is unknown{rest}")


def _would_be_production(name: str) -> str:
    meant = [variable_named(each) for each in _HOST]
    if re.search(_ENVIRONMENT_WORD, name):
        meant.reverse()
    return f", and without it the host is {PRODUCTION}, which is production: did you mean {meant[0]}, or {meant[1]}?"
