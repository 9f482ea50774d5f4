"""References to secrets that lead nowhere, as data: what is behind them, and what has to be said of it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import keyring
import keyring.backends.fail
import keyring.errors
from keyring.backend import KeyringBackend

from procountor_auth.errors import ConfigurationError, ProcountorAuthError, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

VALUE: Final = "CanaryReferredSecret-5e0c41"
"""What must not be shown, wherever it was found."""

VARIABLE: Final = "PROCOUNTOR_API_KEY"


@dataclass(frozen=True, slots=True)
class Around:
    """What a reference may lead to.

    Attributes:
        folder: A folder of the test's own.
        patch: Replaces values until the end of the test.
        register: Installs a package with code for the scheme `vault`.
    """

    folder: Path
    patch: pytest.MonkeyPatch
    register: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ReferenceFault:
    """A reference that can't be followed.

    Attributes:
        id: Its name.
        bring: Puts something behind a reference, and returns the reference.
        says: What the error has to say, as a regular expression.
        error: Its exact kind.
    """

    id: str
    bring: Callable[[Around], str]
    says: str
    error: type[ProcountorAuthError] = ConfigurationError


def _file(content: bytes) -> Callable[[Around], str]:
    def bring(around: Around) -> str:
        (around.folder / "secret").write_bytes(content)
        return f"file:{around.folder / 'secret'}"

    return bring


def _closed(around: Around) -> str:
    real = os.open
    reference = _file(VALUE.encode())(around)

    def refuse(path: object, *arguments: int, **more: int) -> int:
        if str(path) == reference.removeprefix("file:"):  # as root, access rights keep nobody out
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **more)  # type: ignore[arg-type]  # whatever it was given

    around.patch.setattr(os, "open", refuse)
    return reference


def _program(text: str, mode: int = 0o700) -> Callable[[Around], str]:
    """Write a program; `{value}` in it is the secret."""

    def bring(around: Around) -> str:
        program = around.folder / "vault"
        program.write_text(f"#!/bin/sh\n{text}\n".replace("{value}", VALUE))
        program.chmod(mode)
        return f"command:{shlex.quote(str(program))}"

    return bring


def _text(around: Around) -> str:
    program = around.folder / "notes"
    program.write_bytes(b"\x7fnot a program " + VALUE.encode())
    program.chmod(0o700)
    return f"command:{program}"


def _hangs(around: Around) -> str:
    from procountor_auth.settings import secret_command  # noqa: PLC0415 - its default is replaced

    around.patch.setattr(secret_command.run_secret_command, "__kwdefaults__", {"time_limit": 0.2})
    return _program("echo {value} >&2; exec sleep 60")(around)


class _Raising(KeyringBackend):
    """A keychain that raises, with the secret in what it says."""

    priority = 1

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's
        self._error = error

    def get_password(self, service: str, username: str) -> str | None:
        """Raise it."""
        raise self._error(f"{service} {username} {VALUE}")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Do nothing."""


class _Empty(_Raising):
    def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002 - keyring's
        """Have nothing."""
        return ""


class _Missing(_Raising):
    def __init__(self) -> None:
        super().__init__(OSError)

    def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002 - keyring's
        """Have no such entry."""
        return None


class _Bytes(_Raising):
    def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002 - keyring's
        """Give something else than text."""
        return VALUE.encode()  # type: ignore[return-value]  # a backend that breaks keyring's rule


def _keychain(backend: Callable[[], KeyringBackend]) -> Callable[[Around], str]:
    def bring(around: Around) -> str:
        around.patch.setattr(keyring.core, "_keyring_backend", backend())
        return "keyring:the-key"

    return bring


def _package(code: str) -> Callable[[Around], str]:
    def bring(around: Around) -> str:
        around.register(code.replace("{value}", VALUE))
        return f"vault:{VALUE}"

    return bring


REFERENCES: Final = (
    ReferenceFault("file-missing", lambda around: f"file:{around.folder / 'nothing'}", "does not exist"),
    ReferenceFault("file-is-a-folder", lambda around: f"file:{around.folder}", "is a directory"),
    ReferenceFault("file-is-the-secret", lambda _: f"file:{VALUE}", "does not exist"),
    ReferenceFault("file-no-permission", _closed, "Permission denied"),
    ReferenceFault("file-empty", _file(b""), "is empty"),
    ReferenceFault("file-line-ends-only", _file(b"\r\n\r\n"), "is empty"),
    ReferenceFault("file-spaces-only", _file(b"  \t "), "can't be used"),
    ReferenceFault("file-huge", _file(VALUE.encode() * 100_000), "larger than 64 KiB"),
    ReferenceFault("file-nuls", _file(VALUE.encode() + b"\0\0"), "is UTF-16 or not text"),
    ReferenceFault("file-not-utf-8", _file(VALUE.encode() + b"\xe4\xff"), "that is not UTF-8"),
    ReferenceFault("file-utf-16", _file(VALUE.encode("utf-16")), "is UTF-16"),
    ReferenceFault("file-two-lines", _file(f"{VALUE}\r\n{VALUE}\r\n".encode()), "can't be used"),
    ReferenceFault("file-control-characters", _file(VALUE.encode() + b"\x1b[2J"), "can't be used"),
    ReferenceFault("command-missing", lambda around: f"command:{around.folder}/nothing", "No such file"),
    ReferenceFault("command-not-executable", _program("echo {value}", 0o600), "Permission denied"),
    ReferenceFault("command-is-a-folder", lambda around: f"command:{around.folder}", "Permission denied"),
    ReferenceFault("command-not-a-program", _text, "Exec format error"),
    ReferenceFault("command-hangs", _hangs, r"has not ended within 0\.2 seconds"),
    ReferenceFault(
        "command-fails", _program("echo not signed in >&2; echo {value}; exit 1"), "status 1.*not signed in"
    ),
    ReferenceFault("command-fails-with-the-secret", _program("echo token={value} >&2; exit 1"), "ended with status 1"),
    ReferenceFault("command-traces-the-secret", _program("set -x\necho {value}; false"), "ended with status 1"),
    ReferenceFault("command-prints-nothing", _program(""), "printed nothing"),
    ReferenceFault("command-prints-garbage", _program(r"printf '{value}\377\376'"), "that is not UTF-8"),
    ReferenceFault("command-prints-two-lines", _program("echo {value}; echo {value}"), "printed 2 lines"),
    ReferenceFault("command-prints-2-mb", _program("yes {value} | head -c 2000000"), "more than 64 KiB"),
    ReferenceFault("command-prints-elsewhere", _program("echo {value} >&2"), "printed nothing"),
    ReferenceFault("command-killed", _program("echo {value} >&2; kill -9 $$"), "ended by SIGKILL"),
    ReferenceFault("keyring-no-entry", _keychain(_Missing), "does not have"),
    ReferenceFault("keyring-no-backend", _keychain(keyring.backends.fail.Keyring), "stores nothing", StoreError),
    ReferenceFault(
        "keyring-locked", _keychain(lambda: _Raising(keyring.errors.KeyringLocked)), "is locked", StoreUnavailable
    ),
    ReferenceFault("keyring-raises", _keychain(lambda: _Raising(OSError)), r"failed \(OSError\)", StoreError),
    ReferenceFault("keyring-empty-entry", _keychain(lambda: _Empty(OSError)), "is empty"),
    ReferenceFault("keyring-not-text", _keychain(lambda: _Bytes(OSError)), r"else than text \(bytes\)", StoreError),
    ReferenceFault("literal-empty", lambda _: "literal:", "is empty"),
    ReferenceFault("literal-two-lines", lambda _: f"literal:{VALUE}\n{VALUE}", "can't be used"),
    ReferenceFault("scheme-raises", _package("def read(name): raise OSError(name)"), r"failed \(OSError\)"),
    ReferenceFault("scheme-not-importable", _package("raise ImportError('{value}')"), r"failed \(ImportError\)"),
    ReferenceFault("scheme-exits", _package("def read(name): raise SystemExit(name)"), r"failed \(SystemExit\)"),
    ReferenceFault("scheme-gives-nothing", _package("def read(name): return None"), "returned nothing"),
    ReferenceFault("scheme-gives-bytes", _package("def read(name): return b'{value}'"), "did not return text"),
    ReferenceFault("scheme-gives-two-lines", _package("def read(name): return '{value}\\n{value}'"), "can't be used"),
)
