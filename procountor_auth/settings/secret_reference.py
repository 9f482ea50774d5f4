"""A reference to a secret in the keychain, which stands in the environment in place of the secret: `keyring:NAME`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ConfigurationError, Problem, StoreError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from procountor_auth.settings.keychain import Keychain

PREFIX: Final = "keyring:"

VARIABLE: Final = "PROCOUNTOR_API_KEY"
"""The one variable that may hold a reference."""


def resolve(value: SecretStr) -> SecretStr:
    """Return the API key that `value` refers to, or `value` itself if it is no reference.

    Raises:
        ConfigurationError: The keychain has no such entry, or the keyring package is not installed.
        StoreUnavailable: The keychain is locked, or does not answer.
        StoreError: There is no keychain that keeps secrets secret, or it failed.
    """
    if not value.get_secret_value().startswith(PREFIX):
        return value
    keychain = _keychain()
    found: SecretStr | StoreError | None
    try:
        found = keychain.get(value.get_secret_value().removeprefix(PREFIX))
    except StoreError as error:
        found = error
    # The name is not shown, nor the frames that have it: somebody may have put the key itself behind the prefix.
    if isinstance(found, StoreError):
        raise found.with_traceback(None)
    if found is None:
        raise _problem(
            "missing",
            f"{VARIABLE} points to an entry that this user's keychain does not have",
            "Make a key with `procountor-auth key create --keyring`, and set the variable that it prints.",
        )
    return found


def keep(name: str, secret: SecretStr) -> str:
    """Put an API key into the keychain, and return the reference to it. Raises what `resolve` raises."""
    _keychain().put(name, secret)
    return f"{PREFIX}{name}"


def check() -> None:
    """Find out whether the keychain can be used. Raises what `resolve` raises."""
    _keychain().get("nothing")


def _keychain() -> Keychain:
    missing = False
    try:
        from procountor_auth.settings.keychain import Keychain  # noqa: PLC0415 - keyring is an extra
    except ImportError:
        missing = True
    if missing:
        raise _problem("invalid", f"{VARIABLE}={PREFIX}… needs keyring", "Run: pip install 'procountor-auth[keyring]'")
    return Keychain(f"set {VARIABLE} to the key itself.")


def _problem(kind: str, message: str, hint: str) -> ConfigurationError:
    return ConfigurationError.from_problems((Problem(VARIABLE, kind, message),), hint=hint)
