"""Accepts a `PROCOUNTOR_BASE_URL` that includes the path of the API and its version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from procountor_auth.errors import Problem
from procountor_auth.settings.validators import VERSION, check_version, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

_WITH_PATH: Final = re.compile(rf"(?P<host>[^?#]+?)(?:/(?P<version>{VERSION}))?/api/?")


def without_api_path(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the settings with only the host as the base URL, and the version in its path as the API version.

    Args:
        values: The settings' values, before they are validated.

    Returns:
        The values, and a problem if the version contradicts `PROCOUNTOR_API_VERSION`.
    """
    values = dict(values)
    url = plain(values.get("base_url"))
    found = _WITH_PATH.fullmatch(url) if isinstance(url, str) else None
    if found is None:
        return values, []
    values["base_url"] = SecretStr(found["host"])
    if found["version"] is None:
        return values, []
    version, named = check_version(found["version"]), plain(values.get("api_version"))
    if named:
        try:
            contradicts = check_version(named) != version
        except ValueError:
            contradicts = False  # reported separately
        variable = "PROCOUNTOR_BASE_URL"
        message = f"{variable} contains a different version than PROCOUNTOR_API_VERSION: set only one of them"
        return values, [Problem(variable, "invalid", message)] if contradicts else []
    values["api_version"] = SecretStr(version)
    return values, []
