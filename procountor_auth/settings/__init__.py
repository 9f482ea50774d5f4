"""The settings from the environment, and the places that they are read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.protocol.importing import load

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["Settings"]


def __getattr__(name: str) -> object:
    # Imported on first use: it imports pydantic-settings, which the other modules here don't need.
    return load(__name__, {"Settings": "settings.settings"}, name)
