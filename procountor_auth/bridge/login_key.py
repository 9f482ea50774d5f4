"""The key of a login in the store, from a profile's settings alone: the password is not used."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from .records import PREFIX

if TYPE_CHECKING:
    from procountor_auth.settings.settings import Settings

NEEDED: Final = ("username", "password", "company", "client_id", "client_secret")
"""The settings that a login needs. But for the company, each may have another value for the bridge: `bridge_…`."""


def key_for(host: str, client_id: str, username: SecretStr, company: str) -> str:
    """Return the key of a login: 20 hexadecimal digits, with nothing readable.

    Args:
        host: Scheme and host of the service.
        client_id: The client that the program says it is.
        username: The user's name.
        company: The company's number.
    """
    parts = [host, client_id, username.get_secret_value(), company]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


IN_KEY: Final = ("client_id", "company", "username")
"""The settings that the key of a login is made from, with the host. The user's name comes last: it may be a reference,
which is followed for nothing where something else is missing."""


def entry_of(settings: Settings) -> str | None:
    """Return the key under which the store has the record of a profile's login, or None if there can be none.

    Raises:
        ConfigurationError: A reference can't be followed.
        StoreError: The user's name is in a keychain that can't be used.
    """
    key = key_of(settings)
    return None if key is None else PREFIX + key


def key_of(settings: Settings) -> str | None:
    """Return the key of a profile's login, or None if something that it is made from is not set.

    Raises:
        ConfigurationError: A reference can't be followed.
        StoreError: The user's name is in a keychain that can't be used.
    """
    values: list[SecretStr] = []
    for name in IN_KEY:
        value = value_of(settings, name)
        if value is None:
            return None
        values.append(value)
    client_id, company, username = values
    return key_for(settings.endpoints.host, client_id.get_secret_value(), username, company.get_secret_value())


def needed_by_the_bridge(settings: Settings) -> tuple[str, ...]:
    """Return the settings that the bridge takes from the legacy login, because its own are not set."""
    return tuple(name for name in NEEDED if getattr(settings, f"bridge_{name}", None) is None)


def value_of(settings: Settings, name: str) -> SecretStr | None:
    """Return a value of a login, from the bridge's own setting if it has one.

    Raises:
        ConfigurationError: A reference can't be followed.
        StoreError: It is in a keychain that can't be used.
    """
    for each in (f"bridge_{name}", name):
        value = getattr(settings, each, None)
        if value is not None:
            return settings.required(each) if isinstance(value, SecretStr) else SecretStr(value)
    return None
