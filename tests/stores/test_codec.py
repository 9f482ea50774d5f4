"""The codec: keys, and bytes that nobody can trust."""

from __future__ import annotations

import json
import pickle
import random
import sys
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretBytes, SecretStr

from procountor_auth.errors import ConfigurationError, StoreError
from procountor_auth.stores import Entry
from procountor_auth.stores.codec import Codec, Damaged
from procountor_auth.stores.failure import Failure
from procountor_auth.stores.lineage import Lineage
from procountor_auth.stores.use import Use

if TYPE_CHECKING:
    from procountor_auth.protocol.token import Token

KEY = "company-1"


def whole(**changed: object) -> bytes:
    """Return an entry with some fields of its token changed."""
    token = {"access_token": "a", "issued_at": 1, "expires_at": 2, "strategy": "x", "refresh_token": None}
    return json.dumps({"schema": 1, "version": 3, "token": token | changed}).encode()


@pytest.mark.parametrize(
    "key", ["CANARY", "", "CANARY-é", "Q0FOQVJZQ0FOQVJZ", "Q0FOQVJZ" * 6, "nJf9-2P7jQRmJJYTuxkQlkw9BQVyIGT9UVsbqpYP25"]
)
@pytest.mark.parametrize("number", [1, 2])
def test_a_key_that_is_none_is_refused(two_keys: tuple[SecretStr, ...], key: str, number: int) -> None:
    """A key that is not Fernet's is an error that names the variable, tells how to make one, and shows no key."""
    keys = (*two_keys[: number - 1], SecretStr(key))
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_TOKEN_STORE_KEY") as caught:
        Codec(keys)
    assert "Fernet.generate_key()" in str(caught.value)
    assert not key or key not in str(caught.value) + caught.value.json()
    assert (f"key {number} of {number}" in str(caught.value)) is (number > 1)
    assert caught.value.__context__ is None


def test_a_key_needs_cryptography(two_keys: tuple[SecretStr, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without cryptography, a key is an error that says what to install, and no key needs nothing."""
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises(ConfigurationError, match=r"procountor-auth\[encryption\]") as caught:
        Codec(two_keys)
    assert caught.value.__context__ is None
    assert not Codec().seals


@pytest.mark.parametrize(
    "changed",
    [
        {"access_token": ""},
        {"access_token": None},
        {"access_token": "a b"},
        {"access_token": "a\r\nb"},
        {"access_token": "\ud800"},
        {"access_token": "a" * 70_000},
        {"refresh_token": ""},
        {"refresh_token": 7},
        {"issued_at": "1"},
        {"issued_at": True},
        {"issued_at": None},
        {"expires_at": 10**400},
        {"expires_at": -(10**13)},
        {"expires_at": [1]},
        {"strategy": ""},
        {"strategy": None},
        {"strategy": "x\n"},
    ],
    ids=str,
)
def test_a_token_that_is_impossible_is_damaged(changed: dict[str, object]) -> None:
    """Every field has the type and the form that it was written with, or the entry is none."""
    assert isinstance(Codec().decode(KEY, SecretBytes(whole())), Entry)
    assert isinstance(Codec().decode(KEY, SecretBytes(whole(**changed))), Damaged)


@pytest.mark.parametrize("version", ["0", "-1", "1.0", "true", "null", "1e999", '"1"', "9007199254740992", "9" * 5000])
def test_a_version_that_is_impossible_is_damaged(version: str) -> None:
    """A version is a whole number from 1 that every language can count on."""
    data = b'{"schema":1,"version":%s,"token":null}' % version.encode()
    assert isinstance(Codec().decode(KEY, SecretBytes(data)), Damaged)


@pytest.mark.parametrize("number", ["1e999", "Infinity", "NaN", "-Infinity"])
def test_a_time_without_end_is_damaged(number: str) -> None:
    """Numbers that JSON does not have, or no clock shows, are damage."""
    data = whole().replace(b'"expires_at": 2', b'"expires_at": ' + number.encode())
    assert isinstance(Codec().decode(KEY, SecretBytes(data)), Damaged)


def test_no_bytes_raise(token: Token, two_keys: tuple[SecretStr, ...]) -> None:
    """Whatever was done to the bytes, the result is an entry, damage or our own error, and never a forged token."""
    chance = random.Random(20261123)  # noqa: S311 - no secret depends on it
    for codec in (Codec(), Codec(two_keys[:1])):
        original = codec.encode(KEY, Entry(3, token)).get_secret_value()
        for _ in range(3000):
            data = bytearray(original)
            for _ in range(chance.randint(1, 3)):
                start = chance.randrange(len(data) + 1)
                data[start : start + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 4))
            result = codec.decode(KEY, SecretBytes(bytes(data)))
            assert isinstance(result, Entry | Damaged | StoreError)
            if codec.seals and isinstance(result, Entry):
                assert result == Entry(3, token)


def test_a_version_can_not_be_raised_on_a_sealed_token(token: Token, two_keys: tuple[SecretStr, ...]) -> None:
    """An old sealed token can't be passed off as a later version."""
    codec = Codec(two_keys)
    data = codec.encode(KEY, Entry(3, token)).get_secret_value().replace(b'"version":3', b'"version":4')
    assert isinstance(codec.decode(KEY, SecretBytes(data)), Damaged)


def test_a_codec_shows_no_key(two_keys: tuple[SecretStr, ...]) -> None:
    """Neither its representation nor a pickle has a key in it."""
    codec = Codec(two_keys)
    assert repr(codec) == "<Codec, sealed>"
    assert all(key.get_secret_value() not in repr(vars(codec)) for key in two_keys)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(codec)


@pytest.mark.parametrize("text", ["\x1b[31mred", "two\nlines", "\u202eback", "x" * 5_000, 7, None])
def test_a_failure_that_can_not_be_shown_is_none(text: object) -> None:
    """Whoever writes to a store writes nothing to a terminal or a log: such a failure counts as none."""
    fields = {"kind": "InvalidGrant", "message": text, "hint": "h", "retryable": False}
    data = json.dumps({"schema": 1, "version": 3, "token": None, "failure": fields}).encode()
    entry = Codec().decode(KEY, SecretBytes(data))
    assert isinstance(entry, Entry)
    assert entry.failure is None


def test_lineage_and_use_come_back(token: Token) -> None:
    """What one process writes beside a token, another one reads, sealed or plain, with or without a token."""
    use, lineage = Use("digest", 5.0, 35.0, "host", 4242), Lineage("origin", 7, ("a", "b"), "before")
    failure = Failure("InvalidGrant", "No.", "Ask.", retryable=False, credentials="c", at=9.0, refusals=3)
    for there in (token, None):
        entry = Entry(3, there, failure, lineage, use)
        back = Codec().decode(KEY, Codec().encode(KEY, entry))
        assert back == entry
        assert isinstance(back, Entry)
        assert (back.lineage.spent, back.lineage.replaces) == (("a", "b"), "before")


def test_the_first_link_of_a_lineage_comes_back() -> None:
    """Links are counted from 0."""
    data = json.dumps(json.loads(whole()) | {"lineage": {"origin": "a", "link": 0, "spent": ["b"]}}).encode()
    entry = Codec().decode(KEY, SecretBytes(data))
    assert isinstance(entry, Entry)
    assert entry.lineage == Lineage("a", 0, ("b",))


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {},
        {"origin": 1, "link": 1, "spent": []},
        {"origin": "a", "link": -1, "spent": []},
        {"origin": "a", "link": True, "spent": []},
        {"origin": "a", "link": 1.5, "spent": []},
        {"origin": "a\x1b[2J", "link": 1, "spent": []},
        {"origin": "a" * 300, "link": 1, "spent": []},
        {"origin": "a", "link": 1, "spent": "b"},
        {"origin": "a", "link": 2**60, "spent": []},
    ],
)
def test_a_lineage_that_can_not_be_is_none(fields: object) -> None:
    """The token is kept, and begins one."""
    data = json.dumps(json.loads(whole()) | {"lineage": fields}).encode()
    entry = Codec().decode(KEY, SecretBytes(data))
    assert isinstance(entry, Entry)
    assert entry.token is not None
    assert entry.lineage == Lineage.of(entry.token)


@pytest.mark.parametrize(
    "changed",
    [
        {"refresh_token": 1},
        {"since": "now"},
        {"since": -1e11},
        {"since": 1e12},
        {"until": None},
        {"host": "a\nb"},
        {"pid": 0},
        {"pid": -1},
        {"pid": 2**40},
        {"pid": "1"},
    ],
)
def test_a_use_that_can_not_be_is_none(changed: dict[str, object]) -> None:
    """Nobody waits for it, and no process outside of the usual numbers is looked for."""
    use = {"refresh_token": "digest", "since": 1, "until": 2, "host": "host", "pid": 1}
    data = json.dumps(json.loads(whole()) | {"use": use | changed}).encode()
    entry = Codec().decode(KEY, SecretBytes(data))
    assert isinstance(entry, Entry)
    assert entry.use is None


@pytest.mark.parametrize(("at", "refusals"), [(None, 1), (1, -1), (1, "2"), ("1", 2), (1e400, 2)])
def test_a_pause_that_can_not_be_is_none(at: object, refusals: object) -> None:
    """The failure itself is kept."""
    failure = {"kind": "InvalidGrant", "message": "No.", "hint": "Ask.", "credentials": "c"}
    fields = failure | {"at": at, "refusals": refusals}
    data = json.dumps({"schema": 1, "version": 3, "token": None, "failure": fields}).encode()
    entry = Codec().decode(KEY, SecretBytes(data.replace(b"Infinity", b"1e400")))
    assert isinstance(entry, Entry)
    assert entry.failure is not None
    assert (entry.failure.at, entry.failure.refusals) == (0.0, 0)
