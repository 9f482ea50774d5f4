"""The results of rehearsals: one line of JSON for each profile, so that an interrupted rehearsal can be resumed.

They contain no secrets. A result is valid for the configuration that it was found with: its fingerprint is a hash
over both providers' keys in the store, the client's secret and the configured company.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from procountor_auth.errors import ConfigurationError, StoreError
from procountor_auth.migration.recorded_result import RecordedResult
from procountor_auth.protocol.extra import missing_extra
from procountor_auth.settings.plain_file import NOT_REGULAR, read_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from procountor_auth.migration.readiness import Readiness
    from procountor_auth.tokens.provider import TokenProvider

KEPT: Final = 86_400.0
"""Seconds for which a GO counts."""

_MAX_SIZE: Final = 64 * 2**20


class RehearsalResult(NamedTuple):
    """One result.

    Attributes:
        at: The time of the rehearsal, in Unix seconds.
        readiness: The result.
    """

    at: float
    readiness: Readiness

    def counts(self, now: float) -> bool:
        """Whether the result still counts: a NO GO until the next rehearsal, a GO for a day."""
        # The clocks of several machines may differ, but a GO from far in the future would count for ever.
        return not self.readiness.ready or abs(now - self.at) < KEPT

    def told_of(self, present: Readiness) -> Readiness:
        """Return the result as one of the profile that was asked for, whatever profile the line names."""
        return replace(self.readiness, profile=present.profile, strategy=present.strategy, target=present.target)


class RehearsalResults:
    """The results of rehearsals, in a file.

    Args:
        path: The file. It is created on the first write, and only this user can read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, RehearsalResult] | None = None

    @classmethod
    def default(cls) -> RehearsalResults:
        """Return this user's record, in the system's folder for state files.

        Raises:
            ConfigurationError: platformdirs and filelock are not installed.
        """
        try:
            from procountor_auth.stores.private_folder import default_folder  # noqa: PLC0415 - an extra
        except ImportError as error:
            extra = missing_extra(error, "file", "filelock", "platformdirs")
        else:
            return cls(default_folder("rehearsals") / "results.jsonl")
        raise ConfigurationError(f"The record of rehearsals {extra.what}.", hint=extra.hint)

    def find(self, fingerprint: str) -> RehearsalResult | None:
        """Return the last result for a configuration, or None.

        Raises:
            StoreError: The file exists and can't be read.
        """
        if self._found is None:
            self._found = self._read()
        return self._found.get(fingerprint)

    def add(self, fingerprint: str, at: float, readiness: Readiness) -> None:
        """Store a result.

        Raises:
            StoreError: The file can't be written.
        """
        fields = RecordedResult.line(fingerprint, at, readiness)
        line = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
        try:
            self._append(line)
        except OSError as error:
            raise self._unusable(error) from None
        if self._found is not None:
            self._found[fingerprint] = RehearsalResult(at, readiness)

    def _append(self, line: bytes) -> None:
        from procountor_auth.stores.private_folder import PrivateFolder  # noqa: PLC0415 - an extra

        PrivateFolder(self.path.parent).prepare()
        # One write for each line, so that concurrent rehearsals do not mix their lines.
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, NOT_REGULAR)
            if status.st_size:
                os.lseek(file, -1, os.SEEK_END)
                if os.read(file, 1) != b"\n":
                    line = b"\n" + line  # the previous line was cut off
            os.write(file, line)
        finally:
            os.close(file)

    def _read(self) -> dict[str, RehearsalResult]:
        try:
            lines = read_bytes(self.path, _MAX_SIZE, pipes=False).splitlines()
        except FileNotFoundError:
            return {}
        except OSError as error:
            if error.errno == errno.EFBIG:
                return {}
            raise self._unusable(error) from None
        found: dict[str, RehearsalResult] = {}
        for line in lines:
            read = RecordedResult.read(line)
            if read is not None:
                found[read.fingerprint] = RehearsalResult(read.at, read.readiness)
        return found

    def _unusable(self, error: OSError) -> StoreError:
        return StoreError(
            f"The record of rehearsals, {self.path}, can't be used: {_reason(error)}.",
            hint="Correct the access rights or the disk, or name another file with --record.",
        )


def _reason(error: OSError) -> str:
    return NOT_REGULAR if error.strerror == NOT_REGULAR else os.strerror(error.errno or 0)


def fingerprint(
    today: TokenProvider, target: TokenProvider, resources: Sequence[str] = (), *, target_only: bool = False
) -> str:
    """Return the fingerprint of a result's configuration. It reveals nothing about it."""
    settings = target.settings
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    company = target.company.number
    parts = [today.key, target.key, secret, settings.redirect_uri, company, sorted(resources), target_only]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]
