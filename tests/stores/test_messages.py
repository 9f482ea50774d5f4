"""What the stores' errors say, word by word: people search for these sentences."""

from __future__ import annotations

import errno
import os
import ssl
from pathlib import Path
from typing import Final

import pytest
from redis import exceptions
from sqlalchemy import exc

from procountor_auth.errors import StoreError, StoreUnavailable
from procountor_auth.stores import redis_error, sql_error
from procountor_auth.stores.private_folder import PrivateFolder, unusable
from procountor_auth.stores.redis_sentinel import UnknownService

_REDIS: Final[dict[Exception, tuple[bool, str, str]]] = {
    exceptions.AuthenticationError("WRONGPASS"): (
        False,
        "Redis at place refused the user or the password.",
        "Check the user and the password in PROCOUNTOR_TOKEN_STORE.",
    ),
    exceptions.NoPermissionError("NOT ALLOWED"): (
        False,
        "Redis at place does not permit this user what is needed.",
        "Permit it the commands of scripts, hashes and strings on procountor-auth:* (ACL SETUSER).",
    ),
    exceptions.TimeoutError("late"): (
        True,
        "Redis at place has not answered in time.",
        "Check that Redis is running and can be reached; then try again.",
    ),
    exceptions.ResponseError("MISCONF no disk"): (
        True,
        "Redis at place can't be used now (ResponseError).",
        "Check that Redis is running and can be reached; then try again.",
    ),
    exceptions.ConnectionError("refused"): (
        True,
        "Redis at place can't be reached.",
        "Check that Redis is running and can be reached; then try again.",
    ),
    UnknownService("name"): (
        False,
        "Redis at place is not known to the Sentinels.",
        "Correct the service's name in PROCOUNTOR_TOKEN_STORE.",
    ),
    exceptions.ResponseError("WRONGTYPE Operation against a key"): (
        False,
        "Redis at place has something else under the name of the entry.",
        "Use another database: rediss://…/NUMBER.",
    ),
    exceptions.ResponseError("ERR unknown command"): (
        False,
        "Redis at place refused a command (ResponseError).",
        "Use a Redis 4.0 or newer, or a Valkey; a cluster is redis+cluster://….",
    ),
}


@pytest.mark.parametrize("error", _REDIS, ids=str)
def test_redis(error: Exception) -> None:
    """Each error of Redis has a sentence and a hint of ours, and says truly whether it passes."""
    retryable, message, hint = _REDIS[error]
    ours = redis_error.translate(error, "place")
    assert (ours.retryable, ours.message, ours.hint) == (retryable, message, hint)


def test_a_certificate_of_redis() -> None:
    """A certificate that is not trusted is found beneath redis-py's own error."""
    error = exceptions.ConnectionError("refused")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed")
    ours = redis_error.translate(error, "place")
    assert (ours.retryable, ours.message) == (False, "Redis at place has a certificate that is not trusted.")
    assert ours.hint == (
        "Name its authority's PEM file in PROCOUNTOR_TOKEN_STORE: rediss://…?ssl_ca_certs=/path/to/ca.pem."
    )


class _FromDriver(Exception):
    """What a driver raises, with PostgreSQL's code."""

    def __init__(self, said: str, sqlstate: str | None = None) -> None:
        super().__init__(said)
        self.sqlstate = sqlstate


_TABLE: Final = "procountor_auth_tokens"
_SQL: Final[dict[tuple[str, str | None], tuple[bool, str, str]]] = {
    ("no", "28P01"): (
        False,
        "place refused the user, the password or the name of the database.",
        "Check them in PROCOUNTOR_TOKEN_STORE.",
    ),
    ('FATAL: database "x" does not exist', None): (
        False,
        "place refused the user, the password or the name of the database.",
        "Check them in PROCOUNTOR_TOKEN_STORE.",
    ),
    ("no", "42501"): (
        False,
        "place does not permit this user what is needed.",
        (
            f"Permit it SELECT, INSERT, UPDATE and DELETE on the table {_TABLE}. If there is none yet, somebody "
            "who may makes it with what `procountor-auth store ddl` prints."
        ),
    ),
    ("SSL error: certificate verify failed", None): (
        False,
        "place has a certificate that is not trusted, or TLS can't be set up.",
        "Name its authority's PEM file in PROCOUNTOR_TOKEN_STORE: ?sslmode=verify-full&sslrootcert=/path/to/ca.pem.",
    ),
    ("unable to open database file", None): (
        False,
        "place can't be used.",
        "Check the file's access rights, and the space on the disk.",
    ),
    ("no", "25006"): (
        True,
        "place is a standby, which can't be written.",
        "Name the primary in PROCOUNTOR_TOKEN_STORE, or all hosts with target_session_attrs=read-write.",
    ),
    ("statement timeout", None): (
        True,
        "place has not answered in time.",
        "Check that the database is running and can be reached; then try again.",
    ),
    ("database is locked", None): (True, "place is locked by another program.", "Try again later."),
    ("no", "08006"): (
        True,
        "place can't be reached.",
        "Check that the database is running and can be reached; then try again.",
    ),
    ("no", "42601"): (
        False,
        "place refused a statement (_FromDriver).",
        f"Is the table {_TABLE} the one of this version?",
    ),
}


@pytest.mark.parametrize(("said", "state"), _SQL)
def test_sql(said: str, state: str | None) -> None:
    """Each error of a database has a sentence and a hint of ours, and says truly whether it passes."""
    error = exc.ProgrammingError("SELECT 1", None, _FromDriver(said, state))
    ours = sql_error.translate(error, "place")
    assert (ours.retryable, ours.message, ours.hint) == _SQL[said, state]


@pytest.mark.parametrize(
    ("said", "state", "crowded"),
    [
        ("no", "53300", True),
        ("sorry, too many clients already", None, True),
        ("no", "08006", False),
        ("no", None, False),
    ],
)
def test_a_crowded_database_is_told_from_others(said: str, state: str | None, *, crowded: bool) -> None:
    """What has no connection to give is waited for, and nothing else."""
    assert sql_error.is_crowded(exc.OperationalError("SELECT 1", None, _FromDriver(said, state))) is crowded


def test_an_error_of_the_system_is_told() -> None:
    """What the operating system says of a path is told with it; what passes is retryable."""
    ours = unusable(Path("/place"), OSError(errno.EACCES, ""), "can't be read")
    assert (type(ours), ours.message) == (StoreError, "/place can't be read: Permission denied.")
    assert ours.hint == "Correct the access rights or the disk, or name another folder."
    busy = unusable(Path("/place"), OSError(errno.EBUSY, ""), "can't be written")
    assert (type(busy), busy.message) == (StoreUnavailable, "/place can't be written: Device or resource busy.")
    assert unusable(Path("/place"), OSError("no number"), "can't be read").message.endswith(": unknown error.")


def _refusal(folder: Path) -> tuple[str, str]:
    with pytest.raises(StoreError) as caught:
        PrivateFolder(folder).prepare()
    return caught.value.message, caught.value.hint


def test_a_folder_that_is_not_private_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reason not to use a folder names it, and says what to do."""
    linked, file, opened = tmp_path / "linked", tmp_path / "file", tmp_path / "open"
    linked.symlink_to(tmp_path)
    file.touch()
    opened.mkdir()
    opened.chmod(0o777)
    assert _refusal(linked) == (
        f"{linked} is a symlink, which tokens are not written through.",
        "Name the folder itself in PROCOUNTOR_TOKEN_STORE=file:PATH.",
    )
    assert _refusal(file) == (f"{file} is not a folder.", "Name a folder in PROCOUNTOR_TOKEN_STORE=file:PATH.")
    # Without the sticky bit it is not shared: anybody could put another folder in the place of ours.
    assert _refusal(opened) == (
        f"{opened} can be written by others (mode 0777).",
        f"Run chmod 700 {opened}, or name a new folder inside it in PROCOUNTOR_TOKEN_STORE=file:PATH.",
    )
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert _refusal(tmp_path) == (
        f"{tmp_path} belongs to another user (uid {os.getuid()}).",
        "Name a folder of your own in PROCOUNTOR_TOKEN_STORE=file:PATH; it is made if it is not there.",
    )
