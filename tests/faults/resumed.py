"""The faults of the token endpoint that meet a login which was saved in one process and resumed in another."""

from __future__ import annotations

from typing import Final

from .tables import TOKEN_ENDPOINT

_IDS: Final = frozenset(
    {"fields-all-right", "transport-hung-up", "status-400-errors-invalid-grant", "status-401-errors-invalid-client"}
)

IN_ANOTHER_PROCESS: Final = tuple(fault for fault in TOKEN_ENDPOINT if fault.id in _IDS)
"""A token, and an error of each kind. Another source in the same process meets all faults."""
