"""The switches: quirks and faults as one list of names and values."""

from __future__ import annotations

from dataclasses import fields

import pytest

from procountor_auth.sandbox import Faults, Quirks
from procountor_auth.sandbox.behaviour.faults import FaultState
from procountor_auth.sandbox.behaviour.switch import (
    GROUPS,
    SWITCHES,
    Setting,
    find_switch,
    parse,
    parse_assignments,
)
from procountor_auth.sandbox.behaviour.switchboard import Switchboard, apply, values_of


def test_every_field_is_a_switch() -> None:
    """Each quirk and each fault is exactly one switch, with its default and a sentence of help."""
    defaults = {field.name: field.default for made in (Quirks, Faults) for field in fields(made)}
    assert {switch.name: switch.default for switch in SWITCHES} == defaults
    assert len(SWITCHES) == len(defaults)
    assert all(switch.help.endswith(".") and switch.group in GROUPS for switch in SWITCHES)
    assert find_switch("token_lifetime") is find_switch("access_token_lifetime")


def test_groups_are_together() -> None:
    """Listed one after the other, the switches of a group stand side by side."""
    assert sorted(SWITCHES, key=lambda switch: GROUPS.index(switch.group)) == list(SWITCHES)


@pytest.mark.parametrize(
    ("assignment", "name", "value"),
    [
        ("latency=0.5", "latency", 0.5),
        ("latency=2", "latency", 2.0),
        ("clock_skew=-3600", "clock_skew", -3600.0),
        ("status=503", "status", 503),
        ("status=off", "status", None),
        ("status=", "status", None),
        ("retry_after=5", "retry_after", "5"),
        ("retry_after=Sun, 31 Jan 2027 00:00:00 GMT", "retry_after", "Sun, 31 Jan 2027 00:00:00 GMT"),
        ("revoked_keys=yes", "revoked_keys", True),
        ("revoked_keys=0", "revoked_keys", False),
        ("legacy_removed=true", "legacy_removed", "404"),
        ("legacy_removed=410", "legacy_removed", "410"),
        ("legacy_removed=false", "legacy_removed", None),
        ("token_lifetime=5", "access_token_lifetime", 5),
        ("refresh_token=rotate", "refresh_token", "rotate"),
        ("refresh_token=default", "refresh_token", "keep"),
        ("location=https://x.invalid/?a=b", "location", "https://x.invalid/?a=b"),
    ],
)
def test_assignments(assignment: str, name: str, value: object) -> None:
    """A text becomes the value in the type of its field."""
    quirks, faults = apply(parse_assignments([assignment]), Quirks(), Faults())
    got = values_of(quirks, faults)[name]
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("latency", "NAME=VALUE"),
        ("wether=1", "'wether'.*latency"),
        ("latency=fast", "latency must be a number"),
        ("latency=nan", "latency must be a number"),
        ("latency=-1", "latency must be a number from 0 to 86400"),
        ("status=200", "status must be .* 400 to 599"),
        ("status=5e2", "status must be a whole number"),
        ("reset=after", "reset must be 'before', 'middle' or off"),
        ("revoked_keys=maybe", "revoked_keys must be true or false"),
        ("legacy_removed=500", "legacy_removed must be '404'"),
        ("token_lifetime=0", "access_token_lifetime must be a whole number from 1"),
        ("sunset=soon", "sunset must be an ISO date"),
    ],
)
def test_mistakes_name_the_switch(assignment: str, says: str) -> None:
    """What cannot be is refused with the switch's name and what it accepts."""
    with pytest.raises(ValueError, match=says):
        apply(parse_assignments([assignment]), Quirks(), Faults())


def test_a_form_sends_back_what_it_showed() -> None:
    """The texts of all switches, read again, leave everything as it is."""
    quirks = Quirks(legacy_removed="410", access_token_lifetime=7)
    faults = Faults(latency=0.25, status=429, retry_after="x", revoked_keys=True, sunset="2027-01-31", clock_skew=-2)
    values = values_of(quirks, faults)
    texts = {switch.name: Setting(switch=switch, value=values[switch.name]).text for switch in SWITCHES}
    assert apply(parse(texts), Quirks(), Faults()) == (quirks, faults)


def test_all_or_nothing() -> None:
    """One wrong value among right ones changes neither the quirks nor the faults."""
    board = Switchboard(FaultState(Faults(latency=1)), Quirks(subject="string"))
    before = board.values()
    with pytest.raises(ValueError, match="status"):
        board.change({"latency": 2, "subject": "integer", "status": 42})
    with pytest.raises(ValueError, match="one switch"):
        board.change({"token_lifetime": 5, "access_token_lifetime": 6})
    assert board.values() == before


def test_null_is_the_default_and_the_rest_stays() -> None:
    """A change touches only what it names, and None brings a default back."""
    board = Switchboard(FaultState(Faults(latency=1, status=503)), Quirks(subject="string"))
    board.change({"latency": None, "legacy_removed": True})
    assert board.faults == Faults(status=503)
    assert board.quirks == Quirks(subject="string", legacy_removed="404")
    changed = [setting.switch.name for setting in board.settings() if not setting.is_default]
    assert changed == ["status", "subject", "legacy_removed"]
    board.reset()
    assert all(setting.is_default for setting in board.settings())
