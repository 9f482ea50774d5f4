"""How a token that the server gave is stored, with a store that is down, full or changing."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from procountor_auth import Token
from procountor_auth.errors import StoreConflict, StoreError, StoreUnavailable
from procountor_auth.stores import Entry
from procountor_auth.stores.lineage import NO_LINEAGE, Lineage
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.tokens.stored import Acquired, Patience, store_late, store_login, write_token
from tests.tokens.scripted import NOW, token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.stores.base import Transaction

DOWN = StoreUnavailable("The store is down.", hint="Wait.")
FULL = StoreError("The disk is full.", hint="Make room.")
OVERTAKEN = StoreConflict("Somebody was faster.", hint="Read again.")

GOT = token("new", "primary")
WITHOUT_REFRESH = Token("access-new", NOW, NOW + 3600, "primary")


class Clumsy(MemoryStore):
    """A store that raises what a test says before it does what it is asked.

    Attributes:
        on_lock: What the next locks end with; None for one that is taken.
        on_write: The same for writes.
        timeouts: How long each lock was to be waited for.
    """

    def __init__(
        self, *, on_lock: list[StoreError | None] | None = None, on_write: list[StoreError | None] | None = None
    ) -> None:
        super().__init__()
        self.on_lock = on_lock or []
        self.on_write = on_write or []
        self.timeouts: list[float] = []

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Iterator[Transaction]:
        """Take the lock, and have writes fail."""
        self.timeouts.append(timeout)
        _raise_next(self.on_lock)
        with super().transaction(key, timeout=timeout) as transaction:
            write = transaction.write

            def clumsily(*arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as the method itself
                _raise_next(self.on_write)
                write(*arguments, **options)

            transaction.write = clumsily  # type: ignore[method-assign]
            yield transaction


def _raise_next(errors: list[StoreError | None]) -> None:
    error = errors.pop(0) if errors else None
    if error is not None:
        raise error


@pytest.fixture
def slept() -> list[float]:
    """The seconds that were waited."""
    return []


@pytest.fixture
def patience(slept: list[float]) -> Patience:
    """A renewal that has half a minute."""
    return Patience(slept.append, lambda: 30.0)


def acquired(got: Token = GOT) -> Acquired:
    """Return what the server gave."""
    return Acquired(got, from_server=True, lineage=Lineage.of(got))


def unstored(error: StoreError) -> list[tuple[int, str]]:
    """Return what the log says of a token that is not stored."""
    return [(logging.ERROR, f"the new token is not stored: {error.message}")]


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Return what the log says."""
    records = [record for record in caplog.records if record.thread == threading.get_ident()]
    return [(record.levelno, record.getMessage()) for record in records]


@pytest.mark.parametrize(
    ("left", "waits", "pauses"),
    [
        ([30.0] * 5, [True, True, True, False, False], [0.25, 0.5, 1.0]),
        ([30.0, 28.26, 28.24], [True, False], [0.25]),
        ([30.0, 28.24], [False], []),
        ([1.0, 0.25, 0.49], [True, False], [0.25]),
        ([1.0, 0.24], [False], []),
    ],
    ids=["three times", "two seconds in all", "a slow failure", "the end of the time", "no time"],
)
def test_a_store_that_is_down_is_waited_for_a_moment(
    slept: list[float], left: list[float], waits: list[bool], pauses: list[float]
) -> None:
    """The pauses become longer and end after the third, after two seconds, or with the time of the renewal."""
    seconds = iter(left)
    patience = Patience(slept.append, lambda: next(seconds))
    assert ([patience.waits(DOWN, GOT) for _ in waits], slept) == (waits, pauses)


@pytest.mark.parametrize(
    ("error", "got"),
    [(FULL, GOT), (OVERTAKEN, GOT), (DOWN, WITHOUT_REFRESH)],
    ids=["a full disk", "a conflict", "a token that can be had again"],
)
def test_nothing_else_is_waited_for(patience: Patience, slept: list[float], error: StoreError, got: Token) -> None:
    """Only a store that may come back is waited for, and only where a login depends on it."""
    assert not patience.waits(error, got)
    assert slept == []


@pytest.mark.parametrize("store_it", ["renewal", "late", "login"])
def test_a_write_is_tried_again_while_the_store_is_down(
    patience: Patience, slept: list[float], caplog: pytest.LogCaptureFixture, store_it: str
) -> None:
    """In the third attempt it is stored, with its lineage, and the log has nothing to say."""
    store = Clumsy(on_write=[DOWN, DOWN])
    if store_it == "renewal":
        with store.transaction("key", timeout=1) as transaction:
            got = write_token(transaction, GOT, Lineage.of(GOT), patience)
    elif store_it == "late":
        got = store_late(store, "key", acquired(), NO_LINEAGE, patience)
    else:
        got = store_login(store, "key", acquired(), patience)
    assert (got, slept, said(caplog)) == (acquired(), [0.25, 0.5], [])
    assert store.read("key") == Entry(1, GOT, None, Lineage.of(GOT))


@pytest.mark.parametrize("where", ["on_lock", "on_write"])
@pytest.mark.parametrize(("error", "attempts"), [(FULL, 1), (DOWN, 4)], ids=["full", "down"])
@pytest.mark.parametrize("is_login", [False, True], ids=["late", "login"])
def test_a_token_that_can_t_be_stored_is_served(
    patience: Patience,
    slept: list[float],
    caplog: pytest.LogCaptureFixture,
    where: str,
    error: StoreError,
    attempts: int,
    *,
    is_login: bool,
) -> None:
    """It may be the only one that works: whoever waits for it gets it, and the log says why nobody else will."""
    errors: list[StoreError | None] = [error] * 9
    store = Clumsy(**{where: errors})
    if is_login:
        got = store_login(store, "key", acquired(), patience)
    else:
        got = store_late(store, "key", acquired(), NO_LINEAGE, patience)
    assert (got, said(caplog), store.read("key")) == (acquired(), unstored(error), None)
    assert (9 - len(errors), len(slept)) == (attempts, attempts - 1)


@pytest.mark.parametrize("where", ["on_lock", "on_write"])
@pytest.mark.parametrize(("conflicts", "stored"), [(2, True), (3, False)])
def test_a_login_is_written_over_others_three_times(
    patience: Patience, caplog: pytest.LogCaptureFixture, where: str, conflicts: int, *, stored: bool
) -> None:
    """A login counts more than what others write: it is tried three times, and served in any case."""
    errors: list[StoreError | None] = [*[OVERTAKEN] * conflicts, None, None]
    store = Clumsy(**{where: errors})
    assert store_login(store, "key", acquired(), patience) == acquired()
    assert store.read("key") == (Entry(1, GOT, None, Lineage.of(GOT)) if stored else None)
    assert said(caplog) == ([] if stored else unstored(OVERTAKEN))
    assert len(store.timeouts) == 3


def test_a_login_follows_on_what_it_replaces(patience: Patience) -> None:
    """It begins a chain in the place of the one that is there, and keeps what that has spent."""
    store = MemoryStore()
    before = Lineage("theirs", 4).spending(SecretStr("code-1"))
    store._entries["key"] = Entry(7, token("theirs", "primary"), None, before)
    got = store_login(store, "key", acquired(), patience)
    entry = store.read("key")
    assert entry is not None
    assert (entry.version, entry.token) == (8, GOT)
    lineage = Lineage.of(GOT, before)
    for each in (got.lineage, entry.lineage):
        assert (each, each.spent, each.replaces) == (lineage, before.spent, "theirs")


@pytest.mark.parametrize(("left", "waited"), [(12.5, 12.5), (0.3, 1.0), (-5.0, 1.0)])
@pytest.mark.parametrize("is_login", [False, True], ids=["late", "login"])
def test_the_lock_is_waited_for_a_second_at_least(left: float, waited: float, *, is_login: bool) -> None:
    """A token that is there already is not lost to a deadline that has passed."""
    store, patience = Clumsy(), Patience(lambda _: None, lambda: left)
    if is_login:
        store_login(store, "key", acquired(), patience)
    else:
        store_late(store, "key", acquired(), NO_LINEAGE, patience)
    assert store.timeouts == [waited]


@pytest.mark.parametrize("conflicts", [0, 3])
def test_a_late_renewal_gives_way(patience: Patience, caplog: pytest.LogCaptureFixture, conflicts: int) -> None:
    """Another login that is there, or somebody who is always faster, counts: the error and the log say so."""
    store = Clumsy(on_lock=[OVERTAKEN] * conflicts)
    theirs = Entry(7, token("theirs", "primary"), None, Lineage("theirs"))
    store._entries["key"] = theirs
    with pytest.raises(StoreConflict) as caught:
        store_late(store, "key", acquired(), NO_LINEAGE, patience)
    assert (caught.value.message, caught.value.hint) == (
        "Somebody else has stored another token meanwhile.",
        "Try again.",
    )
    assert said(caplog) == [
        (logging.WARNING, "a renewal ended late: its token is superseded by what was stored meanwhile")
    ]
    assert store.read("key") == theirs
    assert len(store.timeouts) == (conflicts or 1)


def test_a_conflict_ends_a_renewal_s_write(patience: Patience, slept: list[float]) -> None:
    """Whoever wrote in between counts: the conflict comes out as it is, and nothing is waited for."""
    store = Clumsy(on_write=[OVERTAKEN])
    with store.transaction("key", timeout=1) as transaction, pytest.raises(StoreConflict) as caught:
        write_token(transaction, GOT, NO_LINEAGE, patience)
    assert caught.value is OVERTAKEN
    assert slept == []
