"""``procountor-auth bridge hash``: the hash of a password, to configure in its place."""

from __future__ import annotations

import getpass
import importlib
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from procountor_auth.cli.exit_status import CONFIGURATION, CommandError
from procountor_auth.cli.extras import exit_if_extra_is_missing
from procountor_auth.cli.options import is_utf8

if TYPE_CHECKING:
    from pydantic import SecretStr


def hash_password() -> None:
    """Print the Argon2 hash of a password, for PROCOUNTOR_BRIDGE_PASSWORD.

    On a terminal, you are prompted for the password, and it is not echoed. Otherwise it is read from the first line of
    standard input.
    """
    try:
        importlib.import_module("argon2")  # it may be missing
    except ModuleNotFoundError as error:
        exit_if_extra_is_missing(error)
        raise
    from procountor_auth.bridge.password import hash_password as hashed  # noqa: PLC0415 - not needed for help

    is_typed = sys.stdin is not None and sys.stdin.isatty()
    password: SecretStr | None = None
    with suppress(UnicodeDecodeError):
        password = _typed() if is_typed else _read()
    if password is None or not is_utf8(password.get_secret_value()):
        where = "" if is_typed else " on standard input"
        raise CommandError(f"the password{where} is not UTF-8", code="usage", status=CONFIGURATION)
    if not password.get_secret_value():
        raise CommandError("standard input has no password", code="usage", status=CONFIGURATION)
    typer.echo(hashed(password))


def _typed() -> SecretStr:
    from pydantic import SecretStr  # noqa: PLC0415 - as above

    password = SecretStr(getpass.getpass("Password: "))
    if password.get_secret_value() != getpass.getpass("Again: "):
        raise CommandError("the two passwords differ", code="usage", status=CONFIGURATION)
    return password


def _read() -> SecretStr:
    from pydantic import SecretStr  # noqa: PLC0415 - as above

    return SecretStr(sys.stdin.readline().rstrip("\r\n") if sys.stdin is not None else "")
