"""What to install if a package of an extra is missing."""

from __future__ import annotations

import sys

from .message import say

_SANDBOX_PACKAGES = frozenset({"flask"})
_BRIDGE_PACKAGES = frozenset({"argon2", "python_multipart", "starlette", "uvicorn"})
_EXTRA_PACKAGES = frozenset({"rich", "typer"}) | _SANDBOX_PACKAGES | _BRIDGE_PACKAGES


def exit_if_extra_is_missing(error: ModuleNotFoundError) -> None:
    """If a package of the extra is missing, print what to install, and exit with status 2."""
    package = (error.name or "").partition(".")[0]
    if package in _EXTRA_PACKAGES:
        # Only the sandbox itself needs its dependencies; other commands and `sandbox faults` work without them.
        is_sandbox = sys.argv[1:2] == ["sandbox"] and sys.argv[2:3] != ["faults"]
        extra = "sandbox" if package in _SANDBOX_PACKAGES or is_sandbox else "cli"
        if package in _BRIDGE_PACKAGES or sys.argv[1:2] == ["bridge"]:
            extra = "bridge"
        say(f"procountor-auth needs its command line extra: pip install 'procountor-auth[{extra}]'")
        raise SystemExit(2) from None
