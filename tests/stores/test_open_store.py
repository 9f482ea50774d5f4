"""What `PROCOUNTOR_TOKEN_STORE` may say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.stores import VARIABLE, open_spent_tokens, open_store
from procountor_auth.stores.file import FileStore

if TYPE_CHECKING:
    from procountor_auth.protocol.token import Token


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("memory", "<MemoryStore>"),
        ("keyring", "<KeyringStore>"),
        ("redis://:CANARY@host:1/2", "<RedisStore host:1/2, plain>"),
        ("rediss://host", "<RedisStore host:6379/0, plain>"),
        ("unix:///run/redis.sock", "<RedisStore /run/redis.sock/0, plain>"),
        ("file:/srv/tokens", "<FileStore /srv/tokens, plain>"),
    ],
)
def test_each_store_is_opened_by_its_name(where: str, shown: str) -> None:
    """The variable picks the store, and the store shows what it is and where, without a password."""
    assert repr(open_store(where)) == shown
    assert repr(open_store(SecretStr(where))) == shown


def test_a_file_store_has_a_default_folder_and_knows_the_home(tmp_path: Path) -> None:
    """`file` is in this user's state folder, and `~` in a path is this user's home."""
    default, home = open_store("file"), open_store("file:~/tokens")
    assert isinstance(default, FileStore)
    assert isinstance(home, FileStore)
    assert default.folder.is_relative_to(tmp_path)
    assert home.folder == Path.home() / "tokens"


@pytest.mark.parametrize("where", ["redis://host", "postgresql://host/x", "sqlite:////srv/tokens.db"])
def test_a_server_has_the_time_that_it_is_given(where: str) -> None:
    """A store that may have to wait for an answer knows how long at most."""
    assert vars(open_store(where, timeout=1.5))["_timeout"] == 1.5


def test_keys_seal(tmp_path: Path, two_keys: tuple[SecretStr, ...], token: Token) -> None:
    """With keys, a store is sealed; a wrong key is refused before anything is written."""
    where = f"file:{tmp_path / 'tokens'}"
    store = open_store(where, two_keys)
    with store.transaction("a", timeout=1) as transaction:
        transaction.write(token)
    assert repr(store).endswith("tokens, sealed>")
    assert b"CANARY" not in (tmp_path / "tokens" / "a.json").read_bytes()
    urls = ("redis://host", "redis+cluster://host", f"sqlite:///{tmp_path / 'tokens.db'}", "postgresql://host/x")
    assert all(repr(open_store(each, two_keys)).endswith(", sealed>") for each in urls)
    for each in (where, "keyring", *urls):
        with pytest.raises(ConfigurationError, match="PROCOUNTOR_TOKEN_STORE_KEY"):
            open_store(each, (SecretStr("short"),))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("file:~CANARY/x", "names a folder of a user that does not exist"),
        ("file:\0CANARY", "names a folder that can't exist"),
        *(
            (where, "describes no token store")
            for where in ("", "CANARY", "Memory", "memory:", "keyring:CANARY", "file:", "files", "redis", " memory")
        ),
        ("http://CANARY", "describes no token store"),
        ("REDIS://:CANARY@host", "describes no token store"),
    ],
)
def test_what_describes_no_store_is_refused(where: str, said: str) -> None:
    """Anything else is an error that names the variable and the choices, and not the value."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(where)
    assert caught.value.problems == (Problem(VARIABLE, "invalid", f"{VARIABLE} {said}"),)
    assert caught.value.hint == (
        f"Set {VARIABLE} to memory, file, file:PATH, keyring, or the URL of a Redis (redis://, rediss://, unix://) or "
        "a database (postgresql+psycopg://, sqlite:///)."
    )
    assert "CANARY" not in str(caught.value) + caught.value.json()
    assert caught.value.__context__ is None


def test_a_url_of_redis_without_a_host_is_refused() -> None:
    """A password that was not written as %XX is not shown, and the error says how to write it."""
    with pytest.raises(ConfigurationError) as caught:
        open_store("redis:CANARY")
    said = "has no host; a special character in the password may be the reason"
    assert caught.value.problems == (Problem(VARIABLE, "invalid", f"{VARIABLE} {said}"),)
    assert caught.value.hint.startswith("Write it as rediss://USER:PASSWORD@HOST:PORT/NUMBER, with ")
    assert "CANARY" not in str(caught.value) + caught.value.json()


@pytest.mark.parametrize(
    ("where", "package", "extra", "said"),
    [
        ("file", "filelock", "file", "file needs filelock and platformdirs"),
        ("file", "platformdirs", "file", "file needs filelock and platformdirs"),
        ("keyring", "keyring", "keyring", "keyring needs keyring, filelock and platformdirs"),
        ("keyring", "filelock", "keyring", "keyring needs keyring, filelock and platformdirs"),
        ("keyring", "platformdirs", "keyring", "keyring needs keyring, filelock and platformdirs"),
        ("redis://:CANARY@host", "redis", "redis", "redis://… needs redis"),
        *(
            ("sqlite:///CANARY.db", package, "sql", "a database needs sqlalchemy, psycopg, filelock and platformdirs")
            for package in ("sqlalchemy", "filelock", "platformdirs")
        ),
        (
            "postgresql+psycopg://u:CANARY@host/x",
            "psycopg",
            "sql",
            "a database needs sqlalchemy, psycopg, filelock and platformdirs",
        ),
    ],
)
def test_a_missing_package_is_named(
    where: str, package: str, extra: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store whose package is not installed is an error that says what to install."""
    ours = ("procountor_auth.stores.", "procountor_auth.settings.keychain")
    for module in [name for name in sys.modules if name.startswith(ours)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError) as caught:
        open_store(where)
    assert caught.value.problems == (Problem(VARIABLE, "invalid", f"{VARIABLE}={said}"),)
    assert caught.value.hint == f"Run: pip install 'procountor-auth[{extra}]'"
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None


def test_memory_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default store works with none of the extras."""
    for module in [name for name in sys.modules if name.startswith("procountor_auth.stores.")]:
        monkeypatch.delitem(sys.modules, module)
    for package in ("filelock", "platformdirs", "keyring", "redis", "cryptography.fernet"):
        monkeypatch.setitem(sys.modules, package, None)
    assert open_store("memory").read("a") is None


def test_without_a_home_nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spent refresh tokens are remembered in this user's state folder, and nowhere if there is none."""
    assert open_spent_tokens() is not None
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "relative")
    assert open_spent_tokens() is None
