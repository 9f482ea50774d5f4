"""Look up the known vulnerabilities of what is installed, and say clearly if that can't be done.

Usage: audit.py PIP_AUDIT SITE_PACKAGES

pip-audit skips a package that its database does not answer for, and says "no known vulnerabilities" then: a machine
that reaches a package index but not the database would look safe. So a package whose vulnerabilities have been known
for years is looked up first. Only if they are found is the rest worth anything.

Ends with status 0 if nothing is known, 1 if something is, 2 if nothing could be looked up.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

KNOWN: Final = "jinja2==2.4.1"
"""Its vulnerabilities, such as CVE-2014-1402, are in every database."""

FOUND: Final = 1
NOT_LOOKED_UP: Final = 2

OWN: Final = "procountor-auth"


def main(pip_audit: str, site_packages: str) -> int:
    """Return the status to end with."""
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "known.txt"
        known.write_text(f"{KNOWN}\n", "utf-8")
        canary = look_up(pip_audit, "--requirement", str(known), "--no-deps", "--disable-pip")
    if canary is None or not any(package.get("vulns") for package in canary):
        say(
            f"Nothing was audited: the database of vulnerabilities can't be reached from here ({KNOWN} has known ones, "
            "and none was found). Run this where it can be reached."
        )
        return NOT_LOOKED_UP
    packages = look_up(pip_audit, "--path", site_packages)
    if packages is None:
        say("Nothing was audited: pip-audit failed.")
        return NOT_LOOKED_UP
    skipped = [package["name"] for package in packages if "skip_reason" in package and package["name"] != OWN]
    vulnerable = [package for package in packages if package.get("vulns")]
    for package in vulnerable:
        for each in package["vulns"]:
            fixed = ", ".join(each.get("fix_versions", [])) or "none yet"
            say(f"{package['name']} {package['version']}: {each['id']}; fixed in: {fixed}")
    if skipped:
        say(f"Not audited, as the database did not answer for them: {', '.join(sorted(skipped))}.")
    audited = sum("skip_reason" not in package for package in packages)
    say(f"Packages audited: {audited}; with known vulnerabilities: {len(vulnerable)}.")
    if vulnerable:
        return FOUND
    return NOT_LOOKED_UP if skipped else 0


def look_up(pip_audit: str, *arguments: str) -> list[dict[str, Any]] | None:
    """Return what pip-audit says of each package, or None if it failed."""
    done = subprocess.run(
        [pip_audit, "--format", "json", "--progress-spinner", "off", "--timeout", "30", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer = json.loads(done.stdout)
        packages: list[dict[str, Any]] = answer["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    return packages


def say(line: str) -> None:
    """Write a line on standard output."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
