"""What to install where a package of an extra is missing."""

from __future__ import annotations

import sys

_SANDBOX_PACKAGES = frozenset({"flask", "flask_bootstrap"})
_EXTRA_PACKAGES = frozenset({"rich", "typer"}) | _SANDBOX_PACKAGES


def exit_if_extra_is_missing(error: ModuleNotFoundError) -> None:
    """Say in one line what to install, and exit with status 2, if a package of the extra is missing."""
    package = (error.name or "").partition(".")[0]
    if package in _EXTRA_PACKAGES:
        # The other commands can do without what the sandbox is built on, and so can `sandbox faults`.
        is_sandbox = sys.argv[1:2] == ["sandbox"] and sys.argv[2:3] != ["faults"]
        extra = "sandbox" if package in _SANDBOX_PACKAGES or is_sandbox else "cli"
        sys.stderr.write(f"procountor-auth needs its command line extra: pip install 'procountor-auth[{extra}]'\n")
        raise SystemExit(2) from None
