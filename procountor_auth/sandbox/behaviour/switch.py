"""Switches: the quirks and the faults as one flat list of names and values.

The command line, the dashboard and ``/_sandbox/faults`` use them to change a running sandbox.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, cast, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from .faults import Faults
from .quirks import Quirks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["choice", "flag", "whole", "number", "text"]
Value = str | int | float | bool | None

#: In display order.
GROUPS = ("Faults", "Conditions", "Tokens", "Dialect", "Legacy flow")

_OFF = frozenset({"none", "null", "off", "default"})
_KINDS: dict[str, Kind] = {"boolean": "flag", "integer": "whole", "number": "number", "string": "text"}
_MAX_SHOWN = 60


class Switch:
    """One field of `Quirks` or `Faults`, whose type and limits determine its valid values.

    Args:
        of: `Quirks` or `Faults`.
        name: The name of the field.
        group: One of `GROUPS`.
        about: One sentence about it.
        alias: Another name for it, or None.

    Attributes:
        name: As given.
        group: As given.
        help: One sentence about it.
        alias: As given.
        default: The field's default; None is "off".
        kind: The kind of its values: one of ``choices``, a flag, a whole number, a number, a text.
        choices: The values of a choice, without None.
    """

    def __init__(self, of: type[Quirks | Faults], name: str, group: str, about: str, alias: str | None = None) -> None:
        self.name = name
        self.group = group
        self.help = about
        self.alias = alias
        self.default: Value = cast("Value", next(field.default for field in fields(of) if field.name == name))
        hint = get_type_hints(of, include_extras=True)[name]
        self._type: TypeAdapter[Value] = TypeAdapter(hint, config=ConfigDict(strict=True))
        schema = self._type.json_schema()
        # Of a type or None, the type.
        self._schema: dict[str, Any] = schema.get("anyOf", [schema])[0]
        self.choices: tuple[str, ...] = tuple(self._schema.get("enum", ()))
        self.kind: Kind = "choice" if self.choices else _KINDS[self._schema["type"]]

    def __repr__(self) -> str:
        return f"<Switch {self.name}>"

    @property
    def accepts(self) -> str:
        """What it accepts, for users: ``'before', 'middle' or off``."""
        off = self.default is None
        if self.kind == "choice":
            words = [repr(each) for each in self.choices] + ["off"] * off
            return f"{', '.join(words[:-1])} or {words[-1]}"
        if self.kind == "text":
            return "a text; empty for off"
        what = {"flag": "true or false", "whole": "a whole number", "number": "a number"}[self.kind]
        low, high = self._schema.get("minimum"), self._schema.get("maximum")
        if low is not None:
            what += f", {_number(low)} or more" if high is None else f" from {_number(low)} to {_number(high)}"
        return f"{what}, or off" if off else what

    def parse(self, text: str) -> Value:
        """Return the value of a text from a command line or a form. An empty text means the default.

        Raises:
            ValueError: The text is invalid; the message names the switch and what it accepts.
        """
        word = text.strip().lower()
        if not word or word == "default" or (self.default is None and self.kind != "text" and word in _OFF):
            return self.default
        try:
            if self.name == "legacy_removed" and word not in self.choices:
                return self._type.validate_python(TypeAdapter(bool).validate_python(word))
            if self.kind in {"choice", "text"}:
                return self._type.validate_python(text if self.kind == "text" else text.strip())
            return self._type.validate_strings(text.strip())
        except ValidationError as error:
            raise self._refusal(text, error) from None

    def check(self, value: object) -> Value:
        """Return the value in the type of the field. None means the default.

        Raises:
            ValueError: It is not a value of this switch; the message names the switch and what it accepts.
        """
        if value is None:
            return self.default
        try:
            return self._type.validate_python(value)
        except ValidationError as error:
            raise self._refusal(value, error) from None

    def _refusal(self, value: object, error: ValidationError) -> ValueError:
        first = error.errors(include_url=False)[0]
        if first["type"] == "value_error":
            # Our own rule explains more than the type.
            return ValueError(f"{self.name} {first.get('ctx', {}).get('error')}")
        return ValueError(f"{self.name} must be {self.accepts}, not {shown(value)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The value of a switch in a sandbox.

    Attributes:
        switch: The switch.
        value: Its current value.
    """

    switch: Switch
    value: Value

    @property
    def is_default(self) -> bool:
        """Whether it has its default."""
        return self.value == self.switch.default

    @property
    def text(self) -> str:
        """The value as text for `Switch.parse`; empty for off."""
        if self.value is None:
            return ""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return _number(self.value) if isinstance(self.value, float) else str(self.value)


def _switches() -> tuple[Switch, ...]:
    faults, conditions, tokens, dialect, legacy = GROUPS
    return (
        Switch(Faults, "where", faults, "Which requests the faults affect."),
        Switch(Faults, "times", faults, "How many more requests the faults affect; then they end."),
        Switch(Faults, "latency", faults, "Seconds to wait before each response."),
        Switch(
            Faults, "status", faults, "Error status to respond with: 5xx and 403 in HTML, others as the API's JSON."
        ),
        Switch(
            Faults, "retry_after", faults, "Retry-After header for that status: seconds, a date, or an invalid value."
        ),
        Switch(Faults, "reset", faults, "Reset the connection before the response, or in the middle of it."),
        Switch(Faults, "body", faults, "Respond with HTML or malformed JSON, with status 200 or the one above."),
        Switch(Faults, "clock_skew", conditions, "Seconds that the service's clock is ahead, or behind if negative."),
        Switch(Faults, "revoked_keys", conditions, "Reject every API key as if it were revoked."),
        Switch(Faults, "deprecation", conditions, "Date for the Deprecation header of the API's responses."),
        Switch(Faults, "sunset", conditions, "Date for the Sunset header of the API's responses."),
        Switch(Faults, "sunset_link", conditions, "Address of a page about the sunset, for the Link header."),
        Switch(
            Quirks, "access_token_lifetime", tokens, "Seconds until an access token expires.", alias="token_lifetime"
        ),
        Switch(Quirks, "refresh_token_lifetime", tokens, "Seconds from the login until the refresh token expires."),
        Switch(Quirks, "code_lifetime", tokens, "Seconds until an authorization code expires."),
        Switch(Quirks, "refresh_token", tokens, "Whether a refresh keeps, repeats or rotates the refresh token."),
        Switch(Quirks, "subject", tokens, "Type of the tokens' claim sub."),
        Switch(Quirks, "company", tokens, "Whether tokens and API keys claim their company as cid, or omit it."),
        Switch(Quirks, "api_key_redirect_uri", dialect, "Whether the client credentials grant needs a redirect_uri."),
        Switch(Quirks, "error_shape", dialect, "Shape of OAuth errors: OAuth's own, or that of the API's errors."),
        Switch(Quirks, "state", dialect, "Whether redirects echo the state, omit it, or carry a wrong one."),
        Switch(Quirks, "token_type", dialect, "Value of token_type in token responses; the service sends none."),
        Switch(Quirks, "legacy_removed", legacy, "How oauth/authz responds after the removal; true means 404."),
        Switch(Quirks, "location", legacy, "Literal Location of every successful oauth/authz redirect."),
    )


#: Every switch, group by group: each field of `Faults` and `Quirks` is one.
SWITCHES: tuple[Switch, ...] = _switches()

_BY_NAME = {name: switch for switch in SWITCHES for name in (switch.name, switch.alias) if name is not None}


def find_switch(name: str) -> Switch:
    """Return the switch with this name, or with this alias.

    Raises:
        ValueError: There is none; the message lists the names.
    """
    switch = _BY_NAME.get(name)
    if switch is None:
        names = ", ".join(each.name for each in SWITCHES)
        meant = nearest(name, _BY_NAME)
        near = f", did you mean {meant}" if meant else ""
        raise ValueError(f"there is no switch {shown(name)}{near}; the switches are {names}")
    return switch


def parse(texts: Mapping[str, str]) -> dict[str, Value]:
    """Return the values of the texts in a form, by the names of the switches.

    Raises:
        ValueError: A name is unknown, or a text is invalid for its switch.
    """
    return {name: find_switch(name).parse(text) for name, text in texts.items()}


def parse_assignments(assignments: Iterable[str]) -> dict[str, Value]:
    """Return the values of ``NAME=VALUE`` arguments, by the names of the switches.

    Raises:
        ValueError: An argument has no ``=``, its name is unknown, or its value is invalid.
    """
    texts: dict[str, str] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"{shown(assignment)} must be NAME=VALUE")
        texts[name.strip()] = text
    return parse(texts)


def _number(value: float) -> str:
    # 0.5 unchanged, and 2.0 as users write it, 2.
    return format(value, ".15g")


def shown(value: object) -> str:
    """Return a value for an error's message, cut if it is long."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant, or None."""
    import difflib  # noqa: PLC0415 - only after a mistake

    return next(iter(difflib.get_close_matches(name, names, n=1)), None)
