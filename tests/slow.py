"""Which tests take long by their nature: `make test` leaves them to `make test-slow`, and `make check` runs both.

They start browsers, other people's programs or dozens of processes, install packages, or go through every cell of a
table. Whole folders of them are not even imported by `make test`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MARK: Final = "slow"

FOLDERS: Final = frozenset(
    {
        "between",
        "bridge",
        "browser",
        "documents",
        "examples",
        "faults",
        "foreign",
        "fuzz",
        "guests",
        "hosts",
        "model",
        "screens",
        "storms",
        "supply",
    }
)

MODULES: Final = frozenset(
    {
        "cli/test_bridge_command.py",
        "cli/test_bridge_helpers.py",
        "cli/test_bridge_records.py",
        "cli/test_bridge_signals.py",
        "cli/test_init_command.py",
        "cli/test_interrupts.py",
        "cli/test_key_command.py",
        "cli/test_login_command.py",
        "cli/test_output.py",
        "cli/test_store_command.py",
        "leaks/test_around_tests.py",
        "migration/test_many_companies.py",
        "migration/test_mix_ups.py",
        "sandbox/test_pytest_plugin.py",
        "sandbox/test_sandbox_faults_command.py",
        "sandbox/test_sandbox_log.py",
        "stores/test_bridge_records.py",
        "stores/test_compliance.py",
        "stores/test_compliance_module.py",
        "stores/test_kills.py",
        "stores/test_redis_groups.py",
        "stores/test_sql.py",
        "test_start.py",
    }
)


class Slow:
    """The hooks. Register one: `config.pluginmanager.register(Slow())`."""

    @pytest.hookimpl
    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the mark known."""
        config.addinivalue_line("markers", f"{MARK}: takes long by its nature; see tests/slow.py")

    @pytest.hookimpl
    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave out what would be deselected: importing it takes as long as a tenth of the other tests."""
        if config.option.markexpr == MARK:
            unwanted = collection_path.match("test_*.py") and not is_slow(collection_path)
        else:
            unwanted = f"not {MARK}" in config.option.markexpr.split(" and ") and is_slow(collection_path)
        return True if unwanted else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Mark a test after its folder or its module."""
        if is_slow(item.path):
            item.add_marker(MARK)


def is_slow(path: Path) -> bool:
    """Whether a folder, or a module, has slow tests only."""
    if path.suffix != ".py":
        return path.name in FOLDERS and path.parent.name == "tests"
    return path.parent.name in FOLDERS or f"{path.parent.name}/{path.name}".removeprefix("tests/") in MODULES
