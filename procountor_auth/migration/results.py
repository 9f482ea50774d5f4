"""The results of rehearsals: one line of JSON for each profile, so that an interrupted rehearsal can be resumed.

They contain no secrets, but names of companies and users. A result is valid for the configuration that it was found
with: its fingerprint is a hash over both providers' keys in the store, the client's secret and the configured company.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from procountor_auth.errors import ConfigurationError, StoreError, StoreUnavailable
from procountor_auth.migration.recorded_result import FreshStart, RecordedResult
from procountor_auth.protocol.extra import missing_extra
from procountor_auth.settings.plain_file import NO_SYMLINK, NOT_REGULAR, SYMLINK, read_bytes, refuse_symlink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from procountor_auth.migration.readiness import Readiness
    from procountor_auth.tokens.provider import TokenProvider

KEPT: Final = 86_400.0
"""Seconds for which a GO counts."""

_MAX_SIZE: Final = 64 * 2**20

_FLAGS: Final = os.O_RDWR | os.O_APPEND | NO_SYMLINK | getattr(os, "O_CLOEXEC", 0)

_HINT: Final = "Correct the access rights or the disk, or name another file with --record."


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
        path: The file. It is created before the first rehearsal, with its folders.
        private: Whether the file and its folder have to be this user's alone. If not, they are created with the umask
            and the access list of the folder around them: several people may share them.
    """

    def __init__(self, path: Path, *, private: bool = False) -> None:
        self.path = path
        self._private = private
        self._found: dict[str, RehearsalResult] | None = None
        self._fresh_since: dict[str | None, float] = {}

    @classmethod
    def default(cls) -> RehearsalResults:
        """Return this user's record, in the system's folder for state files.

        Raises:
            ConfigurationError: platformdirs and filelock are not installed, or this user has no home directory.
        """
        try:
            from procountor_auth.stores.private_folder import default_folder  # noqa: PLC0415 - an extra
        except ImportError as error:
            extra = missing_extra(error, "file", "filelock", "platformdirs")
            message, hint = f"The record of rehearsals {extra.what}.", extra.hint
        else:
            try:
                return cls(default_folder("rehearsals") / "results.jsonl", private=True)
            except ConfigurationError:
                message = "The record of rehearsals needs a folder, and this user has no home directory."
                hint = "Name a file with --record, or set HOME or XDG_STATE_HOME."
        raise ConfigurationError(message, hint=hint)

    def find(self, fingerprint: str) -> RehearsalResult | None:
        """Return the last result for a configuration, or None.

        Raises:
            StoreError: The file exists and can't be read.
        """
        if self._found is None:
            self._found = self._read()
        return self._found.get(fingerprint)

    def is_outdated(self, profile: str | None, result: RehearsalResult) -> bool:
        """Whether all results were to be found again since: the rehearsal that does so may have been interrupted.

        Args:
            profile: The profile that the result is for.
            result: What `find` has returned.
        """
        return result.at < self._fresh_since.get(profile, result.at)

    def start_afresh(self, at: float, profiles: Sequence[str | None]) -> None:
        """Store that a rehearsal tries profiles again, whatever their results are.

        Args:
            at: The time, in Unix seconds.
            profiles: The profiles.

        Raises:
            StoreError: The file can't be written.
        """
        self._store({"at": at, "fresh": list(profiles)})
        self._fresh_since.update(dict.fromkeys(profiles, at))

    def prepare(self) -> None:
        """Make sure that a result can be stored, before anything is sent to find it out.

        Raises:
            StoreError: The file can't be written.
        """
        try:
            os.close(self._open())
        except OSError as error:
            raise self._unusable(error) from None

    def add(self, fingerprint: str, at: float, readiness: Readiness) -> None:
        """Store a result.

        Raises:
            StoreError: The file can't be written.
        """
        self._store(RecordedResult.line(fingerprint, at, readiness))
        if self._found is not None:
            self._found[fingerprint] = RehearsalResult(at, readiness)

    def _store(self, fields: Mapping[str, Any]) -> None:
        line = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
        try:
            self._append(line)
        except OSError as error:
            raise self._unusable(error) from None

    def _append(self, line: bytes) -> None:
        # One write for each line, so that concurrent rehearsals do not mix their lines.
        file = self._open()
        try:
            if os.fstat(file).st_size:
                os.lseek(file, -1, os.SEEK_END)
                if os.read(file, 1) != b"\n":
                    line = b"\n" + line  # the previous line was cut off
            os.write(file, line)
        finally:
            os.close(file)

    def _open(self) -> int:
        if self._private:
            self._prepare_folder()
        refuse_symlink(self.path)
        try:
            # In a folder that all users share, Linux lets nobody create a file that is already there.
            file = os.open(self.path, _FLAGS)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, _FLAGS | os.O_CREAT, 0o600 if self._private else 0o666)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(errno.EINVAL, NOT_REGULAR)
        return file

    def _prepare_folder(self) -> None:
        from procountor_auth.stores.private_folder import PrivateFolder  # noqa: PLC0415 - an extra

        try:
            PrivateFolder(self.path.parent).prepare()
        except StoreUnavailable:
            raise
        except StoreError as error:
            problem = StoreError(f"The record of rehearsals can't be used: {error.message}", hint=_HINT)
        else:
            return
        raise problem

    def _read(self) -> dict[str, RehearsalResult]:
        try:
            lines = read_bytes(self.path, _MAX_SIZE, pipes=False, symlinks=False).splitlines()
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
            elif (start := FreshStart.read(line)) is not None:
                self._fresh_since.update(dict.fromkeys(start.fresh, start.at))
        return found

    def _unusable(self, error: OSError) -> StoreError:
        return StoreError(
            f"The record of rehearsals, {self.path}, can't be used: {_reason(error)}.",
            hint=_HINT,
        )


def _reason(error: OSError) -> str:
    return error.strerror if error.strerror in {NOT_REGULAR, SYMLINK} else os.strerror(error.errno or 0)


def fingerprint(
    today: TokenProvider, target: TokenProvider, resources: Sequence[str] = (), *, target_only: bool = False
) -> str:
    """Return the fingerprint of a result's configuration. It reveals nothing about it."""
    settings = target.settings
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    company = target.company.number
    parts = [today.key, target.key, secret, settings.redirect_uri, company, sorted(resources), target_only]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]
