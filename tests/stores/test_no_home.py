"""A user without a home directory: a container that runs as a number that nobody has given a name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from procountor_auth import TokenSource
from procountor_auth.errors import ConfigurationError
from procountor_auth.migration.results import RehearsalResults

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this user's home directory away."""
    pwd = pytest.importorskip("pwd")

    def nobody(*_: object) -> NoReturn:
        raise KeyError("getpwuid(): uid not found")

    for name in [name for name in os.environ if name == "HOME" or name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", nobody)


@pytest.mark.parametrize("store", ["file", "keyring"])
def test_a_store_of_this_user_s_says_what_to_set(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None], store: str
) -> None:
    """Without a home there is no folder for the default store: the error names the variables, and nothing is made."""
    environment(sandbox.environment("client_credentials") | {"PROCOUNTOR_TOKEN_STORE": store})
    with pytest.raises(ConfigurationError, match=r"PROCOUNTOR_TOKEN_STORE .*no home directory") as caught:
        TokenSource.from_env()
    assert "file:/path" in caught.value.hint
    assert list(Path().iterdir()) == []


@pytest.mark.server
def test_tokens_come_without_a_home(sandbox: Sandbox, environment: Callable[[dict[str, str]], None]) -> None:
    """A store that needs none works."""
    environment(sandbox.environment("authorization_code", refresh_token=True))
    assert TokenSource.from_env().token().strategy == "authorization_code"
    assert list(Path().iterdir()) == []


def test_the_record_of_rehearsals_says_so() -> None:
    """A command that writes something down is refused with a reason, and with what helps it."""
    with pytest.raises(ConfigurationError, match="no home directory") as caught:
        RehearsalResults.default()
    assert caught.value.hint == "Name a file with --record, or set HOME or XDG_STATE_HOME."
    assert caught.value.__context__ is None
