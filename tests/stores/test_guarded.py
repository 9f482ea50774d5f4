"""A store of somebody else's: what it raises or returns becomes ours, and what ends the program passes."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth.errors import ProcountorAuthError, StoreError, StoreUnavailable
from procountor_auth.stores import Entry, Store, Transaction
from procountor_auth.stores.failure import Failure
from procountor_auth.stores.guarded import GuardedStore, guarded
from procountor_auth.stores.lineage import NO_LINEAGE, Lineage
from procountor_auth.stores.listing import Leftover, ListedEntry
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.stores.use import Use

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from procountor_auth.protocol.token import Token

KEY: Final = "company-1"

_FAILED: Final = (
    "The token store failed (KeyError).",
    "The store's own log may say why. A store raises StoreError or StoreUnavailable where it fails.",
)
_NO_ENTRY: Final = (
    "The token store returned something else than an entry.",
    "A store returns the Entry that was written, or None.",
)
_LOCK: Final = Leftover("a.lock", "lock", 0)


class Theirs(Store):
    """A store that does what its name says, unless it is told to raise something.

    Attributes:
        entry: What it has.
        calls: What it was asked for.
        raises: What it raises instead, by the method.
    """

    name = "theirs"
    remote = True
    entries_fail_alone = True

    def __init__(self, entry: Any = None, **raises: BaseException) -> None:  # noqa: ANN401 - anything, if it is told so
        self.entry = entry
        self.raises = raises
        self.calls: list[object] = []

    def _call(self, method: str, *arguments: object) -> None:
        self.calls.append((method, *arguments))
        if method in self.raises:
            raise self.raises[method]

    def read(self, key: str) -> Entry | None:
        """Return the entry."""
        self._call("read", key)
        return self.entry  # type: ignore[no-any-return]

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Generator[Transaction]:
        """Begin and end."""
        self._call("begin", key, timeout)
        ended: BaseException | None = None
        try:
            yield _Turn(self)
        except BaseException as error:
            ended = error
            raise
        finally:
            self._call("end", ended)

    def remove(self, key: str, *, timeout: float) -> None:
        """Remove."""
        self._call("remove", key, timeout)

    def list_entries(self) -> list[ListedEntry]:
        """Return one."""
        self._call("list_entries")
        return [ListedEntry(KEY, 1)]

    def list_leftovers(self) -> list[Leftover]:
        """Return one."""
        self._call("list_leftovers")
        return [_LOCK]

    def remove_leftover(self, leftover: Leftover, *, timeout: float) -> bool:
        """Remove it."""
        self._call("remove_leftover", leftover, timeout)
        return True


class _Turn(Transaction):
    def __init__(self, store: Theirs) -> None:
        self.entry = store.entry
        self._store = store

    def write(
        self,
        token: Token | None,
        failure: Failure | None = None,
        *,
        lineage: Lineage = NO_LINEAGE,
        use: Use | None = None,
    ) -> None:
        self._store._call("write", token, failure, lineage, use)

    def remove(self) -> None:
        self._store._call("discard")


def _begin(store: Store) -> None:
    with store.transaction(KEY, timeout=3):
        pass


def _write(store: Store) -> None:
    with store.transaction(KEY, timeout=3) as turn:
        turn.write(None)


def _discard(store: Store) -> None:
    with store.transaction(KEY, timeout=3) as turn:
        turn.remove()


_ACTS: Final[dict[str, Callable[[Store], object]]] = {
    "read": lambda store: store.read(KEY),
    "begin": _begin,
    "write": _write,
    "discard": _discard,
    "remove": lambda store: store.remove(KEY, timeout=3),
    "list_entries": lambda store: store.list_entries(),
    "list_leftovers": lambda store: store.list_leftovers(),
    "remove_leftover": lambda store: store.remove_leftover(_LOCK, timeout=3),
}


def test_a_store_of_ours_is_used_as_it_is() -> None:
    """Only somebody else's is wrapped, and says what it wraps."""
    ours = MemoryStore()
    assert guarded(ours) is ours
    assert repr(guarded(Theirs())) == "<GuardedStore of Theirs>"


def test_it_says_of_itself_what_the_store_says() -> None:
    """Its name and what it is are the store's; a name that is none is replaced, and only True counts as yes."""
    store = guarded(Theirs())
    assert (store.name, store.remote, store.entries_fail_alone) == ("theirs", True, True)
    theirs = Theirs()
    theirs.name, theirs.remote = 7, "yes"  # type: ignore[assignment]
    theirs.entries_fail_alone = "yes"  # type: ignore[assignment,misc]
    store = guarded(theirs)
    assert (store.name, store.remote, store.entries_fail_alone) == ("own", False, False)


def test_everything_is_passed_on(token: Token) -> None:
    """The store gets what the caller gives, and the caller what the store returns."""
    theirs = Theirs(Entry(2, token))
    store = GuardedStore(theirs)
    assert store.read(KEY) == Entry(2, token)
    failure, use = Failure("InvalidGrant", "No.", "Ask.", retryable=False), Use("digest", 1.0, 2.0, "host", 1)
    with store.transaction(KEY, timeout=3) as turn:
        assert turn.entry == Entry(2, token)
        turn.write(token, failure, lineage=Lineage("origin"), use=use)
        turn.remove()
    store.remove(KEY, timeout=4)
    assert list(store.list_entries()) == [ListedEntry(KEY, 1)]
    assert list(store.list_leftovers()) == [_LOCK]
    assert store.remove_leftover(_LOCK, timeout=5) is True
    assert theirs.calls == [
        ("read", KEY),
        ("begin", KEY, 3),
        ("write", token, failure, Lineage("origin"), use),
        ("discard",),
        ("end", None),
        ("remove", KEY, 4),
        ("list_entries",),
        ("list_leftovers",),
        ("remove_leftover", _LOCK, 5),
    ]


@pytest.mark.parametrize("method", _ACTS)
def test_what_it_raises_becomes_ours(method: str) -> None:
    """An error that is not ours is an outage, told by its kind alone; one of ours comes as it is."""
    with pytest.raises(StoreUnavailable) as caught:
        _ACTS[method](GuardedStore(Theirs(**{method: KeyError("CANARY")})))
    assert (caught.value.message, caught.value.hint) == _FAILED
    assert caught.value.__cause__ is None
    own = StoreError("Full.", hint="Make room.")
    with pytest.raises(StoreError) as caught_own:
        _ACTS[method](GuardedStore(Theirs(**{method: own})))
    assert caught_own.value is own


@pytest.mark.parametrize("method", _ACTS)
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_passes(method: str, kind: type[BaseException]) -> None:
    """Ctrl-C and the end of the program are no failures of the store."""
    with pytest.raises(kind):
        _ACTS[method](GuardedStore(Theirs(**{method: kind()})))


@pytest.mark.parametrize("lost", ["token", "failure", "use"])
def test_a_new_token_is_not_lost_on_another_thread(lost: str) -> None:
    """There, a `SystemExit` at the write of a token is a failure of the store; at that of anything else it passes."""
    raised: list[BaseException] = []
    failure = Failure("InvalidGrant", "No.", "Ask.", retryable=False) if lost == "failure" else None
    use = Use("digest", 1.0, 2.0, "host", 1) if lost == "use" else None

    def write() -> None:
        try:
            with GuardedStore(Theirs(write=SystemExit())).transaction(KEY, timeout=3) as turn:
                turn.write(None, failure, use=use)
        except BaseException as error:  # noqa: BLE001 - to be looked at
            raised.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert [type(each) for each in raised] == [StoreUnavailable if lost == "token" else SystemExit]


@pytest.mark.parametrize("raised", [None, ValueError("within")], ids=str)
def test_a_lock_that_is_not_released_is_logged(raised: Exception | None, caplog: pytest.LogCaptureFixture) -> None:
    """What was written stays written, and what was raised within is what the caller sees."""
    try:
        with GuardedStore(Theirs(end=KeyError("CANARY"))).transaction(KEY, timeout=3):
            if raised is not None:
                raise raised
    except ValueError as error:
        assert error is raised  # noqa: PT017 - it is raised in one of the two cases
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message == f"the token store has not released its lock: {_FAILED[0]}"


def test_an_error_within_reaches_the_store() -> None:
    """The store's transaction ends with what was raised in it."""
    theirs, error = Theirs(), ProcountorAuthError("No.")
    with pytest.raises(ProcountorAuthError), GuardedStore(theirs).transaction(KEY, timeout=3):
        raise error
    assert theirs.calls[-1] == ("end", error)


@pytest.mark.parametrize("place", ["read", "begin"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "entry",
        lambda _: {},
        lambda entry: replace(entry, version="1"),
        lambda entry: replace(entry, token="token"),
        lambda entry: replace(entry, failure="failure"),
        lambda entry: replace(entry, lineage="lineage"),
        lambda entry: replace(entry, use="use"),
        lambda entry: type("Their", (Entry,), {})(entry.version, entry.token),
    ],
    ids=["text", "fields", "version", "token", "failure", "lineage", "use", "subclass"],
)
def test_what_is_no_entry_is_refused(place: str, spoil: Callable[[Entry], object], token: Token) -> None:
    """An entry is the very class, and each of its fields is what it should be."""
    with pytest.raises(StoreError) as caught:
        _ACTS[place](GuardedStore(Theirs(spoil(Entry(1, token)))))
    assert (type(caught.value), caught.value.message, caught.value.hint) == (StoreError, *_NO_ENTRY)


def test_an_entry_may_have_everything(token: Token) -> None:
    """A failure, a use and a lineage are no reason to refuse one, and neither is that there is no token."""
    failure, use = Failure("InvalidGrant", "No.", "Ask.", retryable=False), Use("digest", 1.0, 2.0, "host", 1)
    for entry in (None, Entry(1, None), Entry(2, token, failure, Lineage("origin"), use)):
        assert GuardedStore(Theirs(entry)).read(KEY) == entry
