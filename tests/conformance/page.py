"""Writes docs/conformance.md from the rules: `python -m tests.conformance.page` in the project's folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from .rules import RULES, Rule

PAGE: Final = Path(__file__).parents[2] / "docs" / "conformance.md"

_HEAD: Final = """# Conformance

What the standards ask of a client such as this one, row by row, with the tests that fail if a row does not hold.
The standards: RFC 6749 (OAuth 2.0), 6750 (bearer tokens), 6819 (threats), 7636 (PKCE), 8252 (native apps), 9068
(JWT access tokens), 9207 (issuer identification), 9700 (security best practice). The letters [D], [C] and [?] say
how sure we are of a fact about the service: its documentation says so, public clients do so, it is open.

This page is written by `make conformance` from `tests/conformance/rules.py`; a test fails if it is not what the rules
say, or if a test that it names is not there.

Rows 4 to 12, 15, 16, 28 and 37 are also tried against a server that this project did not write, the certified Node
`oidc-provider`: the authorization code flow with PKCE, refresh tokens with rotation, and client credentials, in
[test_oidc_provider.py](../tests/foreign/test_oidc_provider.py).

| | What must hold | Source | Held by |
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
