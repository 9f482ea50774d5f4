"""Why a reference to a secret can't be followed."""

from __future__ import annotations

from typing import NamedTuple


class Unfollowed(NamedTuple):
    """Why a reference can't be followed. It contains neither the secret nor the reference."""

    what: str
    """The problem, as text that continues the name of the variable."""

    hint: str
    """What to do."""
