"""The pytest plugins of other packages, without which a pytest in a test starts several times as fast."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

NO_OTHERS: Final = tuple(
    f"-pno:{each.name}" for each in entry_points(group="pytest11") if not each.value.startswith("procountor_auth.")
)
"""Options of pytest that leave this project's own plugin alone."""
