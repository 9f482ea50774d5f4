"""The header that carries a token."""

from __future__ import annotations


class Authorization(str):
    """The value of the header `Authorization` (RFC 6750, section 2.1).

    HTTP libraries keep it in dictionaries and lists, whose `repr` appears in tracebacks with local variables.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'Bearer **********'"
