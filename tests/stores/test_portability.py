"""Golden entries: what was written once is read by every later version, on every Python, with every set of extras."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretBytes

from procountor_auth.protocol.token import Token
from procountor_auth.stores import Entry
from procountor_auth.stores.codec import Codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from tests.stores.conftest import Place

KEY = "company-1"

TOKEN = Token("access-golden", 1_000.25, 4_000_000_000.5, "authorization_code", "refresh-golden")

# These bytes are a promise and are never changed. A new schema gets golden entries of its own.
PLAIN = (
    b'{"schema":1,"version":3,"token":{"access_token":"access-golden","issued_at":1000.25,"expires_at":400'
    b'0000000.5,"strategy":"authorization_code","refresh_token":"refresh-golden"}}'
)

SEALED = (
    b'{"schema":1,"version":3,"sealed":"gAAAAABrBL4N_rMosHBqb9saQAZ4VaXgWTyLQd-pzioS5wmvB2bKsjZJe2p84vfu-y'
    b"QlUJ16oXgSO_6CIe2Cz-kcCuVHDDzGZG25U6GPk3ou6mp11d-H-_qqhQ7v4GinRPaYK4Y2f59JZnEKH9yBiUgobTu_VDbxf8xkMj"
    b"9p-WEny_6toiEjfmPtswGFmw4Fz8q7FQztQdB_5ANtbv20KHE6b4F395lrZC-kygjwxxhyctnnMfbaWOErG9GDEKOTt0NQG35rl1"
    b'_0qJILbsSXYuQTgb_SoxYZuP9Sf90aAZGbYUYHIH7lHNt2DidxHcUcvreba8Kvgxn9"}'
)

SEALED_INVALIDATION = (
    b'{"schema":1,"version":4,"sealed":"gAAAAABrBL4NNVFii5lLU1JuYutzjbaFrHNHBO_JWKBu8irBxPbtOsaBYk2tbAm7bO'
    b'c5ef_R8a7Xg0ZGSeCNZWG35VQIbxuS96sHsNRGxVW0MVDr6e8cJkBh_Y2gEfvk3Up-fcZQ0BZ0"}'
)

UNKNOWN_FIELDS = (
    b'{"schema":1,"version":5,"written_by":"1.9","token":{"access_token":"a","issued_at":1,"expires_at":2,'
    b'"strategy":"x","refresh_token":null,"more":[1]}}'
)


def decoded(data: bytes, keys: tuple[SecretStr, ...]) -> object:
    """Return what a codec makes of the bytes."""
    return Codec(keys).decode(KEY, SecretBytes(data))


def test_a_plain_entry_is_read(two_keys: tuple[SecretStr, ...]) -> None:
    """Plain bytes of schema 1 are the token that they were, with and without a key."""
    assert decoded(PLAIN, ()) == Entry(3, TOKEN)
    assert decoded(PLAIN, two_keys) == Entry(3, TOKEN)


def test_a_sealed_entry_is_read(two_keys: tuple[SecretStr, ...]) -> None:
    """Sealed bytes of schema 1 are the token that they were, with the key in any place."""
    for keys in (two_keys[:1], two_keys, two_keys[::-1]):
        assert decoded(SEALED, keys) == Entry(3, TOKEN)
        assert decoded(SEALED_INVALIDATION, keys) == Entry(4, None)


def test_plain_bytes_are_written_the_same_everywhere() -> None:
    """An entry is the same bytes on every Python."""
    assert Codec().encode(KEY, Entry(3, TOKEN)).get_secret_value() == PLAIN


def test_unknown_fields_are_ignored() -> None:
    """What a later version adds without a new schema does not keep this one from reading."""
    assert decoded(UNKNOWN_FIELDS, ()) == Entry(5, Token("a", 1.0, 2.0, "x"))


@pytest.mark.parametrize("kind", ["file", "keyring"])
def test_a_store_that_was_written_elsewhere_is_read(kind: str, place_of: Callable[[str], Place]) -> None:
    """A store's entry that another version has written is read and written on."""
    place = place_of(kind)
    place.plant(KEY, PLAIN)
    assert place.open().read(KEY) == Entry(3, TOKEN)
    with place.open().transaction(KEY, timeout=5) as transaction:
        transaction.write(None)
    assert place.open().read(KEY) == Entry(4, None)
