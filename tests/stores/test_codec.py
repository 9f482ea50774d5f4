"""The codec: keys, and bytes that nobody can trust."""

from __future__ import annotations

import json
import pickle
import random
import sys

import pytest
from pydantic import SecretBytes, SecretStr

from procountor_auth.errors import ConfigurationError, Problem, StoreError, UnreadableEntry
from procountor_auth.protocol.token import Token
from procountor_auth.stores import Entry
from procountor_auth.stores.codec import MAX_SIZE, Codec, Damaged
from procountor_auth.stores.failure import Failure
from procountor_auth.stores.lineage import MAX_SPENT, Lineage
from procountor_auth.stores.use import Use

KEY = "company-1"


def whole(**changed: object) -> bytes:
    """Return an entry with some fields of its token changed."""
    token = {"access_token": "a", "issued_at": 1, "expires_at": 2, "strategy": "x", "refresh_token": None}
    return json.dumps({"schema": 1, "version": 3, "token": token | changed}).encode()


@pytest.mark.parametrize(
    "key",
    [
        "CANARY",
        "",
        "CANARY-é",
        "Q0FOQVJZQ0FOQVJZ",
        "Q0FOQVJZ" * 6,
        "nJf9-2P7jQRmJJYTuxkQlkw9BQVyIGT9UVsbqpYP25",
        f"{'A' * 43}=garbage",
        f"{'A' * 43}=;{'B' * 43}=",
        f"{'A' * 42}!A=",
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_a_key_that_is_none_is_refused(two_keys: tuple[SecretStr, ...], key: str, number: int) -> None:
    """A key that is not Fernet's is an error that names the variable, tells how to make one, and shows no key."""
    keys = (*two_keys[: number - 1], SecretStr(key))
    with pytest.raises(ConfigurationError) as caught:
        Codec(keys)
    which = f"key {number} of {number}" if number > 1 else "the key"
    said = f"PROCOUNTOR_TOKEN_STORE_KEY: {which} is not 32 bytes in URL-safe base64"
    assert caught.value.problems == (Problem("PROCOUNTOR_TOKEN_STORE_KEY", "invalid", said),)
    assert caught.value.hint == (
        'Make one with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())". '
        "Several keys are separated by commas."
    )
    assert not key or key not in str(caught.value) + caught.value.json()
    assert caught.value.__context__ is None


def test_a_key_needs_cryptography(two_keys: tuple[SecretStr, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without cryptography, a key is an error that says what to install, and no key needs nothing."""
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    with pytest.raises(ConfigurationError) as caught:
        Codec(two_keys)
    said = "PROCOUNTOR_TOKEN_STORE_KEY needs cryptography"
    assert caught.value.problems == (Problem("PROCOUNTOR_TOKEN_STORE_KEY", "invalid", said),)
    assert caught.value.hint == "Run: pip install 'procountor-auth[encryption]'; or unset the variable."
    assert caught.value.__context__ is None
    assert not Codec().seals


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"access_token": ""}, "its token is impossible"),
        ({"access_token": None}, "its token is impossible"),
        ({"access_token": "a b"}, "its token is impossible"),
        ({"access_token": "a\r\nb"}, "its token is impossible"),
        ({"access_token": "\ud800"}, "its token is impossible"),
        ({"access_token": "a" * 70_000}, "its token is impossible"),
        ({"refresh_token": ""}, "its token is impossible"),
        ({"refresh_token": 7}, "its token is impossible"),
        ({"issued_at": "1"}, "its times are impossible"),
        ({"issued_at": True}, "its times are impossible"),
        ({"issued_at": None}, "its times are impossible"),
        ({"issued_at": 10**12}, "its times are impossible"),
        ({"expires_at": 10**400}, "its times are impossible"),
        ({"expires_at": -(10**13)}, "its times are impossible"),
        ({"expires_at": [1]}, "its times are impossible"),
        ({"strategy": ""}, "its strategy is impossible"),
        ({"strategy": None}, "its strategy is impossible"),
        ({"strategy": "x\n"}, "its strategy is impossible"),
    ],
    ids=str,
)
def test_a_token_that_is_impossible_is_damaged(changed: dict[str, object], reason: str) -> None:
    """Every field has the type and the form that it was written with, or the entry is none, and says why."""
    assert isinstance(Codec().decode(KEY, SecretBytes(whole())), Entry)
    assert Codec().decode(KEY, SecretBytes(whole(**changed))) == Damaged(reason)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[1]", "it is not a JSON object"),
        (b"torn", "it is not the JSON that was written"),
        (b'{"\xff": 1}', "it is not the JSON that was written"),
        (b" " * (MAX_SIZE + 1), f"it is longer than {MAX_SIZE} bytes"),
        (b" " * MAX_SIZE, "it is not the JSON that was written"),
        (b"{}", "it has no schema version"),
        (b'{"schema":"1","version":1,"token":null}', "it has no schema version"),
        (b'{"schema":0,"version":1,"token":null}', "its schema or version is impossible"),
        (b'{"schema":1,"token":null}', "its schema or version is impossible"),
        (b'{"schema":1,"version":1}', "it has no token"),
        (b'{"schema":1,"version":1,"token":[]}', "it has no token"),
        (b'{"schema":1,"version":1,"sealed":"gAAA"}', "what should be sealed is not"),
        (b'{"schema":1,"version":1,"sealed":7}', "what should be sealed is not"),
    ],
)
def test_what_is_damaged_says_why(data: bytes, reason: str) -> None:
    """Each kind of damage has its reason, which shows nothing of the bytes."""
    assert Codec().decode(KEY, SecretBytes(data)) == Damaged(reason)


def test_what_can_not_be_opened_says_where_it_is(token: Token, two_keys: tuple[SecretStr, ...]) -> None:
    """A newer schema, a missing key and another key each have a sentence with the place, and a hint."""
    sealed = Codec(two_keys[:1]).encode(KEY, Entry(3, token))
    newer = SecretBytes(b'{"schema":2}')
    give = (
        "Set PROCOUNTOR_TOKEN_STORE_KEY to the key that it was sealed with; after a rotation, put the new key first "
        "and keep the old one behind it. If the key is lost, `procountor-auth logout` removes the entry."
    )
    upgrade = "Upgrade procountor-auth here too; what is stored was left as it is."
    place = "It is in the drawer."
    for codec, data, message, hint, is_sealed in (
        (Codec(), sealed, f"is sealed, and PROCOUNTOR_TOKEN_STORE_KEY is not set. {place}", give, True),
        (
            Codec(two_keys[1:]),
            sealed,
            f"was sealed with another key than PROCOUNTOR_TOKEN_STORE_KEY has. {place}",
            give,
            True,
        ),
        (Codec(), newer, f"has schema 2, and this version of procountor-auth knows 1. {place}", upgrade, False),
    ):
        error = codec.decode(KEY, data, "the drawer")
        assert isinstance(error, UnreadableEntry)
        assert (error.message, error.hint, error.sealed) == (f"The stored token {message}", hint, is_sealed)
    unnamed = Codec().decode(KEY, sealed)
    assert isinstance(unnamed, UnreadableEntry)
    assert unnamed.message.endswith("It is in the store.")


def test_what_could_not_be_read_again_says_so() -> None:
    """A token that no codec would read is not written."""
    with pytest.raises(StoreError) as caught:
        Codec().encode(KEY, Entry(1, Token("a b", 1.0, 2.0, "x")))
    assert (caught.value.message, caught.value.hint) == (
        "The token can't be stored: it is not one that could be read again.",
        "Use PROCOUNTOR_TOKEN_STORE=memory, and report this with the strategy's name.",
    )


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
    assert codec.decode(KEY, SecretBytes(data)) == Damaged("it was sealed for another place")
    assert codec.decode("other", codec.encode(KEY, Entry(3, token))) == Damaged("it was sealed for another place")


def test_a_codec_shows_no_key(two_keys: tuple[SecretStr, ...]) -> None:
    """Neither its representation nor a pickle has a key in it."""
    codec = Codec(two_keys)
    assert (repr(codec), repr(Codec())) == ("<Codec, sealed>", "<Codec, plain>")
    assert all(key.get_secret_value() not in repr(vars(codec)) for key in two_keys)
    with pytest.raises(TypeError, match=r"^A Codec holds keys and is not pickled\.$"):
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
    use, lineage = Use("digest", 5.0, 35.0, "host", 4242, "boot-1 pid:[7]"), Lineage("origin", 7, ("a", "b"), "before")
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
    assert (entry.lineage.spent, entry.lineage.replaces) == (("b",), "")


@pytest.mark.parametrize(
    ("changed", "spent", "replaces"),
    [
        ({"spent": ["b", 7, "c\n", None, "d"]}, ("b", "d"), "e"),
        ({"spent": [str(number) for number in range(20)]}, tuple(str(number) for number in range(MAX_SPENT)), "e"),
        ({"replaces": 7}, ("b",), ""),
        ({"replaces": "e\x1b[2J"}, ("b",), ""),
    ],
)
def test_of_a_lineage_is_kept_what_can_be(changed: dict[str, object], spent: tuple[str, ...], replaces: str) -> None:
    """Digests that are none are left out, and so are those beyond the number that is remembered."""
    fields = {"origin": "a", "link": 1, "spent": ["b"], "replaces": "e"} | changed
    entry = Codec().decode(KEY, SecretBytes(json.dumps(json.loads(whole()) | {"lineage": fields}).encode()))
    assert isinstance(entry, Entry)
    assert (entry.lineage, entry.lineage.spent, entry.lineage.replaces) == (Lineage("a", 1), spent, replaces)


def test_every_field_of_a_token_comes_back() -> None:
    """The end that a server has announced as well, and nothing where it has announced none; numbers become floats."""
    for each in (
        Token("a", 1.0, 2.0, "x", "r", deprecated_at=3.0, sunset_at=4.0),
        Token("a", 1.0, 2.0, "x", sunset_at=4.0),
        Token("a", 1.0, 2.0, "x"),
    ):
        entry = Codec().decode(KEY, Codec().encode(KEY, Entry(3, each)))
        assert isinstance(entry, Entry)
        assert entry.token is not None
        assert entry.token == each
        assert (entry.token.deprecated_at, entry.token.sunset_at) == (each.deprecated_at, each.sunset_at)
    announced = Codec().decode(KEY, SecretBytes(whole(deprecated_at=3, sunset_at="soon")))
    assert isinstance(announced, Entry)
    assert announced.token is not None
    assert repr((announced.token.deprecated_at, announced.token.sunset_at)) == "(3.0, None)"
    assert repr((announced.token.issued_at, announced.token.expires_at)) == "(1.0, 2.0)"


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


@pytest.mark.parametrize("changed", [{}, {"namespace": 7}, {"namespace": "a\nb"}, {"namespace": "x" * 300}])
def test_a_use_without_a_namespace_is_kept(changed: dict[str, object]) -> None:
    """Where the holder's number counts is not known, as in entries of older versions: the rest still is."""
    use = {"refresh_token": "digest", "since": 1, "until": 2, "host": "host", "pid": 1}
    data = json.dumps(json.loads(whole()) | {"use": use | changed}).encode()
    entry = Codec().decode(KEY, SecretBytes(data))
    assert isinstance(entry, Entry)
    assert entry.use == Use("digest", 1.0, 2.0, "host", 1, "")


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
