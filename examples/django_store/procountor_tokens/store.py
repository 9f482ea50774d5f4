"""Tokens in the database of a Django project."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import DatabaseError, IntegrityError, connection, models
from pydantic import SecretBytes, SecretStr

from procountor_auth.errors import StoreConflict, StoreError, StoreUnavailable
from procountor_auth.stores import Entry, Store, Transaction
from procountor_auth.stores.codec import Codec, Damaged
from procountor_auth.stores.lease import Lease
from procountor_auth.stores.transaction import LockedTransaction, check_key, conflict

from .models import TokenEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

LEASE = 45.0
"""Seconds after which a lock expires, unless its holder renews it."""

POLL = 0.05
"""Seconds between two attempts to get a lock."""


class DjangoStore(Store):
    """Stores tokens in a table, and their locks in the same rows.

    Args:
        keys: Fernet keys for the stored entries: the first encrypts, all decrypt.
    """

    name = "django"
    remote = True

    def __init__(self, keys: tuple[SecretStr, ...] = ()) -> None:
        self._codec = Codec(keys)

    def read(self, key: str) -> Entry | None:
        """Return what is there now."""
        with _errors():
            row = TokenEntry.objects.filter(key=check_key(key), data__isnull=False).first()
        if row is None:
            return None
        found = self._codec.decode(key, SecretBytes(bytes(row.data)), f"the database, as {key}")
        if isinstance(found, StoreError):
            raise found
        return None if isinstance(found, Damaged) else found

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Iterator[Transaction]:
        """Take the lock of an entry."""
        mine = TokenEntry.objects.filter(key=check_key(key))
        holder = secrets.token_hex(16)
        self._lock(mine, key, holder, timeout)
        lease = Lease(lambda: self._renew(key, holder), LEASE)
        lease.start()
        try:
            transaction = LockedTransaction(self.read(key), lambda read, entry: self._write(key, holder, read, entry))
            try:
                yield transaction
            finally:
                ours = transaction.close()
        finally:
            lease.stop()
            if ours:
                with _errors():
                    mine.filter(holder=holder).update(holder="", held_until=0.0)

    def remove(self, key: str, *, timeout: float) -> None:  # noqa: ARG002 - one step, and no writer minds
        """Remove an entry, whatever its content."""
        with _errors():
            TokenEntry.objects.filter(key=check_key(key)).delete()

    def _lock(self, mine: models.QuerySet[TokenEntry], key: str, holder: str, timeout: float) -> None:
        until = time.monotonic() + timeout
        with _errors():
            TokenEntry.objects.get_or_create(key=key)
            # One statement: of several concurrent attempts, only one succeeds.
            while not mine.filter(held_until__lt=time.time()).update(holder=holder, held_until=time.time() + LEASE):
                if time.monotonic() >= until:
                    break
                time.sleep(POLL)
            else:
                return
        raise StoreUnavailable("Another process holds the token's lock.", hint="Try again later.")

    def _renew(self, key: str, holder: str) -> bool:
        try:
            return bool(TokenEntry.objects.filter(key=key, holder=holder).update(held_until=time.time() + LEASE))
        except DatabaseError:
            return True  # it may come back before the lease ends
        finally:
            connection.close()  # Django has a connection for each thread, and does not manage this one

    def _write(self, key: str, holder: str, read: int, entry: Entry) -> None:
        data = self._codec.encode(key, entry).get_secret_value()
        with _errors():
            written = TokenEntry.objects.filter(key=key, version=read, holder=holder).update(
                version=entry.version, data=data
            )
            there = None if written else TokenEntry.objects.filter(key=key).first()
        if written:
            return
        if there is None or there.holder != holder:
            raise StoreConflict("The token's lock was lost.", hint="Read the entry again.")
        raise conflict(read, there.version)


@contextmanager
def _errors() -> Iterator[None]:
    """Replace Django's errors with this package's, without their messages."""
    failed = ""
    try:
        yield
    except IntegrityError:
        failed = "Another process has created the row at the same time."
    except DatabaseError:
        failed = "The database can't be used now."
    if failed:
        raise StoreUnavailable(failed, hint="Try again later.")
