"""Names after `PROCOUNTOR_` that no setting has: which of them stop a program, and which are ignored.

A program may keep variables of its own under the same prefix, and Kubernetes makes some for a service of this name. So
a name stops it only where ignoring it could change who is asked, and about whom: where it resembles a setting that is
needed and not there, or speaks of a host while none is named, and the default is production.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import Problem
from procountor_auth.settings.hosts import PRODUCTION
from procountor_auth.settings.problems import variable_named
from procountor_auth.settings.variables import ENV_FILE, PREFIX, SECRETS_DIR, shown_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_logger = logging.getLogger("procountor_auth")

_MIN_SIMILARITY: Final = 0.75
"""How alike a misspelt name and the one that is meant are at least (`difflib`'s ratio)."""

_MIN_SIMILARITY_UNNEEDED: Final = 0.85
"""The same for a setting that nobody needs: `database_url` is no misspelling of `base_url`."""

_HOST: Final = ("base_url", "environment")
"""The settings that name the host."""

_WHERE: Final = ("profile", "profiles_file")
"""The settings that say whose values are read; without them, the common ones may be another company's."""

_KUBERNETES: Final = re.compile(r"(.+_)?(service_(host|port(_.+)?)|port(_[0-9]+_(tcp|udp|sctp)(_(proto|port|addr))?)?)")
"""What Kubernetes sets in every container of a namespace that has a service with a name such as `procountor-token`."""

_ENVIRONMENT_WORD: Final = "environment|environ|env|staging|stage|sandbox|testing|tests|test|production|prod|live|demo"

_HOST_WORD: Final = "urls?|uris?|hosts?|hostname|domain|servers?|endpoints?|address|fqdn"

_FILLER: Final = "api|base|use|is|mode|target|default|root|name|service|backend|http|https|web|rest|oauth|auth|[_-]"

_SPEAKS_OF_HOST: Final = re.compile(
    f"(?:{_FILLER})*(?:{_ENVIRONMENT_WORD}|{_HOST_WORD})(?:{_FILLER}|{_ENVIRONMENT_WORD}|{_HOST_WORD})*"
)
"""Made of nothing but such words: `api_url` and `testmode` are, `redirect_url` and `database_host` are not."""


_PLACES: Final = {name.removeprefix(PREFIX).lower(): name for name in (ENV_FILE, SECRETS_DIR)}
"""The names that say where variables are read; they are no settings themselves."""


def without_unknown(
    values: dict[str, Any], fields: Collection[str], own: Mapping[str, bool], needed: Collection[str]
) -> tuple[dict[str, Any], list[Problem]]:
    """Take out the names that no setting has: each is a problem, or gets a line in the log.

    Args:
        values: What was found, by the settings' names.
        fields: The names of all settings.
        own: The names that only the chosen strategy knows, and whether each is there.
        needed: The names of the settings that the chosen strategy asks with.
    """
    known = {name: value for name, value in values.items() if name in fields}
    host_named = any(name in known for name in _HOST)
    needed = [name for name in needed if name not in known and not own.get(name)]
    deciding = [name for name in (*_WHERE, *(() if host_named else _HOST)) if name not in known]
    deciding += [setting for setting, variable in _PLACES.items() if not os.environ.get(variable)]
    problems = []
    for name in sorted(values.keys() - known.keys()):
        meant = _nearest(name, needed) or _nearest(name, deciding, _MIN_SIMILARITY_UNNEEDED)
        if _KUBERNETES.fullmatch(name):
            _logger.debug("%s%s, as Kubernetes sets it, is no setting", PREFIX, name.upper())
        elif meant:
            problems.append(_unknown(name, f": did you mean {variable_named(meant)}?"))
        elif not host_named and _SPEAKS_OF_HOST.fullmatch(name):
            problems.append(_unknown(name, _would_be_production(name)))
        else:
            nearest = _nearest(name, [*fields, *own])
            shown = variable_named(name) if nearest or shown_name(name) else f"A name after {PREFIX} that is not shown"
            resembles = f": did you mean {variable_named(nearest)}?" if nearest else ""
            _logger.warning("%s is no setting of procountor_auth and is ignored%s", shown, resembles)
    return known, problems


def _nearest(name: str, names: Collection[str], similarity: float = _MIN_SIMILARITY) -> str | None:
    found = difflib.get_close_matches(name, names, n=1, cutoff=similarity)
    return found[0] if found else None


def _unknown(name: str, rest: str) -> Problem:
    return Problem(variable_named(name), "unknown", f"{variable_named(name)} is unknown{rest}")


def _would_be_production(name: str) -> str:
    meant = [variable_named(each) for each in _HOST]
    if re.search(_ENVIRONMENT_WORD, name):
        meant.reverse()
    return f", and without it the host is {PRODUCTION}, which is production: did you mean {meant[0]}, or {meant[1]}?"
