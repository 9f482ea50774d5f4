"""A stored token that can't be opened here is no dead end, and is never overwritten by accident."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from procountor_auth import TokenSource
from procountor_auth.errors import UnreadableEntry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]
    Seal = Callable[..., Path]

KEYS = tuple(Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture(params=["", KEYS[1]], ids=["no-key", "another-key"])
def seal(
    request: pytest.FixtureRequest, sandbox: Sandbox, environment: Environment, tmp_path: Path
) -> Callable[..., Path]:
    """Have a program store a token with a key, then configure another key or none; return the entry's path."""

    def store(strategy: str) -> Path:
        variables = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
        variables |= {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path}/tokens", "PROCOUNTOR_LEGACY_POLICY": "allow"}
        environment(variables | {"PROCOUNTOR_TOKEN_STORE_KEY": KEYS[0]})
        TokenSource.from_env().token()
        environment(variables | ({"PROCOUNTOR_TOKEN_STORE_KEY": request.param} if request.param else {}))
        sandbox.clear_log()
        [entry] = (tmp_path / "tokens").glob("*.json")
        return entry

    return store


@pytest.mark.parametrize("strategy", ["client_credentials", "legacy_password"])
def test_a_strategy_that_needs_no_person_goes_on(
    sandbox: Sandbox,
    seal: Seal,
    strategy: str,
    token_requests: Callable[[Sandbox], list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It gets a token of its own, once, says where the entry is, and leaves that to whoever has the key."""
    entry = seal(strategy)
    sealed = entry.read_bytes()
    source = TokenSource.from_env()
    with caplog.at_level(logging.WARNING, "procountor_auth"):
        first = source.token()
    assert source.token() == first
    assert len(token_requests(sandbox)) == 1
    assert f"It is in {entry}." in caplog.text
    assert entry.read_bytes() == sealed
    assert source.renew(first) != first


def test_a_login_is_not_replaced_by_itself(sandbox: Sandbox, seal: Seal) -> None:
    """A refresh token that others may share is not used past them: the error says where the entry is."""
    entry = seal("authorization_code")
    sealed = entry.read_bytes()
    with pytest.raises(UnreadableEntry, match="PROCOUNTOR_TOKEN_STORE_KEY") as refused:
        TokenSource.from_env().token()
    assert f"It is in {entry}." in refused.value.message
    assert "procountor-auth logout" in refused.value.hint
    assert not refused.value.retryable
    assert entry.read_bytes() == sealed
    assert sandbox.log() == []


def test_invalidate_removes_it(seal: Seal) -> None:
    """Whoever invalidates it gets a new entry, which this program can open."""
    entry = seal("client_credentials")
    source = TokenSource.from_env()
    first = source.token()
    source.invalidate()
    assert not entry.exists()
    second = source.token()
    assert second != first
    assert entry.exists()
    assert TokenSource.from_env().token() == second


def test_invalidate_forgets_what_stood_in(seal: Seal) -> None:
    """The token that was got without the store is forgotten as well, where the entry can't be removed."""
    entry = seal("client_credentials")
    source = TokenSource.from_env()
    first = source.token()
    sealed = entry.read_bytes()
    source.invalidate()
    entry.write_bytes(sealed)  # somebody with the key has written it again
    assert source.token() != first
