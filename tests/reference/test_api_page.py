"""docs/api.md has every public name."""

from __future__ import annotations

import re
from typing import Final

import procountor_auth
from procountor_auth import sandbox, strategies

from .scripts import DOCS

NAMED: Final = frozenset(
    re.findall(r"^::: procountor_auth\.(\S+)$", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE)
)


def test_every_export_is_on_the_page() -> None:
    """Each name that users import is described, by itself or with its module, which is then there as a whole."""
    exported = set(procountor_auth.__all__) - {"ConfigurationError", "InteractionRequired", "ProcountorAuthError"}
    assert exported <= NAMED
    assert {f"sandbox.{name}" for name in sandbox.__all__} <= NAMED
    others = set(strategies.__all__) - exported
    assert {f"strategies.{name}" for name in others} <= NAMED
    clients = {f"{library}.ProcountorAuth" for library in ("httpx", "httpx2", "requests")}
    assert {"errors", "events", "stores.Store", "stores.compliance.StoreCompliance"} | clients <= NAMED
