"""Tokens in the operating system's keychain: macOS Keychain, Windows Credential Locker, Secret Service, KWallet."""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import keyring
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringLocked, NoKeyringError
from pydantic import SecretBytes

from procountor_auth.errors import StoreError, StoreUnavailable
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.codec import Codec, Damaged
from procountor_auth.stores.folder import PrivateFolder, default_folder
from procountor_auth.stores.held import Held, checked_key, unless_changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE: Final = "procountor-auth"
"""The service under which the entries stand in the keychain; the user name is the key."""

DEFAULT_PATIENCE: Final = 10.0
"""Seconds that the keychain may take for one answer."""

_USE_ANOTHER: Final = (
    "Unlock or install a keychain (on Linux: GNOME Keyring or KWallet), choose another backend with "
    "PYTHON_KEYRING_BACKEND, or use PROCOUNTOR_TOKEN_STORE=file with PROCOUNTOR_TOKEN_STORE_KEY."
)

_logger = logging.getLogger("procountor_auth")


class KeyringStore(Store):
    """Keeps tokens in the keychain that the keyring package finds, and never in plain text.

    The keychain has no locks between processes, so that of a transaction is a file's in this user's state folder.

    Args:
        codec: How entries are written; plain by default, as the keychain encrypts.
        patience: Seconds that the keychain may take for one answer: it may be asking a person who is not there.
        folder: Where the lock files are; by default in this user's state folder.
    """

    name = "keyring"

    def __init__(
        self, codec: Codec | None = None, *, patience: float = DEFAULT_PATIENCE, folder: Path | None = None
    ) -> None:
        self._codec = codec or Codec()
        self._folder = PrivateFolder(folder or default_folder("locks"))
        self._patience = patience
        self._hanging: tuple[int, Future[Any]] | None = None

    def read(self, key: str) -> Entry | None:
        """Return what is there now. Raises what `Store.read` raises."""
        found = self._decoded(checked_key(key))
        return None if isinstance(found, Damaged) else found

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Iterator[Transaction]:
        """Take the lock of an entry. Raises what `Store.transaction` raises."""
        with self._folder.locked(f"keyring-{checked_key(key)}.lock", timeout=timeout):
            found = self._decoded(key)
            if isinstance(found, Damaged):
                self._keep_aside(key, found)
                found = None

            def swap(read: int, entry: Entry) -> None:
                there = self._decoded(key)
                unless_changed(read, None if isinstance(there, Damaged) else there)
                data = self._codec.encode(key, entry)
                self._ask(lambda backend: backend.set_password(SERVICE, key, data.get_secret_value().decode("ascii")))

            held = Held(found, swap)
            try:
                yield held
            finally:
                held.close()

    def _decoded(self, key: str) -> Entry | Damaged | None:
        data = self._ask(lambda backend: _bytes_of(backend, key))
        found = None if data is None else self._codec.decode(key, data)
        if isinstance(found, StoreError):
            raise found
        return found

    def _keep_aside(self, key: str, damaged: Damaged) -> None:
        aside = f"{key}.damaged"

        def copy(backend: KeyringBackend) -> None:
            data = _bytes_of(backend, key)
            if data is not None:
                backend.set_password(SERVICE, aside, data.get_secret_value().decode("utf-8", "surrogatepass"))

        self._ask(copy)
        _logger.warning("the keychain's entry %s is damaged (%s) and was kept as %s", key, damaged.reason, aside)

    def _ask(self, do: Callable[[KeyringBackend], T]) -> T:
        """Do something with the keychain on a thread of its own, within the time limit.

        One that hangs can't be ended. It is left alone, and until it is done, nobody else waits for the keychain.
        """
        hanging = self._hanging
        if hanging is not None and hanging[0] == os.getpid() and not hanging[1].done():
            raise self._no_answer()
        asked: Future[T | StoreError] = Future()
        # A daemon, so that a keychain that waits for a person does not keep the interpreter alive.
        threading.Thread(target=_work, args=(do, asked), name="procountor-auth-keyring", daemon=True).start()
        try:
            answer: T | StoreError = asked.result(self._patience)
        except FutureTimeoutError:
            # With the process: the thread does not exist in a child that is forked.
            self._hanging = (os.getpid(), asked)
            answer = self._no_answer()
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def _no_answer(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"The keychain has not answered within {self._patience:g} seconds; it may be waiting for a person.",
            hint="Unlock the keychain and try again, or use another PROCOUNTOR_TOKEN_STORE.",
        )

    def __repr__(self) -> str:
        return "<KeyringStore>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A KeyringStore is not pickled: open it in each process.")


def _work(do: Callable[[KeyringBackend], T], asked: Future[T | StoreError]) -> None:
    """Answer `asked` with a result or an error of ours: the keychain's own may hold what it was given."""
    try:
        backend = _safe_backend()
        answer = backend if isinstance(backend, StoreError) else do(backend)
    except NoKeyringError:
        answer = StoreError("There is no keychain on this machine that keyring can use.", hint=_USE_ANOTHER)
    except KeyringLocked:
        answer = StoreUnavailable("The keychain is locked.", hint="Unlock it and try again.")
    except BaseException as error:  # noqa: BLE001 - backends raise whatever their system does
        answer = StoreError(f"The keychain failed ({type(error).__name__}).", hint=_USE_ANOTHER)
    asked.set_result(answer)


def _bytes_of(backend: KeyringBackend, key: str) -> SecretBytes | None:
    found = backend.get_password(SERVICE, key)
    return None if found is None else SecretBytes(found.encode("utf-8", "surrogatepass"))


def _safe_backend() -> KeyringBackend | StoreError:
    """Return the backend that would be used, if it keeps secrets secret."""
    backend: object = keyring.get_keyring()
    if isinstance(backend, ChainerBackend):
        # It would pass a secret on to the next one if the first can't take it, and that one may keep plain text.
        backend = next(iter(backend.backends), backend)
    wrapped = getattr(backend, "_keyring", None)  # of keyrings.alt's wrapper for long entries
    for each in (backend, wrapped):
        problem = _problem_with(type(each))
        if problem is not None:
            return StoreError(f"The keyring package would use {_name(type(each))}, which {problem}.", hint=_USE_ANOTHER)
    return backend  # type: ignore[return-value]  # keyring's own annotations end at the chainer


def _problem_with(backend: type) -> str | None:
    if backend is ChainerBackend:
        return "has no keychain behind it"
    for base in backend.__mro__:
        if base.__module__ in {"keyring.backends.fail", "keyring.backends.null"}:
            return "keeps nothing"
        if "plaintext" in base.__name__.lower():
            return "keeps plain text"
    return None


def _name(backend: type) -> str:
    return f"{backend.__module__}.{backend.__qualname__}"
