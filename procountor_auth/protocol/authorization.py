"""The header that carries a token."""

from __future__ import annotations

from typing import Self


class Authorization(str):
    """The value of the header `Authorization` (RFC 6750, section 2.1).

    HTTP libraries keep it in dictionaries and lists, whose `repr` appears in tracebacks with local variables.

    Attributes:
        field: The header as httpx and httpx2 keep it: its name, its name in lower case, and its value.
    """

    __slots__ = ("field",)

    field: tuple[bytes, bytes, bytes]

    def __new__(cls, value: str) -> Self:
        """Return the value with its field: built once for each token, not for each request.

        Tokens are ASCII: others are refused where they come from, so nothing is replaced.
        """
        made = super().__new__(cls, value)
        made.field = (b"Authorization", b"authorization", value.encode(errors="replace"))
        return made

    def __repr__(self) -> str:
        return "'Bearer **********'"
