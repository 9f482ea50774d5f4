"""What the environment decides."""

from .settings import Settings

__all__ = ["Settings"]
