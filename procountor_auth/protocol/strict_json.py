"""JSON that can be understood in one way only."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def parse(text: str) -> Any:  # noqa: ANN401 - whatever the text says
    """Return what a JSON text says (RFC 8259).

    Duplicate names and numbers that JSON does not know (`NaN`) are refused too: two readers could understand such a
    text in two ways.

    Raises:
        ValueError: It is not JSON, or is nested too deep. Its text, and what it holds, may be secret.
    """
    try:
        return json.loads(text, object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("duplicate names")
    return fields


def _refuse_constant(_constant: str) -> NoReturn:
    raise ValueError("a number that JSON does not know")
