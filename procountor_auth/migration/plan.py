"""The plan: which variables to add, change and remove for one profile, as a diff of its environment."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from pydantic import SecretStr

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.settings.problems import credentials_of, settings_of
from procountor_auth.settings.profiles import DOTENV, ENVIRONMENT, variable_of
from procountor_auth.strategies.registry import find_strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from procountor_auth.migration.readiness import Readiness
    from procountor_auth.settings.profiles import Profiles

MASK: Final = "********"
"""The placeholder for a secret that is set."""

NEEDED: Final = "<to be set>"
"""The placeholder for a value that is not set yet."""

PROFILES_FILE: Final = "the profiles file"

Sign: TypeAlias = Literal["+", "-", " "]


class Change(NamedTuple):
    """One line of the diff.

    Attributes:
        sign: `+` to add, `-` to remove, a space for an unchanged line.
        variable: The variable, or its name in the profiles file.
        value: Its value; a secret is masked.
        place: Where it is set, or has to be set, such as `the environment`.
        setting: The name of the setting, which is the same for all profiles.
        shared: Whether it is common to all profiles.
    """

    sign: Sign
    variable: str
    value: str
    place: str
    setting: str
    shared: bool = False

    @property
    def kind_of_place(self) -> str:
        """Where it is set, or has to be set, without the profile's part of the profiles file."""
        return PROFILES_FILE if self.place.endswith(PROFILES_FILE) else self.place

    def __str__(self) -> str:
        if self.kind_of_place == PROFILES_FILE:
            return f'{self.sign}{self.variable} = "{self.value}"'
        return f"{self.sign}{self.variable}={self.value}"

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "sign": self.sign,
            "variable": self.variable,
            "value": self.value,
            "place": self.place,
            "shared": self.shared,
        }


class Plan(NamedTuple):
    """What to do for one profile.

    Attributes:
        readiness: Whether it can be done, and what blocks it.
        now: The changes for the switch.
        later: What can be removed after the switch, when switching back is no longer needed.
        switch: The one variable that switches this profile, spelt as where it is set.
    """

    readiness: Readiness
    now: tuple[Change, ...]
    later: tuple[Change, ...]
    switch: tuple[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        changes: dict[str, list[dict[str, Any]]] = {"add": [], "change": [], "remove": [], "remove_later": []}
        added = {change.variable for change in self.now if change.sign == "+"}
        removed = {change.variable for change in self.now if change.sign == "-"}
        for change in self.now:
            if change.sign == "+":
                changes["change" if change.variable in removed else "add"].append(change.as_dict())
            elif change.sign == "-" and change.variable not in added:
                changes["remove"].append(change.as_dict())
        changes["remove_later"] = [change.as_dict() for change in self.later]
        return {
            **self.readiness.as_dict(),
            **changes,
            "switch": {"variable": self.switch[0], "value": self.switch[1]},
            "diff": [str(change) for change in self.now],
        }


def plan(profiles: Profiles, readiness: Readiness, old: str | None = None) -> Plan:
    """Return the plan for a profile.

    Args:
        profiles: The profiles, with their variables from all places.
        readiness: Its readiness, which names the blockers.
        old: The strategy that a profile which has switched used before, if that is known.
    """
    writer = _Writer(profiles, readiness.profile)
    target, today = readiness.target, readiness.strategy
    switch = (profiles.spelling_of(readiness.profile, "strategy"), target)
    if readiness.done:
        return Plan(readiness, (), writer.leftovers(target, old), switch)
    now = writer.set("strategy", target)
    kind = find_strategy(target)
    leaving = find_strategy(today) if today else None
    for name in kind.required_settings if kind else ():
        if name in writer.values:
            now += [] if leaving and name in leaving.required_settings else writer.keep(name)
        else:
            now += writer.add(name, NEEDED)
    for name in kind.optional_settings if kind else ():
        if name in writer.values and not (leaving and name in leaving.required_settings):
            now += writer.keep(name)
    if kind is not None and not kind.unattended and "refresh_token" in writer.values:
        now += writer.keep("refresh_token")
    return Plan(readiness, tuple(now), writer.leftovers(target, today), switch)


def env_file_obstacle(profiles: Profiles, profile: str | None) -> str:
    """Return why one line, added to the .env file, does not switch a profile; empty if it does.

    Args:
        profiles: The profiles, with their variables from all places.
        profile: The profile; None for a configuration without profiles.
    """
    own = profiles.own_variable(profile, "strategy")
    # A profile's own value wins over a common one, wherever that is set.
    if own is not None and own.place == ENVIRONMENT:
        return f"{own.written} is set in the environment, so that a line in {DOTENV} has no effect: change it there"
    if own is not None and own.place == DOTENV and own.also:
        return f"{own.written} is also set as {', '.join(own.also)} in the .env file: keep one of them"
    return ""


class _Writer:
    """Collects the lines of one profile, each for the place where its value is set."""

    def __init__(self, profiles: Profiles, profile: str | None) -> None:
        self._profiles = profiles
        self._profile = profile if profile is None or profile in profiles else None
        self.values: Mapping[str, Any] = {}
        with suppress(ProcountorAuthError):  # the readiness reports it
            self.values = profiles.values_of(self._profile)

    def set(self, name: str, value: str) -> list[Change]:
        """Change a value where it is set; a value common to all profiles stays, and the profile gets its own."""
        origin = self._profiles.origin(self._profile, name)
        if origin is None or (origin.shared and self._profile is not None):
            return self.add(name, value)
        lines: list[Change] = []
        for written in origin.spellings:
            lines.append(Change("-", written, self._shown(name), origin.place, name))
            lines.append(Change("+", written, value, origin.place, name))
        return lines

    def add(self, name: str, value: str) -> list[Change]:
        if self._profile is not None and self._profiles.file is not None:
            return [Change("+", name, value, self._profiles.table_of(self._profile), name)]
        beside = self._profiles.origin(self._profile, "strategy")
        place = beside.place if beside and not beside.place.endswith(PROFILES_FILE) else ENVIRONMENT
        return [Change("+", variable_of(self._profile, name), value, place, name)]

    def keep(self, name: str) -> list[Change]:
        origin = self._profiles.origin(self._profile, name)
        return [Change(" ", origin.written, MASK, origin.place, name)] if origin else []

    def leftovers(self, target: str, old: str | None) -> tuple[Change, ...]:
        """Return the settings that only deprecated strategies, or the old one, use."""
        if find_strategy(target) is None:  # what it needs is not known
            return ()
        names_left = [name for name in dict.fromkeys((old, *_DEPRECATED)) if name is not None and name != target]
        leaving = [kind for kind in map(find_strategy, names_left) if kind is not None]
        kept = settings_of(target)
        names = [
            name
            for kind in leaving
            for name in (*kind.required_settings, *kind.extra_settings, *credentials_of(kind.name))
            if name not in kept
        ]
        if str(self._plain("fallback_strategy")) in {kind.name for kind in leaving}:
            names += ["fallback_strategy", "fallback_limit"]
        lines: list[Change] = []
        for name in dict.fromkeys(names):
            origin = self._profiles.origin(self._profile, name)
            if origin is not None:
                lines += [
                    Change("-", written, self._shown(name), origin.place, name, origin.shared)
                    for written in origin.spellings
                ]
        return tuple(lines)

    def _plain(self, name: str) -> object:
        value = self.values.get(name)
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    def _shown(self, name: str) -> str:
        return str(self._plain(name)) if name in _HARMLESS else MASK


_DEPRECATED: Final = ("legacy_password",)

_HARMLESS: Final = frozenset({"strategy", "fallback_strategy", "fallback_limit"})
"""The settings whose values may be shown. All others are masked, including unknown ones."""
