"""Write docs/settings.md: docs/templates/settings.md, with the tables of variables made from `Settings`."""  # noqa: INP001 - a script

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr

from procountor_auth import Settings
from procountor_auth.settings.problems import used_only_by, variable_named
from procountor_auth.settings.validators import StrategyName
from procountor_auth.strategies.registry import BUILT_IN, find_strategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

HERE: Final = Path(__file__).parent
PAGE: Final = HERE / "settings.md"
TEMPLATE: Final = HERE / "templates" / "settings.md"

_TABLE: Final = re.compile(r"^<!-- ([a-z_ ]+) -->$", re.MULTILINE)
_HEAD: Final = "| variable | type | default | required | example | description |\n|---|---|---|---|---|---|\n"
_BY_ONE_STRATEGY: Final = {
    "allow_missing_state": "`legacy_password` only",
    "legacy_policy": "`legacy_password` only",
    "pkce": "`authorization_code` and `KeyLogin` only",
}
"""Settings that are no credentials, and that only some strategies read."""
_DEFAULTS: Final = {
    "profiles_file": "see below",
    **{
        f"bridge_{name}": f"`{variable_named(name)}`" for name in ("username", "password", "client_id", "client_secret")
    },
}
"""Defaults that the fields themselves don't have."""


def page() -> str:
    """Return the page.

    Raises:
        ValueError: A setting is in no table of the template, or in two.
    """
    template = TEMPLATE.read_text(encoding="utf-8")
    named = [name for table in _TABLE.findall(template) for name in table.split()]
    if sorted(named) != sorted(Settings.model_fields):
        raise ValueError(f"these are not in one table each: {set(named) ^ Settings.model_fields.keys()}")
    return _TABLE.sub(lambda table: _HEAD + "".join(_rows(table[1].split())).rstrip(), template)


def _rows(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        field = Settings.model_fields[name]
        example = f"`{field.examples[0]}`" if field.examples else ""
        cells = (
            f"`{variable_named(name)}`",
            _type_of(field),
            _DEFAULTS.get(name) or _default_of(field),
            _required_by(name, field),
            example,
            str(field.description),
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default_of(field: FieldInfo) -> str:
    if field.is_required() or field.default is None:
        return "none"
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _required_by(name: str, field: FieldInfo) -> str:
    """Return who needs a setting, or else who alone reads it."""
    if field.is_required():
        return "yes"
    needing = [strategy for strategy in BUILT_IN if name in _required_settings(strategy)]
    if len(needing) == len(BUILT_IN):
        return "yes"
    optional = [strategy for strategy in BUILT_IN if name in _optional_settings(strategy)]
    if needing and optional:
        return "yes; optional with " + ", ".join(f"`{strategy}`" for strategy in optional)
    if needing:
        return "by " + ", ".join(f"`{strategy}`" for strategy in needing)
    only = used_only_by(name)
    return f"no; `{only}` only" if only else f"no; {_BY_ONE_STRATEGY[name]}" if name in _BY_ONE_STRATEGY else "no"


def _required_settings(strategy: str) -> tuple[str, ...]:
    found = find_strategy(strategy)
    return found.required_settings if found else ()


def _optional_settings(strategy: str) -> tuple[str, ...]:
    found = find_strategy(strategy)
    return found.optional_settings if found else ()


def _type_of(field: FieldInfo) -> str:
    """Return what a value is, in a few words."""
    kind, bounds = _unwrapped(field.annotation)
    bounds += field.metadata
    if get_origin(kind) is Literal:
        return " or ".join(f"`{each}`" for each in get_args(kind))
    if kind is bool:
        return "true or false"
    if kind in {int, float}:
        return ("whole number" if kind is int else "seconds") + _range(bounds)
    if any(each in get_args(StrategyName)[1:] for each in bounds):
        return "a strategy's name"
    return {SecretStr: "secret", Path: "path"}.get(kind, "text")


def _unwrapped(annotation: Any) -> tuple[Any, list[Any]]:  # noqa: ANN401 - any annotation
    """Return the type inside of `Annotated` and `… | None`, and what it is annotated with."""
    if get_origin(annotation) is Annotated:
        kind, bounds = _unwrapped(get_args(annotation)[0])
        return kind, [*bounds, *annotation.__metadata__]
    if get_origin(annotation) in {Union, types.UnionType}:
        return _unwrapped(next(each for each in get_args(annotation) if each is not type(None)))
    return getattr(annotation, "__value__", annotation), []


def _range(bounds: Iterable[Any]) -> str:
    """Return the limits of a number."""
    least = most = ""
    for each in bounds:
        if isinstance(each, Ge):
            least = f"from {each.ge}"
        elif isinstance(each, Gt):
            least = f"more than {each.gt}"
        elif isinstance(each, Le):
            most = f"to {each.le:,}" if least.startswith("from") else f"at most {each.le:,}"
    return f", {least}{' ' if least.startswith('from') else ', '}{most}" if least and most else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
