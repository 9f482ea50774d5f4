"""A configuration as variables, and as the arguments of `Settings`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def arguments(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `Settings` that say what the variables say."""
    return {name.removeprefix("PROCOUNTOR_").lower(): value for name, value in variables.items()}


def inherited() -> dict[str, str]:
    """Return the environment for a program, without what is this interpreter's own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
