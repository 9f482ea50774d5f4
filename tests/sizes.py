"""How much of a thing a test does: enough to find the fault in `make check`, all of it in `make test-long`."""

from __future__ import annotations

import os
from typing import Final, TypeVar

T = TypeVar("T")

LONG: Final = bool(os.environ.get("PROCOUNTOR_AUTH_LONG"))
"""Whether the full counts run. Read once: a fixture takes every variable of ours away from the tests themselves."""

ROWS: Final = int(os.environ.get("PROCOUNTOR_AUTH_ROWS", "0"))
"""How many rows of each table are run, of those that take long; 0 is all of them. See tests/rows.py."""


def size(few: T, full: T) -> T:
    """Return how much of something is done: `few`, or `full` in the long run."""
    return full if LONG else few
