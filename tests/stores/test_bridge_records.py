"""What the bridge keeps, in each kind of store: one record for each login, and hashes in the place of secrets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from procountor_auth.bridge.caller import MAX_CALLERS, callers_in
from procountor_auth.bridge.credentials import (
    ACCESS_TOKEN_SECONDS,
    CODE_SECONDS,
    MAX_TOKENS,
    REFRESH_TOKEN_SECONDS,
    Credentials,
    digest,
)
from procountor_auth.bridge.records import PREFIX, Records
from procountor_auth.errors import StoreError
from procountor_auth.protocol.token import Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stores.conftest import Place

LOGIN = "0123456789abcdef0123"
OTHER = "fedcba9876543210fedc"


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the Unix time in seconds."""
        return self.now


@pytest.fixture
def time() -> Time:
    """The time of the bridge."""
    return Time()


def opened(place: Place, time: Time) -> Credentials:
    """Return the credentials in one more store over the same entries, as another bridge has them."""
    return Credentials(Records(place.open(), clock=time))


def test_each_bridge_knows_what_another_one_has_issued(place: Place, time: Time) -> None:
    """Codes, access tokens and refresh tokens that one has written are another one's as well."""
    one, two = opened(place, time), opened(place, time)
    code = one.issue_code(LOGIN, "redirect-uri-placeholder")
    assert two.take_code(code) == "redirect-uri-placeholder"
    assert one.take_code(code) is None
    issued = two.issue(LOGIN, "Program/1")
    assert one.access_tokens(LOGIN) == {digest(issued.access_token): time.now + ACCESS_TOKEN_SECONDS}
    assert one.has_refresh_token(issued.refresh_token)
    access = one.refresh(issued.refresh_token, "Program/1")
    assert access is not None
    assert two.access_tokens(LOGIN).keys() == {digest(issued.access_token), digest(access)}
    two.end_access_token(issued.access_token)
    assert one.access_tokens(LOGIN).keys() == {digest(access)}
    assert one.access_tokens(OTHER) == {}


def test_a_record_is_gone_when_all_of_it_has_expired(place: Place, time: Time) -> None:
    """Codes live for five minutes, access tokens for an hour, refresh tokens for six months."""
    credentials = opened(place, time)
    code = credentials.issue_code(LOGIN, "redirect-uri-placeholder")
    issued = credentials.issue(LOGIN, "Program/1")
    time.now += CODE_SECONDS
    assert credentials.take_code(code) is None
    time.now += ACCESS_TOKEN_SECONDS - CODE_SECONDS - 1
    assert credentials.access_tokens(LOGIN).keys() == {digest(issued.access_token)}
    time.now += 1
    assert credentials.access_tokens(LOGIN) == {}
    time.now += REFRESH_TOKEN_SECONDS - ACCESS_TOKEN_SECONDS - 1
    assert credentials.has_refresh_token(issued.refresh_token)
    time.now += 1
    assert not credentials.has_refresh_token(issued.refresh_token)
    assert credentials.refresh(issued.refresh_token, "Program/1") is None


@pytest.mark.parametrize("kind", ["code", "access", "refresh"])
def test_of_too_many_the_oldest_one_ends(place: Place, time: Time, kind: str) -> None:
    """A login has so many of each kind; one more ends the one that would have expired first, and no other."""
    credentials = opened(place, time)
    # The record as it is after so many: writing them one by one takes long.
    first = SecretStr(f"{LOGIN}.the-first")
    life = 200 if kind == "code" else 3_000
    lives = {f"{number:064x}": [time.now + life + number, "r"] for number in range(MAX_TOKENS[kind] - 1)}
    with credentials._records.changing(LOGIN) as change:
        change.fields[kind] = {digest(first): [time.now + life - 1, "r"], **lives}
        change.write(time.now + REFRESH_TOKEN_SECONDS)

    def kept() -> set[str]:
        return set(credentials._records.read(LOGIN)[kind])

    assert len(kept()) == MAX_TOKENS[kind]
    if kind == "code":
        new = credentials.issue_code(LOGIN, "r")
    else:
        issued = credentials.issue(LOGIN, "Program/1")
        new = issued.access_token if kind == "access" else issued.refresh_token
    assert kept() == {*lives, digest(new)}


def test_one_of_many_gets_a_code(place: Place, time: Time) -> None:
    """A code that many take at once, each over a store of its own, is taken once."""
    code = opened(place, time).issue_code(LOGIN, "redirect-uri-placeholder")
    bridges = [opened(place, time) for _ in range(6)]
    with ThreadPoolExecutor(len(bridges)) as pool:
        taken = list(pool.map(lambda bridge: bridge.take_code(code), bridges))
    assert sorted(map(str, taken)) == ["None"] * (len(bridges) - 1) + ["redirect-uri-placeholder"]


def test_nothing_is_lost_where_many_write(place: Place, time: Time) -> None:
    """Logins at the same time, each over a store of its own, all are there afterwards."""
    bridges = [opened(place, time) for _ in range(6)]
    with ThreadPoolExecutor(len(bridges)) as pool:
        issued = list(pool.map(lambda bridge: bridge.issue(LOGIN, "Program/1"), bridges))
    credentials = opened(place, time)
    assert credentials.access_tokens(LOGIN).keys() == {digest(each.access_token) for each in issued}
    (caller,) = callers_in(credentials._records.read(LOGIN))
    assert (caller.user_agent, caller.logins, caller.last_login_at) == ("Program/1", len(bridges), time.now)


def test_the_store_has_no_token_and_nothing_readable(outside: Place, time: Time) -> None:
    """Whoever reads the store can't use anything of it at a bridge; sealed, not even the programs' names are there."""
    credentials = opened(outside, time)
    code = credentials.issue_code(LOGIN, "redirect-uri-placeholder")
    issued = credentials.issue(LOGIN, "Program/1")
    stored = outside.peek(PREFIX + LOGIN)
    assert stored is not None
    text = stored.decode("utf-8", "replace") + str(credentials._records.read(LOGIN))
    for secret in (code, *issued):
        assert secret.get_secret_value().partition(".")[2] not in text
    assert (b'"bridge"' in stored) is ("sealed" not in outside.kind)


def test_revoked_is_all_but_who_has_called(place: Place, time: Time) -> None:
    """All codes and tokens of one login end, and are counted; those of another go on."""
    credentials = opened(place, time)
    code = credentials.issue_code(LOGIN, "redirect-uri-placeholder")
    issued = credentials.issue(LOGIN, "Program/1")
    others = credentials.issue(OTHER, "Program/2")
    assert credentials.revoke(LOGIN) == 2
    assert credentials.access_tokens(LOGIN) == {}
    assert not credentials.has_refresh_token(issued.refresh_token)
    assert credentials.take_code(code) is None
    assert credentials.revoke(LOGIN) == 0
    assert [caller.user_agent for caller in callers_in(credentials._records.read(LOGIN))] == ["Program/1"]
    assert credentials.access_tokens(OTHER).keys() == {digest(others.access_token)}


def test_the_programs_that_came_last_are_remembered(place: Place, time: Time) -> None:
    """Of more programs than are kept, those that came last are; one that comes again is counted."""
    credentials = opened(place, time)
    for number in range(MAX_CALLERS + 2):
        time.now += 1
        credentials.issue(LOGIN, f"Program/{number}")
    time.now += 1
    credentials.issue(LOGIN, "Program/5")
    callers = callers_in(credentials._records.read(LOGIN))
    expected = ["Program/5", *(f"Program/{number}" for number in range(MAX_CALLERS + 1, 1, -1) if number != 5)]
    assert [caller.user_agent for caller in callers] == expected
    assert [caller.logins for caller in callers] == [2] + [1] * (MAX_CALLERS - 1)


def test_a_token_that_is_no_record_counts_as_none(place: Place, time: Time) -> None:
    """What is not the bridge's under one of its keys is not read as a record."""
    store = place.open()
    with store.transaction(PREFIX + LOGIN, timeout=10) as transaction:
        transaction.write(Token("e30=", time.now, time.now + 1000, "client_credentials"))
    credentials = opened(place, time)
    assert credentials.access_tokens(LOGIN) == {}
    assert credentials.revoke(LOGIN) == 0


@pytest.mark.parametrize("name", ["nobody", "", ".", "a.b.c", f"{'x' * 41}.y", "../../etc/passwd.x", "ä.b", "a b.c"])
def test_what_looks_like_no_token_is_nobodys(place: Place, time: Time, name: str) -> None:
    """Whatever a stranger sends as a token is looked up under a key that a store can have, and is not found."""
    credentials, secret = opened(place, time), SecretStr(name)
    assert credentials.take_code(secret) is None
    assert not credentials.has_refresh_token(secret)
    assert credentials.refresh(secret, "Program/1") is None


@pytest.mark.parametrize("kind", ["file-sealed", "redis-sealed", "postgresql-sealed"])
def test_a_store_with_another_key_says_so(
    place_of: Callable[[str], Place], time: Time, two_keys: tuple[SecretStr, ...], kind: str
) -> None:
    """A bridge that can't open what another one has sealed fails, rather than to begin anew."""
    place = place_of(kind)
    opened(place, time).issue(LOGIN, "Program/1")
    with pytest.raises(StoreError):
        Credentials(Records(place.open(two_keys[1:]), clock=time)).access_tokens(LOGIN)
