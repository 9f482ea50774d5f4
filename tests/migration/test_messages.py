"""What a migration says of what is in the way, word by word."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import jwt

from procountor_auth.migration.check import check
from procountor_auth.migration.rehearsal import _compared
from procountor_auth.settings.profiles import Profiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]


def test_a_company_that_is_reached_is_compared() -> None:
    """Another company than today's, or one that nothing can be compared with, is named with what to do."""
    reached = SimpleNamespace(
        token=SimpleNamespace(strategy="client_credentials"), session=SimpleNamespace(company_id=7)
    )
    assert _compared(7, reached) == []  # type: ignore[arg-type]  # what is looked at
    (unknown,), (other,) = _compared(None, reached), _compared(8, reached)  # type: ignore[arg-type]
    assert (unknown.code, unknown.variable) == ("company_unknown", "PROCOUNTOR_COMPANY")
    assert unknown.message == (
        "client_credentials reaches company 7; without PROCOUNTOR_COMPANY, it is unknown whether that is the right one"
    )
    assert unknown.hint == "Set PROCOUNTOR_COMPANY, or rehearse without --target-only."
    assert (other.code, other.message, other.hint) == (
        "other_company",
        "client_credentials reaches company 7, but the current strategy reaches company 8",
        "Use a key of the right company, or log in to it.",
    )


def test_a_refresh_token_that_has_ended_is_no_login(sandbox: Sandbox, environment: Environment, tmp_path: Path) -> None:
    """A configured refresh token that says it has ended is in the way, and one that has not is not."""
    for seconds, said in (
        (60, []),
        (-60, ["authorization_code needs a user's login: PROCOUNTOR_REFRESH_TOKEN has expired"]),
    ):
        token = jwt.encode({"exp": int(time.time()) + seconds}, "k" * 32)
        environment(
            sandbox.environment("authorization_code")
            | sandbox.environment("legacy_password")
            | {"PROCOUNTOR_REFRESH_TOKEN": token, "PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
        )
        found = check(Profiles.search(), None, "authorization_code")
        assert [reason.message for reason in found.reasons] == said
