"""A store of somebody else's, held to its contract: whatever it raises or returns instead becomes an error of ours.

Its errors may hold what it was given, so they are replaced, not chained. `docs/stores.md` has the contract.
"""

from __future__ import annotations

import logging
import threading
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from procountor_auth.errors import ProcountorAuthError, StoreError, StoreUnavailable
from procountor_auth.protocol.plain_token import is_plain_token
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.failure import Failure
from procountor_auth.stores.lineage import NO_LINEAGE, Lineage
from procountor_auth.stores.use import Use

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from procountor_auth.protocol.token import Token
    from procountor_auth.stores.listing import Leftover, ListedEntry

T = TypeVar("T")

_OURS: Final = "procountor_auth.stores."

_HINT: Final = "The store's own log may say why. A store raises StoreError or StoreUnavailable where it fails."

_logger = logging.getLogger("procountor_auth")


def guarded(store: Store) -> Store:
    """Return a store that keeps the contract, whatever `store` does: ours do by themselves."""
    return store if type(store).__module__.startswith(_OURS) else GuardedStore(store)


class GuardedStore(Store):
    """Somebody else's store.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.name: str = (
            str.__str__(_asked(lambda: store.name)) if isinstance(getattr(store, "name", None), str) else "own"
        )
        self.remote: bool = _asked(lambda: store.remote) is True
        alone = _asked(lambda: store.entries_fail_alone) is True
        self.entries_fail_alone = alone  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]

    def read(self, key: str) -> Entry | None:
        """Return what is there. Raises what `Store.read` raises."""
        return _asked(lambda: _entry(self._store.read(key)))

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Generator[Transaction]:
        """Take the lock of an entry. Raises what `Store.transaction` raises."""
        manager = _asked(lambda: self._store.transaction(key, timeout=timeout))
        inner = _asked(lambda: type(manager).__enter__(manager))
        try:
            yield GuardedTransaction(inner)
        except BaseException as error:
            _released(manager, error)
            raise
        else:
            _released(manager, None)

    def remove(self, key: str, *, timeout: float) -> None:
        """Remove an entry. Raises what `Store.remove` raises."""
        _asked(lambda: self._store.remove(key, timeout=timeout))

    def list_entries(self) -> Sequence[ListedEntry]:
        """Return which entries there are. Raises what `Store.list_entries` raises."""
        return _asked(lambda: tuple(self._store.list_entries()))

    def list_leftovers(self) -> Sequence[Leftover]:
        """Return what else there is. Raises what `Store.list_leftovers` raises."""
        return _asked(lambda: tuple(self._store.list_leftovers()))

    def remove_leftover(self, leftover: Leftover, *, timeout: float) -> bool:
        """Remove a leftover. Raises what `Store.remove_leftover` raises."""
        return _asked(lambda: self._store.remove_leftover(leftover, timeout=timeout)) is True

    def __repr__(self) -> str:
        return f"<GuardedStore of {type(self._store).__name__}>"


class GuardedTransaction(Transaction):
    """A transaction of somebody else's store.

    Args:
        transaction: What the store has yielded.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        _ = self.entry  # now: before anything is sent

    @property
    def entry(self) -> Entry | None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        """What was found after the lock was taken, or was written since."""
        return _asked(lambda: _entry(self._transaction.entry))

    def write(
        self,
        token: Token | None,
        failure: Failure | None = None,
        *,
        lineage: Lineage = NO_LINEAGE,
        use: Use | None = None,
    ) -> None:
        """Write the next version. Raises what `Transaction.write` raises."""
        # What the server has just given must not be lost, whatever is raised here. On the main thread it may be Ctrl-C.
        everything = failure is None and use is None and threading.current_thread() is not threading.main_thread()
        _asked(lambda: self._transaction.write(token, failure, lineage=lineage, use=use), everything=everything)

    def remove(self) -> None:
        """Remove the entry. Raises what `Transaction.remove` raises."""
        _asked(self._transaction.remove)


def _asked(call: Callable[[], T], *, everything: bool = False) -> T:
    """Return what a store returns.

    Args:
        call: Calls it.
        everything: Whether no exception passes, not even a `SystemExit`.

    Raises:
        StoreError: What it raises itself.
        StoreUnavailable: It has raised something else.
    """
    failed = ""
    known: StoreError | None = None
    try:
        return call()
    except StoreError as error:
        known = error
    except Exception as error:  # noqa: BLE001 - somebody's store can raise anything
        failed = type(error).__name__
    except BaseException as error:
        if not everything:
            raise
        failed = type(error).__name__
    if known is not None:
        raise known.with_traceback(None)
    raise StoreUnavailable(f"The token store failed ({failed}).", hint=_HINT)


def _released(manager: AbstractContextManager[Transaction], error: BaseException | None) -> None:
    """Have the lock released. What keeps it from that is logged: what was written stays written."""
    kind = type(error) if error is not None else None
    try:
        _asked(lambda: type(manager).__exit__(manager, kind, error, None))
    except ProcountorAuthError as failed:
        _logger.warning("the token store has not released its lock: %s", failed.message)


def _entry(found: object) -> Entry | None:
    """Return what a store returned, if it is an entry.

    Raises:
        StoreError: It is something else.
    """
    if found is None:
        return None
    if type(found) is Entry and _is_whole(found):
        return found
    raise StoreError(
        "The token store returned something else than an entry.",
        hint="A store returns the Entry that was written, or None.",
    )


def _is_whole(entry: Any) -> bool:  # noqa: ANN401 - an entry whose fields may be anything
    return (
        isinstance(entry.version, int)
        and isinstance(entry.lineage, Lineage)
        and isinstance(entry.failure, Failure | None)
        and isinstance(entry.use, Use | None)
        and (entry.token is None or is_plain_token(entry.token))
    )
