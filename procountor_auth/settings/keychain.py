"""The operating system's keychain: macOS Keychain, Windows Credential Locker, Secret Service, KWallet.

It stores tokens (`stores/keyring.py`), and API keys that `PROCOUNTOR_API_KEY=keyring:NAME` refers to.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

import keyring
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringLocked, NoKeyringError, PasswordDeleteError
from pydantic import SecretStr

from procountor_auth.errors import StoreError, StoreUnavailable, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE: Final = "procountor-auth"
"""The service name of the entries in the keychain; the user name is the entry's name."""

DEFAULT_PATIENCE: Final = 10.0
"""The time limit for one call of the keychain, in seconds."""

_FIX_IT: Final = (
    "Unlock or install a keychain (on Linux: GNOME Keyring or KWallet), choose another backend with "
    "PYTHON_KEYRING_BACKEND, or"
)


class Keychain:
    """The keychain that the keyring package finds. Backends that store plain text are rejected.

    Safe to share between threads, and across a fork.

    Args:
        instead: What to do if no keychain can be used, as the end of a sentence.
        patience: The time limit for one call, in seconds: the keychain may wait for a user who is not there.
    """

    def __init__(self, instead: str, *, patience: float = DEFAULT_PATIENCE) -> None:
        self._instead = instead
        self._patience = patience
        self._hanging: tuple[int, Future[Any]] | None = None

    def get(self, name: str) -> SecretStr | None:
        """Return the entry with this name, or None.

        Raises:
            StoreUnavailable: The keychain is locked, or does not respond.
            StoreError: There is no secure keychain, it failed, or it returned something else than text.
        """
        return self._call(lambda backend: _get(backend, name, self._instead))

    def put(self, name: str, secret: SecretStr) -> None:
        """Store a secret under this name, replacing an existing one. Raises what `get` raises."""
        self._call(lambda backend: _put(backend, name, secret))

    def delete(self, name: str) -> None:
        """Remove the entry with this name, if there is one. Raises what `get` raises."""
        self._call(lambda backend: _delete(backend, name))

    def _call(self, do: Callable[[KeyringBackend], T | StoreError]) -> T:
        """Call the keychain on a separate thread, within the time limit.

        A call that hangs can't be stopped. Until it returns, further calls fail without waiting.
        """
        hanging = self._hanging
        if hanging is not None and hanging[0] == os.getpid() and not hanging[1].done():
            raise self._too_late()
        future: Future[T | StoreError] = Future()
        # A daemon thread, so that a keychain that waits for a user does not keep the interpreter alive.
        threading.Thread(
            target=_work, args=(do, future, f"{_FIX_IT} {self._instead}"), name="procountor-auth-keyring", daemon=True
        ).start()
        try:
            result: T | StoreError = future.result(self._patience)
        except FutureTimeoutError:
            # With the process ID: the thread does not exist in a forked child.
            self._hanging = (os.getpid(), future)
            result = self._too_late()
        if isinstance(result, StoreError):
            raise result
        return result

    def _too_late(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"The keychain did not respond within {self._patience:g} seconds; it may be waiting for a user.",
            hint=f"Unlock the keychain and try again, or {self._instead}",
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} is not pickled: open it in each process.")


def _work(do: Callable[[KeyringBackend], T | StoreError], future: Future[T | StoreError], hint: str) -> None:
    """Set `future` to a result or to our own error: the keychain's errors may contain the secret."""
    try:
        backend = _safe_backend(hint)
        result = backend if isinstance(backend, StoreError) else do(backend)
    except NoKeyringError:
        result = StoreError("The keyring package finds no keychain on this machine.", hint=hint)
    except KeyringLocked:
        result = StoreUnavailable("The keychain is locked.", hint="Unlock it and try again.")
    except BaseException as error:  # noqa: BLE001 - backends raise any kind of error
        result = StoreError(f"The keychain failed ({type(error).__name__}).", hint=hint)
    future.set_result(result)


def _get(backend: KeyringBackend, name: str, instead: str) -> SecretStr | StoreError | None:
    found = cast("object", backend.get_password(SERVICE, name))  # whatever its annotation says
    if found is None:
        return None
    if isinstance(found, str):
        return SecretStr(str.__str__(found))  # of a subclass only the text
    return StoreError(
        f"The keychain returned something else than text ({printable(type(found).__name__)}).",
        hint=f"Choose another backend with PYTHON_KEYRING_BACKEND, or {instead}",
    )


def _put(backend: KeyringBackend, name: str, secret: SecretStr) -> None:
    backend.set_password(SERVICE, name, secret.get_secret_value())


def _delete(backend: KeyringBackend, name: str) -> None:
    with suppress(PasswordDeleteError):  # there is no such entry
        backend.delete_password(SERVICE, name)


def _safe_backend(hint: str) -> KeyringBackend | StoreError:
    """Return the backend that keyring uses, or an error if it is not secure."""
    backend: object = keyring.get_keyring()
    if isinstance(backend, ChainerBackend):
        # If the first backend can't store a secret, the chainer tries the next one, which may store plain text.
        backend = next(iter(backend.backends), backend)
    wrapped = getattr(backend, "_keyring", None)  # set by keyrings.alt's wrapper for long entries
    for each in cast("tuple[object, ...]", (backend, wrapped)):
        problem = _problem_with(type(each))
        if problem is not None:
            return StoreError(f"The keyring package would use {_name(type(each))}, which {problem}.", hint=hint)
    return backend  # type: ignore[return-value]  # keyring's own annotations end at the chainer


def _problem_with(backend: type) -> str | None:
    if backend is ChainerBackend:
        return "is not backed by a keychain"
    for base in backend.__mro__:
        if base.__module__ in {"keyring.backends.fail", "keyring.backends.null"}:
            return "stores nothing"
        if "plaintext" in base.__name__.lower():
            return "stores plain text"
    return None


def _name(backend: type) -> str:
    return f"{backend.__module__}.{backend.__qualname__}"
