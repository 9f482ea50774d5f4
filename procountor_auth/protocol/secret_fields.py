"""The base of dataclasses with secrets: comparing and printing them does not show the secrets."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol

from procountor_auth.protocol.unpicklable import Unpicklable

if TYPE_CHECKING:
    from dataclasses import Field


class _Printer(Protocol):
    def text(self, obj: str, /) -> None: ...


class SecretFields(Unpicklable):
    """The base of a dataclass with `eq=False`, whose `repr` omits its secrets.

    pytest explains a failed comparison of two dataclasses field by field, whatever their `repr` shows, but only if
    `dataclass` has generated their `__eq__`. So this class defines it. IPython and hypothesis also print every field,
    unless an object defines how it is printed.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _compared(self))

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in _compared(self)))

    def _repr_pretty_(self, printer: _Printer, _cycle: bool) -> None:  # noqa: FBT001 - as IPython calls it
        printer.text(repr(self))


def _compared(holder: Any) -> list[str]:  # noqa: ANN401 - a dataclass, which its base class can't express
    described: tuple[Field[Any], ...] = fields(holder)
    return [each.name for each in described if each.compare]
