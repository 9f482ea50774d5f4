"""The HTTP library that tokens are fetched with: `httpx2` where it is installed, else `httpx`.

httpx2 is the maintained continuation of httpx, with the same names. This is the one place that decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx as backend
else:
    try:
        import httpx2 as backend
    except ImportError:
        import httpx as backend

__all__ = ["backend"]
