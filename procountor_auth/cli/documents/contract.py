"""The documents that commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .bridge import BridgeDocument, RevokeDocument
from .migration import CheckDocument, FinishDocument, MigrationStatusDocument, PlanDocument, RehearsalDocument
from .sandbox import FaultsDocument, SandboxDocument
from .store import StoreListDocument, StorePruneDocument
from .tokens import DoctorDocument, KeyDocument, LoginDocument, LogoutDocument, StatusDocument, TokenDocument

if TYPE_CHECKING:
    from .base import Document

DOCUMENTS: Final[dict[str, type[Document]]] = {
    "doctor": DoctorDocument,
    "status": StatusDocument,
    "token": TokenDocument,
    "login": LoginDocument,
    "logout": LogoutDocument,
    "key create": KeyDocument,
    "store list": StoreListDocument,
    "store prune": StorePruneDocument,
    "migrate check": CheckDocument,
    "migrate rehearse": RehearsalDocument,
    "migrate plan": PlanDocument,
    "migrate status": MigrationStatusDocument,
    "migrate finish": FinishDocument,
    "bridge": BridgeDocument,
    "bridge revoke": RevokeDocument,
    "sandbox": SandboxDocument,
    "sandbox faults": FaultsDocument,
}
"""The documents, by the commands that print them with `--json`."""
