"""The keyring store: keychains that hang, fail, are locked, or would keep plain text."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

import keyring
import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import keyring.errors
import pytest
from keyring.backend import KeyringBackend

from procountor_auth.errors import StoreError, StoreUnavailable
from procountor_auth.stores import Entry
from procountor_auth.stores.keyring import KeyringStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token

# Looking for a keychain may run a program.
pytestmark = pytest.mark.process

KEY = "company-1"

NULL, FAIL, CHAINER = (
    backend()  # keyring's own, without annotations
    for backend in (
        keyring.backends.null.Keyring,
        keyring.backends.fail.Keyring,
        keyring.backends.chainer.ChainerBackend,
    )
)


class InMemory(KeyringBackend):
    """A keychain that keeps what it is given."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's
        self.kept: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept."""
        return self.kept.get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""
        self.kept[f"{service}/{username}"] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forget it."""
        del self.kept[f"{service}/{username}"]


class PlaintextKeyring(InMemory):
    """A keychain that says of itself that it keeps plain text."""


class Child(PlaintextKeyring):
    """One that inherits it."""


class Wrapper(InMemory):
    """One that passes everything on to one that keeps plain text."""

    def __init__(self) -> None:
        super().__init__()
        self._keyring = PlaintextKeyring()


class Hanging(InMemory):
    """A keychain that waits for a person."""

    def __init__(self) -> None:
        super().__init__()
        self.person = threading.Event()
        self.asked = 0

    def get_password(self, service: str, username: str) -> str | None:
        """Wait for the person first."""
        self.asked += 1
        self.person.wait()
        return super().get_password(service, username)


class Failing(InMemory):
    """A keychain that raises."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> NoReturn:  # noqa: ARG002
        """Raise it."""
        raise self.error


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[KeyringBackend], KeyringStore]:
    """Let the keyring package use a backend, and return a store with little patience."""

    def use(backend: KeyringBackend) -> KeyringStore:
        monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
        return KeyringStore(patience=0.2)

    return use


def put(store: KeyringStore, token: Token | None) -> None:
    """Write a token in a transaction of its own."""
    with store.transaction(KEY, timeout=5) as transaction:
        transaction.write(token)


def test_entries_stand_under_our_name(use: Callable[[KeyringBackend], KeyringStore], token: Token) -> None:
    """The service is procountor-auth, and the user name the key."""
    backend = InMemory()
    put(use(backend), token)
    assert list(backend.kept) == [f"procountor-auth/{KEY}"]


@pytest.mark.parametrize(
    "backend",
    [PlaintextKeyring(), Child(), Wrapper(), NULL, FAIL],
    ids=lambda backend: type(backend).__name__,
)
def test_a_keychain_that_keeps_no_secret_is_refused(
    use: Callable[[KeyringBackend], KeyringStore], backend: KeyringBackend, token: Token
) -> None:
    """A backend that keeps plain text, or nothing, gets no token, and the error says what to do."""
    store = use(backend)
    with pytest.raises(StoreError, match="PYTHON_KEYRING_BACKEND") as caught:
        store.read(KEY)
    assert not caught.value.retryable
    with pytest.raises(StoreError, match="PROCOUNTOR_TOKEN_STORE_KEY"):
        put(store, token)
    assert not getattr(backend, "kept", {})


def test_a_chain_is_used_up_to_its_first_keychain(
    use: Callable[[KeyringBackend], KeyringStore], monkeypatch: pytest.MonkeyPatch, token: Token
) -> None:
    """Of several keychains the first is used, and never one that keeps plain text behind it."""
    chain: list[KeyringBackend] = [InMemory(), PlaintextKeyring()]
    monkeypatch.setattr(keyring.backends.chainer.ChainerBackend, "backends", chain)
    store = use(CHAINER)
    put(store, token)
    assert store.read(KEY) == Entry(1, token)
    assert not chain[1].kept  # type: ignore[attr-defined]
    for useless in ([PlaintextKeyring()], []):
        monkeypatch.setattr(keyring.backends.chainer.ChainerBackend, "backends", useless)
        with pytest.raises(StoreError, match="PYTHON_KEYRING_BACKEND"):
            store.read(KEY)


def test_no_keychain_of_a_test_is_chosen() -> None:
    """In a process with the classes above, keyring still finds what this machine has."""
    found = list(keyring.backend.KeyringBackend.get_viable_backends())
    assert Hanging in keyring.backend.KeyringBackend._classes
    assert Hanging not in found
    assert keyring.backends.fail.Keyring in found


def test_a_keychain_that_hangs_is_given_up(use: Callable[[KeyringBackend], KeyringStore], token: Token) -> None:
    """A keychain that waits for a person is given up in time, is not asked again meanwhile, and is used afterwards."""
    backend = Hanging()
    store = use(backend)
    start = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"0\.2 seconds") as caught:
        store.read(KEY)
    assert time.monotonic() - start < 0.7
    assert caught.value.__context__ is None
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            store.read(KEY)
    assert time.monotonic() - start < 1.2
    assert backend.asked == 1
    backend.person.set()
    assert store._hanging is not None
    store._hanging[1].result(5)
    put(store, token)
    assert store.read(KEY) == Entry(1, token)


@pytest.mark.parametrize(
    ("error", "expected", "retryable"),
    [
        (keyring.errors.KeyringLocked("CANARY"), "locked", True),
        (keyring.errors.InitError("CANARY"), "InitError", False),
        (keyring.errors.NoKeyringError("CANARY"), "no keychain", False),
        (OSError("CANARY"), "OSError", False),
        (SystemExit("CANARY"), "SystemExit", False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_keychain_raises_becomes_ours(
    use: Callable[[KeyringBackend], KeyringStore], error: BaseException, expected: str, *, retryable: bool
) -> None:
    """Whatever a backend raises is one of our errors, with nothing of what the backend said."""
    with pytest.raises(StoreError, match=expected) as caught:
        use(Failing(error)).read(KEY)
    assert caught.value.retryable is retryable
    assert caught.value.__context__ is None
    assert "CANARY" not in str(caught.value)


class Answering(InMemory):
    """A keychain that answers with something of its own."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def get_password(self, service: str, username: str) -> Any:  # noqa: ANN401, ARG002 - that is the point
        """Return it."""
        return self.answer


@pytest.mark.parametrize("answer", [b"CANARY", 5, ["CANARY"], True, {}], ids=lambda value: type(value).__name__)
def test_what_is_no_text_is_an_error_of_ours(
    use: Callable[[KeyringBackend], KeyringStore], token: Token, answer: object
) -> None:
    """A backend that returns something else than text is told by the type of that, when reading and when writing."""
    store = use(Answering(answer))
    attempts: list[Callable[[], object]] = [lambda: store.read(KEY), lambda: put(store, token)]
    for attempt in attempts:
        with pytest.raises(StoreError) as caught:
            attempt()
        assert type(caught.value) is StoreError
        assert caught.value.message == f"The keychain returned something else than text ({type(answer).__name__})."
        assert caught.value.hint.startswith("Choose another backend with PYTHON_KEYRING_BACKEND, or use ")
        assert caught.value.__context__ is None


class Text(str):
    """A text that says something else of itself."""

    __slots__ = ()

    def encode(self, *_: object, **_more: object) -> bytes:
        """Return another text."""
        return b"another"


def test_a_text_of_a_class_of_its_own_is_taken_as_text(
    use: Callable[[KeyringBackend], KeyringStore], token: Token
) -> None:
    """Of a subclass of text only the text counts."""
    backend = InMemory()
    put(use(backend), token)
    backend.kept = {name: Text(kept) for name, kept in backend.kept.items()}
    assert use(backend).read(KEY) == Entry(1, token)
