"""Writes docs/conformance.md from the rules: `python -m tests.conformance.page` in the project's folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .rules import RULES

if TYPE_CHECKING:
    from .rule import Rule

PAGE: Final = Path(__file__).parents[2] / "docs" / "conformance.md"

_HEAD: Final = """# Conformance

This page lists what the standards require of a client like this one, with the tests that verify each requirement:
RFC 6749 (OAuth 2.0), 6750 (bearer tokens), 6819 (threats), 7636 (PKCE), 8252 (native apps), 9068 (JWT access tokens),
9207 (issuer identification) and 9700 (security best practice). [service.md](service.md) says how
certain the facts about the service are.

`make conformance` writes this page from `tests/conformance/rules.py`; a test fails if the page differs from the rules
or names a test that does not exist. Rows 43 to 53 are about the bridge, which is a server for old programs.

Rows 4 to 12, 15, 16, 28 and 37 are also tested against a third-party server, the certified Node `oidc-provider`: the
authorization code flow with PKCE, refresh tokens with rotation, and client credentials, in
[test_oidc_provider.py](../tests/foreign/test_oidc_provider.py).

| | Requirement | Source | Tests |
|---|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    return _HEAD + "".join(_row(rule) for rule in RULES)


def _row(rule: Rule) -> str:
    by_file: dict[str, list[str]] = {}
    for path, name in rule.tests:
        by_file.setdefault(path, []).append(f"`{name}`")
    held = "; ".join(f"[{path}](../tests/{path}): {', '.join(names)}" for path, names in by_file.items())
    text = f"{rule.text} {rule.note}".strip()
    return f"| {rule.number} | {text} | {rule.source} | {held} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{len(RULES)} rows in {PAGE.name}\n")
