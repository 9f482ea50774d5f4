"""The form of the switches on the dashboard: its fields, and the errors of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from procountor_auth.sandbox.behaviour.switch import SWITCHES, Setting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from procountor_auth.sandbox.behaviour.switch import Value


@dataclass(frozen=True, slots=True)
class Field:
    """A switch in the form.

    Attributes:
        setting: The switch with its current value.
        text: The text in the field.
        problem: The error of the text, as a sentence without its subject; empty if there is none.
    """

    setting: Setting
    text: str
    problem: str

    @property
    def name(self) -> str:
        """The name of the switch, and of the field."""
        return self.setting.switch.name

    @property
    def label(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ").capitalize()


class SwitchForm:
    """The input of the form.

    Args:
        given: The form as a browser sends it.

    Attributes:
        texts: The texts by the names of the switches.
        values: The values of the valid texts.
        problems: Why the other texts are invalid, by the names of the switches.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        self.texts: dict[str, str] = {each.name: given[each.name] for each in SWITCHES if each.name in given}
        # An unchecked box sends nothing.
        self.texts |= {each.name: given.get(each.name, "false") for each in SWITCHES if each.kind == "flag"}
        self.values: dict[str, Value] = {}
        self.problems: dict[str, str] = {}
        for switch in SWITCHES:
            if switch.name in self.texts:
                try:
                    self.values[switch.name] = switch.parse(self.texts[switch.name])
                except ValueError as error:
                    # The field's label replaces the name.
                    self.problems[switch.name] = str(error).removeprefix(f"{switch.name} ")


def fields_of(settings: Sequence[Setting], form: SwitchForm | None = None) -> list[Field]:
    """Return the fields with the input, or with the switches' current values."""
    texts = {} if form is None else form.texts
    problems = {} if form is None else form.problems
    return [
        Field(each, texts.get(each.switch.name, each.text), problems.get(each.switch.name, "")) for each in settings
    ]
