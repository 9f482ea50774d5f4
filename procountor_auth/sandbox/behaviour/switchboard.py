"""The switchboard: all switches of one running sandbox."""

from __future__ import annotations

import threading
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from .faults import Faults
from .quirks import Quirks
from .switch import SWITCHES, Setting, find_switch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .faults import FaultState
    from .switch import Value

_OF_FAULTS = frozenset(field.name for field in fields(Faults))


def apply(values: Mapping[str, object], quirks: Quirks, faults: Faults) -> tuple[Quirks, Faults]:
    """Return the quirks and the faults with some switches changed: either all of them or none.

    Args:
        values: The new values by the names of the switches; None means the default.
        quirks: The quirks before.
        faults: The faults before.

    Raises:
        ValueError: A name is unknown, a value is invalid for its switch, or two names of one switch
            contradict each other. The message names the switch.
    """
    changes: dict[str, Value] = {}
    for name, value in values.items():
        switch = find_switch(name)
        checked = switch.check(value)
        if changes.setdefault(switch.name, checked) != checked:
            raise ValueError(f"{switch.name} and {switch.alias} are one switch, and cannot have two values")
    # Any: each value has been checked against its field's own type.
    of_faults: dict[str, Any] = {name: value for name, value in changes.items() if name in _OF_FAULTS}
    of_quirks: dict[str, Any] = {name: value for name, value in changes.items() if name not in _OF_FAULTS}
    return replace(quirks, **of_quirks), replace(faults, **of_faults)


def values_of(quirks: Quirks, faults: Faults) -> dict[str, Value]:
    """Return the value of every switch by its name, ready for JSON."""
    return {switch.name: getattr(faults if switch.name in _OF_FAULTS else quirks, switch.name) for switch in SWITCHES}


class Switchboard:
    """The switches of one running sandbox; thread-safe.

    Args:
        fault_state: The state of the faults.
        quirks: The quirks to start with.
    """

    def __init__(self, fault_state: FaultState, quirks: Quirks) -> None:
        self._lock = threading.Lock()
        self._fault_state = fault_state
        self._quirks = quirks

    @property
    def quirks(self) -> Quirks:
        """The current quirks."""
        return self._quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        with self._lock:
            self._quirks = quirks

    @property
    def faults(self) -> Faults:
        """The current faults."""
        return self._fault_state.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._fault_state.change(lambda _: faults)

    def change(self, values: Mapping[str, object]) -> None:
        """Change some switches: either all of them or none.

        Raises:
            ValueError: As `apply` does.
        """
        with self._lock:
            quirks = self._quirks

            def make(faults: Faults) -> Faults:
                # Under the lock of the faults: a concurrent request is counted before or after.
                nonlocal quirks
                quirks, faults = apply(values, quirks, faults)
                return faults

            self._fault_state.change(make)
            self._quirks = quirks

    def reset(self) -> None:
        """Reset every switch to its default: no faults, and the documented behaviour."""
        with self._lock:
            self._fault_state.change(lambda _: Faults())
            self._quirks = Quirks()

    def values(self) -> dict[str, Value]:
        """Return the value of every switch by its name, ready for JSON."""
        return values_of(self._quirks, self._fault_state.faults)

    def settings(self) -> tuple[Setting, ...]:
        """Return every switch with its current value, by group."""
        values = self.values()
        return tuple(Setting(switch=switch, value=values[switch.name]) for switch in SWITCHES)
