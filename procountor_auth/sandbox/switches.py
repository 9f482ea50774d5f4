"""Switches: the quirks and the weather as one flat list of names and values.

The command line, the dashboard and ``/_sandbox/weather`` change a running sandbox with them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from .quirks import ErrorShape, Quirks, RefreshTokens, Removal, StateEcho, Subject
from .weather import Body, Reset, Weather, Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .weather import Sky

Kind = Literal["choice", "flag", "whole", "number", "text"]
Value = str | int | float | bool | None

#: In the order in which people are shown them.
GROUPS = ("Faults", "Conditions", "Tokens", "Dialect", "Legacy flow")

#: Beyond any number that a switch takes; neither infinity nor NaN is less.
_FAR = 1e15
_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})
_NONE = frozenset({"none", "null", "off", "default"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One thing that can be switched.

    Attributes:
        name: The field of `Quirks` or `Weather`.
        group: One of `GROUPS`.
        kind: What its values are: one of ``choices``, a flag, a whole number, a number, a text.
        help: One sentence about it.
        choices: The values of a choice, without None.
        default: The value that it has without being touched; None is "off".
        alias: Another name for it, or None.
    """

    name: str
    group: str
    kind: Kind
    help: str
    choices: tuple[str, ...] = ()
    default: Value = None
    alias: str | None = None

    @property
    def accepts(self) -> str:
        """What it accepts, for people: ``'before', 'middle' or off``."""
        if self.kind == "choice":
            words = [repr(each) for each in self.choices]
            if self.default is None:
                words.append("off")
            return f"{', '.join(words[:-1])} or {words[-1]}"
        what = {"flag": "true or false", "whole": "a whole number", "number": "a number", "text": "a text"}[self.kind]
        if self.kind == "text":
            return f"{what}; empty for off"
        return f"{what}, or off" if self.default is None else what

    def parse(self, text: str) -> Value:
        """Return the value that a text means, as a command line or a form has it. Empty is the default.

        Raises:
            ValueError: It means none; the message names the switch and what it accepts.
        """
        word = text.strip().lower()
        if not word or word == "default" or (self.default is None and self.kind != "text" and word in _NONE):
            return self.default
        if self.kind == "text":
            return text
        try:
            return self.check(self._read(text.strip(), word))
        except ValueError:
            raise self._refusal(text) from None

    def check(self, value: object) -> Value:
        """Return the value in the type of the field. None is the default.

        Raises:
            ValueError: It is not a value of this switch; the message names the switch and what it accepts.
        """
        if value is None:
            return self.default
        if self.name == "legacy_removed" and isinstance(value, bool):
            return "404" if value else None
        if self.kind == "flag":
            right = isinstance(value, bool)
        elif self.kind == "whole":
            right = isinstance(value, int) and not isinstance(value, bool)
        elif self.kind == "number":
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _FAR:
                return float(value)
            right = False
        else:
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)  # Retry-After in seconds, and the removal's status.
            right = isinstance(value, str) and (self.kind == "text" or value in self.choices)
        if not right:
            raise self._refusal(value)
        return cast("Value", value)

    def _read(self, text: str, word: str) -> object:
        if self.kind == "whole":
            return int(text)
        if self.kind == "number":
            return float(text)
        if self.kind == "flag" or (self.name == "legacy_removed" and word in _YES | _NO):
            if word not in _YES | _NO:
                raise ValueError(word)
            return word in _YES
        return text

    def _refusal(self, value: object) -> ValueError:
        return ValueError(f"{self.name} must be {self.accepts}, not {_shown(value)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A switch as it stands in a sandbox now.

    Attributes:
        switch: The switch.
        value: Its value now.
    """

    switch: Switch
    value: Value

    @property
    def is_default(self) -> bool:
        """Whether it has been left alone."""
        return self.value == self.switch.default

    @property
    def text(self) -> str:
        """The value as `Switch.parse` reads it; empty for off."""
        if self.value is None:
            return ""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        # 0.5 as it is, and 2.0 as people write it.
        return format(self.value, ".15g") if isinstance(self.value, float) else str(self.value)


def _switches() -> tuple[Switch, ...]:
    defaults = {field.name: field.default for made in (Weather, Quirks) for field in fields(made)}

    def switch(group: str, name: str, kind: Kind | object, about: str, alias: str | None = None) -> Switch:
        choices = () if isinstance(kind, str) else get_args(kind)
        default = cast("Value", defaults[name])
        known: Kind = cast("Kind", kind) if isinstance(kind, str) else "choice"
        return Switch(name=name, group=group, kind=known, help=about, choices=choices, default=default, alias=alias)

    faults, conditions, tokens, dialect, legacy = GROUPS
    return (
        switch(faults, "where", Where, "Which requests the faults hit."),
        switch(faults, "times", "whole", "How many more requests the faults hit; then they are over."),
        switch(faults, "latency", "number", "Seconds to wait before each answer."),
        switch(
            faults,
            "status",
            "whole",
            "Error status to answer instead: 5xx and 403 in HTML, others as the API's JSON.",
        ),
        switch(faults, "retry_after", "text", "Retry-After beside that status: seconds, an HTTP date, or nonsense."),
        switch(faults, "reset", Reset, "Reset the connection before the answer, or in the middle of it."),
        switch(faults, "body", Body, "Answer an HTML page or malformed JSON, with status 200 or the one above."),
        switch(conditions, "clock_skew", "number", "Seconds by which the service's clock is ahead; negative: behind."),
        switch(conditions, "revoked_keys", "flag", "Refuse every API key as if it were revoked."),
        switch(conditions, "deprecation", "text", "Date for the header Deprecation of the API's answers."),
        switch(conditions, "sunset", "text", "Date for the header Sunset of the API's answers."),
        switch(conditions, "sunset_link", "text", "Address of a page about it, for the header Link."),
        switch(
            tokens, "access_token_lifetime", "whole", "Seconds until an access token expires.", alias="token_lifetime"
        ),
        switch(tokens, "refresh_token_lifetime", "whole", "Seconds from the login until the refresh token expires."),
        switch(tokens, "code_lifetime", "whole", "Seconds until an authorization code expires."),
        switch(
            tokens, "refresh_token", RefreshTokens, "Whether a refresh keeps, repeats or rotates the refresh token."
        ),
        switch(tokens, "subject", Subject, "Type of the tokens' claim sub."),
        switch(dialect, "error_shape", ErrorShape, "Shape of OAuth errors: OAuth's own, or that of the API's errors."),
        switch(dialect, "state", StateEcho, "Whether redirects echo the state, omit it, or carry a wrong one."),
        switch(dialect, "token_type", "text", "Value of token_type in token answers; the service sends none."),
        switch(
            legacy, "legacy_removed", Removal, "How oauth/authz answers once the legacy flow is gone; true means 404."
        ),
        switch(legacy, "location", "text", "Literal Location of every successful oauth/authz redirect."),
    )


#: Every switch, group by group: each field of `Weather` and `Quirks` is one.
SWITCHES: tuple[Switch, ...] = _switches()

_BY_NAME = {name: switch for switch in SWITCHES for name in (switch.name, switch.alias) if name is not None}
_WEATHER = frozenset(field.name for field in fields(Weather))


def find_switch(name: str) -> Switch:
    """Return the switch with this name, or with this alias.

    Raises:
        ValueError: There is none; the message lists the names.
    """
    switch = _BY_NAME.get(name)
    if switch is None:
        names = ", ".join(each.name for each in SWITCHES)
        raise ValueError(f"there is no switch {_shown(name)}; the switches are {names}")
    return switch


def parse(texts: Mapping[str, str]) -> dict[str, Value]:
    """Return the values that the texts of a form mean, by the names of the switches.

    Raises:
        ValueError: A name is unknown, or a text means no value of its switch.
    """
    return {name: find_switch(name).parse(text) for name, text in texts.items()}


def parse_assignments(assignments: Iterable[str]) -> dict[str, Value]:
    """Return the values of ``NAME=VALUE`` arguments, by the names of the switches.

    Raises:
        ValueError: One has no ``=``, its name is unknown, or its text means no value of the switch.
    """
    texts = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"{_shown(assignment)} must be NAME=VALUE")
        texts[name.strip()] = text
    return parse(texts)


def apply(values: Mapping[str, object], quirks: Quirks, weather: Weather) -> tuple[Quirks, Weather]:
    """Return the quirks and the weather with some switches changed: all of them, or none.

    Args:
        values: The new values by the names of the switches; None stands for the default.
        quirks: The quirks before.
        weather: The weather before.

    Raises:
        ValueError: A name is unknown, a value is not one of its switch, or two names of one switch
            contradict each other. The message names the switch.
    """
    changes: dict[str, Value] = {}
    for name, value in values.items():
        switch = find_switch(name)
        checked = switch.check(value)
        if changes.setdefault(switch.name, checked) != checked:
            raise ValueError(f"{switch.name} and {switch.alias} are one switch, and cannot have two values")
    # Any: each value has been checked against its field's own type.
    of_weather: dict[str, Any] = {name: value for name, value in changes.items() if name in _WEATHER}
    of_quirks: dict[str, Any] = {name: value for name, value in changes.items() if name not in _WEATHER}
    return replace(quirks, **of_quirks), replace(weather, **of_weather)


def values_of(quirks: Quirks, weather: Weather) -> dict[str, Value]:
    """Return the value of every switch by its name, ready for JSON."""
    return {switch.name: getattr(weather if switch.name in _WEATHER else quirks, switch.name) for switch in SWITCHES}


class Switchboard:
    """The switches of one running sandbox, safe for many threads.

    Args:
        sky: Has the weather.
        quirks: The quirks to start with.
    """

    def __init__(self, sky: Sky, quirks: Quirks) -> None:
        self._lock = threading.Lock()
        self._sky = sky
        self._quirks = quirks

    @property
    def quirks(self) -> Quirks:
        """The quirks that count at this moment."""
        return self._quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        with self._lock:
            self._quirks = quirks

    @property
    def weather(self) -> Weather:
        """The weather that counts at this moment."""
        return self._sky.weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self._sky.change(lambda _: weather)

    def change(self, values: Mapping[str, object]) -> None:
        """Change some switches: all of them, or none.

        Raises:
            ValueError: As `apply` does.
        """
        with self._lock:
            quirks = self._quirks

            def make(weather: Weather) -> Weather:
                # Under the sky's lock: a fault that strikes meanwhile is counted before or after.
                nonlocal quirks
                quirks, weather = apply(values, quirks, weather)
                return weather

            self._sky.change(make)
            self._quirks = quirks

    def reset(self) -> None:
        """Bring fair weather and the documented dialect."""
        with self._lock:
            self._sky.change(lambda _: Weather())
            self._quirks = Quirks()

    def values(self) -> dict[str, Value]:
        """Return the value of every switch by its name, ready for JSON."""
        return values_of(self._quirks, self._sky.weather)

    def settings(self) -> tuple[Setting, ...]:
        """Return every switch as it stands, group by group."""
        values = self.values()
        return tuple(Setting(switch=switch, value=values[switch.name]) for switch in SWITCHES)


def _shown(value: object) -> str:
    # What was typed, but not a page of it.
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line on a terminal
