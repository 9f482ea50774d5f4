"""An outage that takes long to find out is found out once for a process, and not once for each profile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from procountor_auth.errors import StoreUnavailable
from procountor_auth.stores import open_store
from procountor_auth.stores.lineage import NO_LINEAGE, Lineage
from procountor_auth.stores.outage import OUTAGES, REMEMBERED, SLOW, Outages
from procountor_auth.stores.redis import RedisStore
from procountor_auth.tokens.stored import Acquired, Patience, store_late, store_login

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token
    from tests.conftest import RedisServer
    from tests.postgres import PostgresServer
    from tests.stores.conftest import Place


def test_a_slow_outage_is_remembered_for_a_moment() -> None:
    """Who comes in the next seconds is refused at once with the same words; then somebody tries again."""
    now = [0.0]
    outages = Outages(lambda: now[0])
    begun = outages.check("a")
    now[0] += SLOW
    outages.remember("a", begun, StoreUnavailable("Down.", hint="Wait."))
    assert outages.check("b") == now[0]
    now[0] += REMEMBERED - 0.1
    with pytest.raises(StoreUnavailable, match="Down") as caught:
        outages.check("a")
    assert caught.value.hint == "Wait."
    now[0] += 0.2
    assert outages.check("a") == now[0]


def test_a_quick_outage_is_not_remembered() -> None:
    """Where nothing is waited for, each attempt is made."""
    outages = Outages(lambda: 5.0)
    outages.remember("a", 5.0, StoreUnavailable("Down."))
    assert outages.check("a") == 5.0


@pytest.mark.process
@pytest.mark.server
@pytest.mark.parametrize("kind", ["redis", "postgresql", "sqlite"])
def test_what_has_begun_is_tried(place_of: Callable[[str], Place], kind: str, token: Token) -> None:
    """Just after an outage nothing is begun, and who has the lock writes, removes and lets go all the same."""
    store = place_of(kind).open()
    known = store._pool.place if isinstance(store, RedisStore) else store._database.place  # type: ignore[attr-defined]
    with store.transaction("key", timeout=5) as transaction:
        OUTAGES.remember(known, time.monotonic() - SLOW, StoreUnavailable("Down.", hint="Wait."))
        transaction.write(token)
        beginnings: list[Callable[[], object]] = [lambda: store.read("key"), store.list_entries, store.list_leftovers]
        for begin in beginnings:
            with pytest.raises(StoreUnavailable, match=r"^Down\.\nWait\.$"):
                begin()
        transaction.remove()
    store.remove("key", timeout=5)
    OUTAGES.forget()
    assert store.read("key") is None


@pytest.mark.process
@pytest.mark.server
@pytest.mark.parametrize("kind", ["redis", "postgresql", "sqlite"])
@pytest.mark.parametrize("is_login", [True, False])
def test_a_token_that_waits_to_be_stored_is_always_tried(
    place_of: Callable[[str], Place], kind: str, token: Token, *, is_login: bool
) -> None:
    """What a server gave is stored at once where the store is up again, though its outage is remembered."""
    store = place_of(kind).open()
    known = store._pool.place if isinstance(store, RedisStore) else store._database.place  # type: ignore[attr-defined]
    OUTAGES.remember(known, time.monotonic() - SLOW, StoreUnavailable("Down.", hint="Wait."))
    acquired = Acquired(token, from_server=True, lineage=Lineage.of(token))
    patience = Patience(lambda _: pytest.fail("it is not waited for"), lambda: 5.0)
    if is_login:
        store_login(store, "key", acquired, patience)
    else:
        store_late(store, "key", acquired, NO_LINEAGE, patience)
    with pytest.raises(StoreUnavailable):
        store.read("key")
    OUTAGES.forget()
    entry = store.read("key")
    assert entry is not None
    assert entry.token == token


@pytest.mark.process
@pytest.mark.server
@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_six_profiles_wait_as_long_as_one(request: pytest.FixtureRequest, kind: str) -> None:
    """Stores of one server that stands still fail at once after the first one, and work when it goes on."""
    start: Callable[..., RedisServer | PostgresServer] = request.getfixturevalue(
        {"redis": "start_redis", "postgresql": "start_postgres"}[kind]
    )
    server = start()
    stores = [open_store(server.url, timeout=1.5) for _ in range(6)]
    stores[0].read("before")
    server.pause()
    try:
        times = []
        for store in stores:
            begun = time.monotonic()
            with pytest.raises(StoreUnavailable):
                store.read("key")
            times.append(time.monotonic() - begun)
    finally:
        server.resume()
    assert times[0] >= SLOW
    assert max(times[1:]) < SLOW
    OUTAGES.forget()
    assert stores[1].read("key") is None
