"""API keys in the keychain: `PROCOUNTOR_API_KEY=keyring:NAME`."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final, NoReturn

import keyring
import keyring.backends.fail
import keyring.errors
import pytest
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from procountor_auth import Settings
from procountor_auth.errors import ConfigurationError, Problem, StoreError, StoreUnavailable
from procountor_auth.settings import secret_reference as pointer
from procountor_auth.strategies import build
from procountor_auth.tokens.entry_key import entry_key

if TYPE_CHECKING:
    from procountor_auth.strategies import Strategy

NAME: Final = "name-CANARY"


def described(api_key: str) -> Settings:
    """Describe a client with an API key."""
    return Settings(
        strategy="client_credentials",
        client_id="client-1",
        client_secret="cl13nt",
        redirect_uri="redirect-uri-placeholder",
        api_key=api_key,
    )


def strategy(api_key: str) -> Strategy:
    """Build the strategy from an API key or a pointer to one."""
    return build(described(api_key))


def test_a_pointer_leads_to_the_key(keychain: KeyringBackend) -> None:
    """What was kept under a name is what the strategy uses, and tokens are stored where the key's own are."""
    assert pointer.keep(NAME, SecretStr("k3y")) == f"keyring:{NAME}"
    assert keychain.get_password("procountor-auth", NAME) == "k3y"
    assert strategy(f"keyring:{NAME}").identity() == ("k3y",)
    assert entry_key(strategy(f"keyring:{NAME}")) == entry_key(strategy("k3y"))
    assert described(f"keyring:{NAME}").required("api_key").get_secret_value() == "k3y"


def test_a_key_itself_asks_no_keychain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a pointer the keyring package is not needed."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.delitem(sys.modules, "procountor_auth.settings.keychain", raising=False)
    assert strategy("k3y").identity() == ("k3y",)


class Raising(KeyringBackend):
    """A keychain that raises."""

    priority = 1

    def __init__(self, error: BaseException) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's
        self.error = error

    def get_password(self, service: str, username: str) -> NoReturn:
        """Raise it, with the name as real keychains do."""
        self.error.args = (f"{service}/{username}",)
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> NoReturn:  # noqa: ARG002
        """Raise it."""
        self.error.args = (password,)
        raise self.error


class Binary(Raising):
    """A keychain that returns bytes."""

    def get_password(self, service: str, username: str) -> Any:  # noqa: ANN401 - that is the point
        """Return bytes, with the name in them."""
        return f"{service}/{username}".encode()


class PlaintextKeyring(Raising):
    """What keyrings.alt calls a keychain that anybody can read."""


_INSTEAD: Final = (
    "Unlock or install a keychain (on Linux: GNOME Keyring or KWallet), choose another backend with "
    "PYTHON_KEYRING_BACKEND, or set PROCOUNTOR_API_KEY to "
)
_CREATE: Final = "Create a key with `procountor-auth key create --keyring`, and set the variable that it prints."


@pytest.mark.parametrize(
    ("backend", "kind", "said", "hint"),
    [
        (
            Raising(keyring.errors.KeyringLocked()),
            StoreUnavailable,
            ": The keychain is locked.",
            "Unlock it and try again.",
        ),
        (Raising(OSError()), StoreError, ": The keychain failed (OSError).", f"{_INSTEAD}the secret itself."),
        (
            Raising(keyring.errors.NoKeyringError()),
            StoreError,
            ": The keyring package finds no keychain on this machine.",
            f"{_INSTEAD}the secret itself.",
        ),
        (
            Binary(OSError()),
            StoreError,
            ": The keychain returned something else than text (bytes).",
            "Choose another backend with PYTHON_KEYRING_BACKEND, or set PROCOUNTOR_API_KEY to the secret itself.",
        ),
        (
            keyring.backends.fail.Keyring(),  # type: ignore[no-untyped-call]
            StoreError,
            ": The keyring package would use keyring.backends.fail.Keyring, which stores nothing.",
            f"{_INSTEAD}the secret itself.",
        ),
        (
            PlaintextKeyring(keyring.errors.KeyringError()),
            StoreError,
            f": The keyring package would use {__name__}.PlaintextKeyring, which stores plain text.",
            f"{_INSTEAD}the secret itself.",
        ),
        (
            None,
            ConfigurationError,
            " refers to an entry that this user's keychain does not have.",
            _CREATE,
        ),
    ],
    ids=["locked", "fails", "no backend", "no text", "none", "plain text", "no entry"],
)
def test_a_key_that_can_t_be_read_is_our_error(
    monkeypatch: pytest.MonkeyPatch,
    keychain: KeyringBackend,
    backend: KeyringBackend | None,
    kind: type[StoreError | ConfigurationError],
    said: str,
    hint: str,
) -> None:
    """Each way to have no key is a typed error with a hint, and shows neither the key nor the entry's name."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend or keychain)
    with pytest.raises(kind) as caught:
        strategy(f"keyring:{NAME}")
    assert type(caught.value) is kind
    assert caught.value.retryable is (kind is StoreUnavailable)
    assert (caught.value.message, caught.value.hint) == (f"PROCOUNTOR_API_KEY{said}", hint)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames.stack[:] = [frame for frame in frames.stack if frame.filename != __file__]
    assert "secret_reference.py" in "".join(frames.format())
    assert "CANARY" not in "".join(frames.format()) + repr(vars(caught.value))
    assert caught.value.__context__ is None


def test_another_secret_that_is_not_there_is_added(keychain: KeyringBackend) -> None:  # noqa: ARG001
    """Only an API key is created by our command: of any other secret the hint says how to add it."""
    with pytest.raises(ConfigurationError) as caught:
        pointer.follow("PROCOUNTOR_PASSWORD", SecretStr(f"keyring:{NAME}"))
    message = "PROCOUNTOR_PASSWORD refers to an entry that this user's keychain does not have"
    assert caught.value.problems == (Problem("PROCOUNTOR_PASSWORD", "unreadable", message),)
    assert caught.value.hint == "Add it: keyring set procountor-auth NAME."


def test_a_keychain_that_waits_keeps_nobody_from_ending(
    monkeypatch: pytest.MonkeyPatch, keychain: KeyringBackend
) -> None:
    """The keychain is asked on a thread that can be told from others, and that the end of a program does not await."""
    asked = []

    def ask(*_: str) -> None:
        asked.append((threading.current_thread().name, threading.current_thread().daemon))

    monkeypatch.setattr(keychain, "get_password", ask)
    pointer.check()
    assert asked == [("procountor-auth-keyring", True)]


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pointer needs the keyring package, and the error says how to get it."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.delitem(sys.modules, "procountor_auth.settings.keychain", raising=False)
    with pytest.raises(ConfigurationError) as caught:
        strategy(f"keyring:{NAME}")
    message = "PROCOUNTOR_API_KEY is a reference to a keychain (keyring:…), which needs keyring"
    assert caught.value.problems == (Problem("PROCOUNTOR_API_KEY", "unreadable", message),)
    assert caught.value.hint == "Run: pip install 'procountor-auth[keyring]'"
    assert caught.value.__context__ is None


def test_a_key_can_t_be_kept_without_a_keychain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a key is to be kept and there is no keychain, the error says what to set instead."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", Raising(keyring.errors.NoKeyringError()))
    with pytest.raises(StoreError) as caught:
        pointer.keep(NAME, SecretStr("k3y"))
    assert caught.value.message == "The keyring package finds no keychain on this machine."
    assert caught.value.hint == f"{_INSTEAD}the key itself."
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.delitem(sys.modules, "procountor_auth.settings.keychain", raising=False)
    with pytest.raises(ConfigurationError) as missing:
        pointer.check()
    message = "PROCOUNTOR_API_KEY is a reference to a keychain (keyring:…), which needs keyring"
    assert missing.value.problems == (Problem("PROCOUNTOR_API_KEY", "invalid", message),)
    assert missing.value.hint == "Run: pip install 'procountor-auth[keyring]'"


def test_a_pointer_needs_a_name() -> None:
    """A pointer to nothing is a wrong value of its variable."""
    with pytest.raises(ConfigurationError, match=r"PROCOUNTOR_API_KEY must name .*keyring:NAME"):
        described("keyring:")


def test_a_pointer_is_followed_by_its_strategy_only(keychain: KeyringBackend) -> None:  # noqa: ARG001
    """While another strategy is in use, a staged pointer asks nobody."""
    staged = Settings(
        strategy="authorization_code",
        client_id="client-1",
        client_secret="cl13nt",
        redirect_uri="redirect-uri-placeholder",
        api_key=f"keyring:{NAME}",
    )
    assert build(staged).name == "authorization_code"
