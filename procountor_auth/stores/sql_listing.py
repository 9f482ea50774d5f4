"""Which rows the table of a database store has, and the end of one."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select

from procountor_auth.stores.listing import Leftover, ListedEntry
from procountor_auth.stores.sql_table import TABLE, checked

if TYPE_CHECKING:
    from sqlalchemy import Connection

_KEY: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,127})(:damaged)?")


def list_rows(connection: Connection) -> tuple[list[ListedEntry], list[Leftover]]:
    """Return the entries, and those that are kept aside. The data itself is not fetched. Others' keys are left out.

    Raises:
        SQLAlchemyError: Whatever the database says.
    """
    columns = (TABLE.c.key, TABLE.c.written_at, TABLE.c.expires_at, func.length(TABLE.c.data))
    entries: list[ListedEntry] = []
    leftovers: list[Leftover] = []
    for key, written_at, expires_at, length in connection.execute(select(*columns).order_by(TABLE.c.key)):
        found = _KEY.fullmatch(key) if isinstance(key, str) else None
        if found is None:
            continue
        size, written = length or 0, _time(written_at)
        if found[2]:
            leftovers.append(Leftover(found[0], "damaged", size, written, found[1]))
        else:
            entries.append(ListedEntry(found[0], size, written, _time(expires_at)))
    return entries, leftovers


def delete_row(connection: Connection, key: str, version: int) -> int | None:
    """Delete an entry if it has this version, or is damaged; return the version that is there instead, or None.

    Raises:
        SQLAlchemyError: Whatever the database says.
    """
    here = TABLE.c.key == key
    connection.execute(delete(TABLE).where(here, TABLE.c.version == version))
    there = connection.execute(select(TABLE.c.version, TABLE.c.data).where(here)).first()
    if there is None:
        return None
    found = checked(there.version, there.data)
    if found is None:  # damaged meanwhile, and as good as none
        connection.execute(delete(TABLE).where(here))
        return None
    return found[0]


def _time(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
