"""Checks of the API key: whether its claims match the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.tokens.key_claims import KeyClaims

if TYPE_CHECKING:
    from procountor_auth.tokens.provider import TokenProvider

    from .check import Findings, State


def check_key(findings: Findings, provider: TokenProvider, *, now: float, offline: bool) -> None:
    """Compare the key's claims with the configuration. They are unverified; online, the server's response decides.

    Args:
        findings: Where the results go.
        provider: Where programs get their tokens.
        now: The time, in Unix seconds.
        offline: Whether this is the only check of the key.
    """
    claims = KeyClaims.of(provider)
    if claims is None:
        return
    in_the_way: State = "failed" if offline else "warning"
    problems = claims.problems(now)
    for problem in problems:
        findings.add("API key", in_the_way if problem.in_the_way else "warning", problem.message, problem.hint)
    stranger = provider.company.stranger_of(provider.strategy)
    if stranger is not None:
        wrong = provider.company.wrong_credential(provider.strategy, stranger)
        findings.add("API key", in_the_way, wrong.message, wrong.hint)
    facts = claims.facts()
    if facts and stranger is None and not problems:
        findings.add("API key", "ok", f"it claims to be for {', '.join(facts)}")
