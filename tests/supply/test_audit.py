"""The audit says what is known, and never takes silence for safety. pip-audit is played: its database is elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Audit = Callable[..., tuple[int, str]]

pytestmark = pytest.mark.once

PROGRAM: Final = Path(__file__).with_name("audit.py")

CANARY: Final = {"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "CVE-2014-1402", "fix_versions": ["2.7.2"]}]}
SAFE: Final = {"name": "httpx", "version": "0.28.1", "vulns": []}
VULNERABLE: Final = {"name": "requests", "version": "2.19", "vulns": [{"id": "CVE-2018-18074", "fix_versions": []}]}
SKIPPED: Final = {"name": "jinja2", "skip_reason": "Dependency not found"}
OURS: Final = {"name": "procountor-auth", "skip_reason": "Dependency not found"}


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """Run the audit with a pip-audit that answers this for the canary, and that for what is installed."""

    def run(canary: Any, installed: Any = None) -> tuple[int, str]:  # noqa: ANN401 - whatever it prints
        (tmp_path / "canary").write_text(canary if isinstance(canary, str) else json.dumps({"dependencies": canary}))
        (tmp_path / "installed").write_text(json.dumps({"dependencies": installed or []}))
        pip_audit = tmp_path / "pip-audit"
        pip_audit.write_text(
            f"#!{sys.executable}\n"
            "import pathlib, sys\n"
            "which = 'installed' if '--path' in sys.argv else 'canary'\n"
            "print((pathlib.Path(__file__).parent / which).read_text())\n"
            "sys.exit(1)\n"  # as pip-audit does where it found something; only what it printed counts
        )
        pip_audit.chmod(0o700)
        done = subprocess.run(
            [sys.executable, str(PROGRAM), str(pip_audit), "site-packages"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.parametrize("canary", [[SKIPPED], [], [{**CANARY, "vulns": []}], "", "a traceback", "[]"])
def test_without_a_database_nothing_was_audited(audit: Audit, canary: Any) -> None:  # noqa: ANN401 - see `run`
    """Where a vulnerability that everybody knows is not found, the audit says that it has looked up nothing."""
    status, said = audit(canary, [SAFE])
    assert (status, said.count("\n")) == (2, 1)
    assert said.startswith("Nothing was audited: the database of vulnerabilities can't be reached from here")


def test_what_is_known_is_told(audit: Audit) -> None:
    """A vulnerable package is named with its vulnerability, and the audit fails."""
    status, said = audit([CANARY], [SAFE, VULNERABLE, OURS])
    assert status == 1
    assert "requests 2.19: CVE-2018-18074; fixed in: none yet\n" in said
    assert "Packages audited: 2; with known vulnerabilities: 1.\n" in said


def test_all_is_well(audit: Audit) -> None:
    """With a database that answers and knows of nothing, the audit passes; this package itself need not be in it."""
    assert audit([CANARY], [SAFE, OURS]) == (0, "Packages audited: 1; with known vulnerabilities: 0.\n")


def test_what_was_not_looked_up_is_no_success(audit: Audit) -> None:
    """A package that the database does not answer for is named, and the audit does not pass."""
    status, said = audit([CANARY], [SAFE, SKIPPED])
    assert status == 2
    assert "Not audited, as the database did not answer for them: jinja2.\n" in said
