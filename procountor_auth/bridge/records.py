"""What the bridge keeps in the token store: one record for each login.

Every store keeps tokens under keys: sealed where there is a key, locked while somebody writes, gone some time after
they expire. So a record goes in as one, the JSON of its fields in the place of the access token.
"""

from __future__ import annotations

import base64
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.protocol.json_object import is_json_object
from procountor_auth.protocol.token import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from procountor_auth.stores.base import Entry, Store, Transaction

PREFIX: Final = "bridge-"
"""With which the keys of all records begin."""

STRATEGY: Final = "bridge"
"""The name in place of a token's strategy."""

LOCK_SECONDS: Final = 10.0
"""Seconds to wait for a record that another process is writing."""


class Records:
    """The bridge's records in a store.

    Args:
        store: The store.
        clock: The wall clock, in Unix seconds.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.clock = clock

    def read(self, login: str) -> dict[str, Any]:
        """Return what is kept of a login; nothing if there is no record, or it has expired.

        Args:
            login: The login's key.

        Raises:
            StoreError: The store can't be read.
        """
        return fields_of(self.store.read(PREFIX + login), self.clock())

    @contextmanager
    def changing(self, login: str) -> Generator[Change]:
        """Lock a record while it is changed.

        Args:
            login: The login's key.

        Raises:
            StoreError: The store can't be used, or somebody else has kept the record.
        """
        with self.store.transaction(PREFIX + login, timeout=LOCK_SECONDS) as transaction:
            yield Change(fields_of(transaction.entry, self.clock()), transaction, self.clock())


class Change:
    """A record while it is changed.

    Attributes:
        fields: What it says; empty if it is not there.
    """

    def __init__(self, fields: dict[str, Any], transaction: Transaction, now: float) -> None:
        self.fields = fields
        self._transaction = transaction
        self._now = now

    def write(self, expires_at: float) -> None:
        """Write what `fields` says now.

        Args:
            expires_at: When the record expires, in Unix seconds.

        Raises:
            StoreError: It can't be written.
        """
        text = json.dumps(self.fields, separators=(",", ":")).encode()
        self._transaction.write(
            Token(
                access_token=base64.urlsafe_b64encode(text).decode("ascii"),
                issued_at=self._now,
                expires_at=expires_at,
                strategy=STRATEGY,
            )
        )


def fields_of(entry: Entry | None, now: float) -> dict[str, Any]:
    """Return what a record says: nothing if it is none, or has expired by `now`, in Unix seconds."""
    token = entry.token if entry is not None else None
    if token is None or token.strategy != STRATEGY or now >= token.expires_at:
        return {}
    try:
        fields = json.loads(base64.urlsafe_b64decode(token.access_token))
    except ValueError:
        return {}
    return fields if is_json_object(fields) else {}
