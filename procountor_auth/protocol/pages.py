"""The URLs of the project's pages, for messages of an installed package, which does not contain these files."""

from __future__ import annotations

from typing import Final

BASE: Final = "https://procountor-auth.readthedocs.io/"

MIGRATION: Final = f"{BASE}migration/"

STORES: Final = f"{BASE}stores/"
