"""How `Quirks` and `Faults` are shown."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast


class Record:
    """A dataclass with a `repr` like that of others, which shows even one whose values are being refused.

    A traceback with locals shows that one, and a field without a value would replace the error.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        names = [each.name for each in fields(cast("Any", self)) if hasattr(self, each.name)]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"
