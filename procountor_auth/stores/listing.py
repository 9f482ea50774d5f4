"""What a store can list: its entries by their keys, and leftovers beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

LeftoverKind: TypeAlias = Literal["lock", "temporary", "damaged", "foreign"]


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """One entry, without what is in it.

    Attributes:
        key: Its key.
        size: How many bytes it has.
        written_at: When it was written last, in Unix seconds; None where the store does not know.
        kept_until: When the store forgets it by itself, in Unix seconds; None where it does not.
    """

    key: str
    size: int
    written_at: float | None = None
    kept_until: float | None = None


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something in the store that is no entry.

    Attributes:
        name: What the store calls it: the file's name, or the key in a database.
        kind: `lock` for a lock file without an entry, `temporary` for the file of a writer that was killed, `damaged`
            for an entry that was kept aside, `foreign` for whatever is not ours.
        size: How many bytes it has.
        written_at: When it was written last, in Unix seconds; None where the store does not know.
        key: The key of the entry that it belongs to, if it belongs to one.
    """

    name: str
    kind: LeftoverKind
    size: int
    written_at: float | None = None
    key: str | None = None
