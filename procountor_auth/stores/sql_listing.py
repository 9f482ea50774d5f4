"""Which rows the table of a database store has, and the end of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select

from procountor_auth.stores.listing import Leftover, ListedEntry
from procountor_auth.stores.sql_table import TABLE

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ASIDE: Final = ":damaged"


def list_rows(connection: Connection) -> tuple[list[ListedEntry], list[Leftover]]:
    """Return the entries, and those that are kept aside. The data itself is not fetched.

    Raises:
        SQLAlchemyError: Whatever the database says.
    """
    columns = (TABLE.c.key, TABLE.c.written_at, TABLE.c.expires_at, func.length(TABLE.c.data))
    entries: list[ListedEntry] = []
    leftovers: list[Leftover] = []
    for key, written_at, expires_at, length in connection.execute(select(*columns).order_by(TABLE.c.key)):
        if key.endswith(_ASIDE):
            leftovers.append(Leftover(key, "damaged", length, written_at, key.removesuffix(_ASIDE)))
        else:
            entries.append(ListedEntry(key, length, written_at, expires_at))
    return entries, leftovers


def delete_row(connection: Connection, key: str, version: int) -> int | None:
    """Delete an entry if it has this version; return the version that is there instead, or None.

    Raises:
        SQLAlchemyError: Whatever the database says.
    """
    here = TABLE.c.key == key
    connection.execute(delete(TABLE).where(here, TABLE.c.version == version))
    there = connection.execute(select(TABLE.c.version).where(here)).scalar()
    return None if there is None else int(there)
