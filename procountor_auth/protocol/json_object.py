"""Type guards for JSON objects and arrays."""

from __future__ import annotations

from typing import Any, TypeGuard


def is_json_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a JSON object (RFC 8259, section 4), with text as names and any values.

    Args:
        value: A value from a JSON or TOML parser.
    """
    return isinstance(value, dict)


def is_json_array(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is a JSON array (RFC 8259, section 5), with any values.

    Args:
        value: A value from a JSON or TOML parser.
    """
    return isinstance(value, list)
