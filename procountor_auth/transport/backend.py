"""The HTTP library that tokens are fetched with: `httpx2` where it is installed, else `httpx`.

httpx2 is the maintained continuation of httpx, with the same names. This is the one module that decides.

What the library imports with its first request is imported here: that request is sent by a thread of its own, and a
process that is forked while another thread imports would wait for that import for ever.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - see above: looking up a host name imports it
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx as backend
else:
    try:
        import httpcore2  # noqa: F401
        import httpx2 as backend
    except ImportError:
        import httpx as backend

__all__ = ["backend"]
