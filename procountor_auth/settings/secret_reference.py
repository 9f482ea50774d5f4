"""References to secrets, as values of variables: `SCHEME:…`.

    keyring:NAME        an entry of this user's keychain
    file:/path          the content of a file
    command:op read …   the output of a program, which is run without a shell
    literal:…           the text itself, for a secret that looks like a reference

Other packages register schemes as entry points: a function that takes the text after the colon, and returns text.

    [project.entry-points."procountor_auth.secrets"]
    vault = "my_package:read"

A reference is followed when the secret is first needed, once for each token source, and again by `reload()` and after
the server has definitely rejected the secret.
"""

from __future__ import annotations

import re
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, Problem, StoreError, printable
from procountor_auth.protocol.extra import missing_extra
from procountor_auth.settings.unfollowed import Unfollowed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from procountor_auth.settings.keychain import Keychain

GROUP: Final = "procountor_auth.secrets"
"""The group of entry points."""

PREFIX: Final = "keyring:"

LITERAL: Final = "literal"

SCHEMES: Final = ("keyring", "file", "command", LITERAL)
"""The built-in schemes. Other packages can't replace them."""

_URLS: Final = frozenset(
    {"redis", "rediss", "valkey", "valkeys", "unix", "postgresql", "sqlite", "http", "https", "socks5", "socks5h"}
)
"""Schemes of token stores and proxies: they are not looked up among the registered ones."""

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):")


def scheme_of(value: SecretStr) -> str | None:
    """Return the scheme of a reference, or None if a value is the secret itself."""
    found = _SCHEME.match(value.get_secret_value())
    if found is None or found[1].partition("+")[0] in _URLS:
        return None
    return found[1] if found[1] in SCHEMES or _registered(found[1]) else None


def is_reference(value: object) -> bool:
    """Whether a value is a reference."""
    return isinstance(value, SecretStr) and scheme_of(value) is not None


def check_reference(value: SecretStr, allowed: tuple[str, ...] = ()) -> bool:
    """Whether a value is a reference. Its syntax is checked.

    Args:
        value: The value.
        allowed: Values with these schemes are not references.

    Raises:
        ValueError: The reference is empty or malformed.
    """
    scheme = scheme_of(value)
    if scheme is None or scheme in allowed:
        return False
    rest = value.get_secret_value().partition(":")[2].strip()
    if scheme == "keyring" and not rest:
        raise ValueError("must name the keychain's entry: keyring:NAME")
    if scheme == "file" and not rest:
        raise ValueError("must name the file: file:/path")
    if scheme == "command":
        from procountor_auth.settings.secret_command import arguments_of  # noqa: PLC0415 - for such a reference only

        arguments_of(SecretStr(rest))
    return True


def follow(variable: str, value: SecretStr) -> SecretStr:
    """Return the secret that `value` refers to, or `value` itself if it is not a reference.

    Args:
        variable: The variable with this value, for errors.
        value: The value.

    Raises:
        ConfigurationError: The reference can't be followed: there is no such entry or file, the program failed, or a
            package is not installed.
        StoreUnavailable: The keychain is locked, or does not respond.
        StoreError: There is no secure keychain, or it failed.
    """
    scheme = scheme_of(value)
    if scheme is None:
        return value
    # No error contains the text after the colon, in its message or its traceback: it may be the secret itself, put
    # there by mistake.
    found = _follow(variable, scheme, SecretStr(value.get_secret_value().partition(":")[2]))
    if isinstance(found, SecretStr) and not found.get_secret_value():
        # A variable that is empty is not set, and what it refers to is no secret either.
        found = Unfollowed("leads to something that is empty", "Put the secret there, or remove the variable.")
    if isinstance(found, Unfollowed):
        problem = Problem(variable, "unreadable", f"{variable} {found.what}")
        raise ConfigurationError.from_problems((problem,), hint=found.hint)
    if isinstance(found, StoreError):
        raise found.with_traceback(None)
    return found


class SecretReferences:
    """Follows each reference only once, for many profiles that share references."""

    def __init__(self) -> None:
        self._found: dict[SecretStr, SecretStr] = {}
        self._locks: dict[SecretStr, Lock] = {}

    def follow(self, variable: str, value: SecretStr) -> SecretStr:
        """Do what `follow` does, and remember the secret."""
        with self._locks.setdefault(value, Lock()):
            found = self._found.get(value)
            if found is None:
                found = self._found[value] = follow(variable, value)
            return found


def _follow(variable: str, scheme: str, rest: SecretStr) -> SecretStr | Unfollowed | StoreError:
    if scheme == LITERAL:
        return rest
    if scheme == "keyring":
        return _from_keychain(variable, rest)
    if scheme == "file":
        from procountor_auth.settings.secret_file import read_secret_file  # noqa: PLC0415 - each only if it is used

        return read_secret_file(rest)
    if scheme == "command":
        from procountor_auth.settings.secret_command import run_secret_command  # noqa: PLC0415 - the same

        return run_secret_command(rest)
    return _from_package(scheme, rest)


def _from_keychain(variable: str, name: SecretStr) -> SecretStr | Unfollowed | StoreError:
    keychain = _keychain(f"set {variable} to the secret itself.")
    if isinstance(keychain, Unfollowed):
        return keychain
    try:
        found = keychain.get(name.get_secret_value())
    except StoreError as error:
        return type(error)(f"{variable}: {error.message}", hint=error.hint)
    if found is not None:
        return found
    made = "Create a key with `procountor-auth key create --keyring`, and set the variable that it prints."
    put = "Add it: keyring set procountor-auth NAME."
    return Unfollowed(
        "refers to an entry that this user's keychain does not have", made if variable.endswith("API_KEY") else put
    )


def _from_package(scheme: str, rest: SecretStr) -> SecretStr | Unfollowed:
    points = _registered(scheme)
    packages = " and ".join(sorted({point.dist.name if point.dist else "an unknown package" for point in points}))
    point, *others = points
    if others:
        # The first one would depend on the order of sys.path.
        return Unfollowed(f"has the scheme {scheme}, which both {packages} register", f"Uninstall one of {packages}.")
    failed = ""
    try:
        found = point.load()(rest.get_secret_value())
        found = found.get_secret_value() if isinstance(found, SecretStr) else found
        if isinstance(found, str):
            found = str.__str__(found)  # of a subclass only the text
        if isinstance(found, str) and found:
            return SecretStr(found)
        failed = "returned nothing" if found is None or found == "" else "did not return text"
    # Another package can raise anything, with any text; also SystemExit, if it is made of a command.
    except (Exception, SystemExit) as error:  # noqa: BLE001 - see above
        failed = f"failed ({printable(type(error).__name__)})"
    return Unfollowed(
        f"has the scheme {scheme}, and {packages}, which registers it, {failed}",
        f"Call {point.value} with what follows `{scheme}:` to see why.",
    )


@lru_cache(maxsize=32)
def _registered(scheme: str) -> tuple[EntryPoint, ...]:
    """Return the entry points that register a scheme: normally none or one."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - only for values with a colon

    found = {point.value: point for point in entry_points(group=GROUP) if point.name == scheme}
    return tuple(found[value] for value in sorted(found))


def keep(name: str, secret: SecretStr) -> str:
    """Store an API key in the keychain, and return the reference to it. Raises what `follow` raises."""
    _opened().put(name, secret)
    return f"{PREFIX}{name}"


def check() -> None:
    """Check that the keychain can be used. Raises what `follow` raises."""
    _opened().get("nothing")


def _opened() -> Keychain:
    variable = "PROCOUNTOR_API_KEY"
    keychain = _keychain(f"set {variable} to the key itself.")
    if isinstance(keychain, Unfollowed):
        problem = Problem(variable, "invalid", f"{variable} {keychain.what}")
        raise ConfigurationError.from_problems((problem,), hint=keychain.hint)
    return keychain


def _keychain(instead: str) -> Keychain | Unfollowed:
    try:
        from procountor_auth.settings.keychain import Keychain  # noqa: PLC0415 - keyring is an extra
    except ImportError as error:
        extra = missing_extra(error, "keyring", "keyring")
        return Unfollowed(f"is a reference to a keychain ({PREFIX}…), which {extra.what}", extra.hint)
    return Keychain(instead)
