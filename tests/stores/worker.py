"""Another process, for the tests of the stores. It prints no secret; its store is `PROCOUNTOR_TOKEN_STORE`.

python worker.py read KEY             print the version, and whether it is the token of that version
python worker.py count KEY TIMES      add one to the version, TIMES times
python worker.py hold KEY             take the lock, print `held`, keep it until stdin ends
python worker.py fork-keeps KEY       fork within a transaction, and say whether the child's end of it harms the lock
python worker.py fork-outlives KEY    die within a transaction; a child lives on until stdin ends
python worker.py nursery KEY          fork a writer for each line of stdin, until it is killed; for `loop`, it writes
                                      as fast as it can, for `say` it prints each version, for `hold` it has the lock
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pydantic import SecretStr

from procountor_auth.errors import StoreConflict, StoreUnavailable
from procountor_auth.protocol.token import Token
from procountor_auth.stores import Entry, Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable


def token_of(version: int) -> Token:
    """Return the one token that a version may have: long enough to be torn."""
    return Token(f"access-{version}-" + "a" * 5000, 1000.0, 4e9 + version, "legacy_password", f"refresh-{version}")


def is_whole(entry: Entry | None) -> bool:
    """Whether an entry is what a worker has written as this version."""
    return entry is None or entry.token == token_of(entry.version)


def _store() -> Store:
    where = os.environ["PROCOUNTOR_TOKEN_STORE"]
    keys = tuple(SecretStr(key) for key in os.environ.get("PROCOUNTOR_TOKEN_STORE_KEY", "").split(",") if key)
    if lease := os.environ.get("TEST_LEASE"):
        from procountor_auth.stores.redis import RedisStore  # noqa: PLC0415 - needed for this one only

        return RedisStore(SecretStr(where), lease=float(lease))
    return open_store(where, keys)


def _say(text: object) -> None:
    os.write(1, f"{text}\n".encode())


def _add_one(store: Store, key: str) -> int:
    with store.transaction(key, timeout=20) as transaction:
        version = (transaction.entry.version if transaction.entry else 0) + 1
        transaction.write(token_of(version))
    return version


def _read(key: str) -> None:
    entry = _store().read(key)
    _say(f"{entry.version if entry else 0} {'whole' if is_whole(entry) else 'torn'}")


def _count(key: str, times: str) -> None:
    store = _store()
    for _ in range(int(times)):
        _add_one(store, key)
    _say("counted")


def _hold(key: str) -> None:
    with _store().transaction(key, timeout=20):
        _say("held")
        sys.stdin.read()


def _fork_keeps(key: str) -> None:
    """The child leaves its copy of the `with`; only then the parent looks whether its lock is still there."""
    store = _store()
    reader, writer = os.pipe()
    with store.transaction(key, timeout=5) as transaction:
        child = os.fork()
        if child:
            os.read(reader, 1)
            try:
                with _store().transaction(key, timeout=0.1):
                    _say("the lock was lost")
            except StoreUnavailable:
                _say("the lock is still held")
            transaction.write(token_of(1))
    if not child:
        try:
            transaction.write(token_of(2))
        except StoreConflict:
            os.write(writer, b"x")
        os._exit(0)
    os.waitpid(child, 0)


def _fork_outlives(key: str) -> None:
    """The parent ends without a word within its transaction; the child lives on until stdin ends."""
    manager = _store().transaction(key, timeout=5)
    manager.__enter__()
    if os.fork():
        os._exit(0)
    _say("orphaned")
    sys.stdin.read()
    os._exit(0)


def _nursery(key: str) -> None:
    _store().read(key)  # everything is imported before the first fork
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _written_to_death(line.strip(), key)
        _say(f"forked {child}")
        os.waitpid(child, 0)
        _say("dead")


def _written_to_death(how: str, key: str) -> None:
    store = _store()
    if how == "hold":
        with store.transaction(key, timeout=20):
            _say("held")
            sys.stdin.read()
    version = _add_one(store, key)
    _say("started")
    while True:
        if how == "say":
            _say(version)
        version = _add_one(store, key)


_MODES: dict[str, Callable[..., None]] = {
    "read": _read,
    "count": _count,
    "hold": _hold,
    "fork-keeps": _fork_keeps,
    "fork-outlives": _fork_outlives,
    "nursery": _nursery,
}

if __name__ == "__main__":
    _MODES[sys.argv[1]](*sys.argv[2:])
