"""Parses only unambiguous JSON."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def parse(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a JSON text (RFC 8259).

    Duplicate names and numbers that JSON does not define (`NaN`) are rejected: parsers treat them differently.

    Raises:
        ValueError: The text is not JSON, or is nested too deeply. The error may contain secrets of the text.
    """
    try:
        return json.loads(text, object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("duplicate names")
    return fields


def _refuse_constant(_constant: str) -> NoReturn:
    raise ValueError("a number that JSON does not define")
