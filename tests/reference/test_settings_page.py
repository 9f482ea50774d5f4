"""docs/settings.md says of each variable what `Settings` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth import Settings
from procountor_auth.settings.problems import variable_named
from procountor_auth.strategies.registry import BUILT_IN, find_strategy

from .scripts import page_script

if TYPE_CHECKING:
    import pytest


def test_the_page_is_current() -> None:
    """docs/settings.md is what `make settings` writes from the fields of today."""
    script = page_script("settings_page")
    assert script.PAGE.read_text(encoding="utf-8") == script.page()


def test_every_setting_is_described() -> None:
    """Each setting has a description that is a sentence, and an example."""
    for name, field in Settings.model_fields.items():
        assert (field.description or "").endswith("."), name
        assert field.examples, name


def test_every_example_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """All examples together, but for the profile's, are a valid configuration of each strategy."""
    for name, field in Settings.model_fields.items():
        if name not in {"profile", "profiles_file", "strategy"}:
            assert field.examples
            monkeypatch.setenv(variable_named(name), str(field.examples[0]))
    for strategy in BUILT_IN:
        assert Settings(strategy=strategy).strategy == strategy


def test_what_a_strategy_needs_is_said() -> None:
    """Each setting that a strategy can't do without says so in its row."""
    rows = {
        row.split("`")[1]: row.split("|")[4]
        for row in page_script("settings_page").page().splitlines()
        if row.startswith("| `")
    }
    for strategy in BUILT_IN:
        found = find_strategy(strategy)
        assert found is not None
        for name in found.required_settings:
            said = rows[variable_named(name)].strip()
            assert said.partition(";")[0] == "yes" or f"by `{strategy}`" in said
