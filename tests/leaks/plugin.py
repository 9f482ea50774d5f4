"""The scanner around every test: a hit fails the test in which it happened."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from .canaries import Canaries
from .purpose import is_on_purpose
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import Generator
    from warnings import WarningMessage

_MOST_FILES: Final = 200
_LARGEST_FILE: Final = 200_000
_STORED: Final = frozenset({"access_token", "refresh_token"})
"""What the file store is for. It keeps no password, no client secret, no API key."""


class LeakScanner:
    """The hooks. Register one: `config.pluginmanager.register(LeakScanner())`."""

    def __init__(self) -> None:
        self.canaries = Canaries()
        self.watch = Watch(self.canaries)
        self._module: object = None

    @pytest.hookimpl
    def pytest_configure(self) -> None:
        """Listen."""
        self.watch.start()

    @pytest.hookimpl
    def pytest_unconfigure(self) -> None:
        """Stop to listen."""
        self.watch.stop()

    @pytest.hookimpl(tryfirst=True, wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        """Begin a test. A module's sandboxes last as long as it, and so do their secrets."""
        if item.parent is not self._module and item.getparent(pytest.Module) is not self._module:
            self._module = item.getparent(pytest.Module)
            self.canaries.clear()
            self.watch.forget_sandboxes()
        self.watch.begin()
        return (yield)

    @pytest.hookimpl
    def pytest_warning_recorded(self, warning_message: WarningMessage) -> None:
        """Keep a warning that nobody turned into an error."""
        self.watch.records.add("warning", str(warning_message.message))

    @pytest.hookimpl(tryfirst=True, wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        """Look at everything after the fixtures are gone, too."""
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        self.watch.finish()  # as the test has left it, before its fixtures put things back
        result = yield
        records = self.watch.records
        self.watch.finish()
        for _, place, text in item._report_sections:
            if place in {"stdout", "stderr"}:
                records.add(place, text)
        hits = records.hits(self.canaries)
        if isinstance(folder, Path):
            hits |= self._hits_in_files(folder)
        hits -= {hit for hit in hits if is_on_purpose(item.nodeid, *hit[:2])}
        if hits:
            lines = [f"  {kind} in {place}, {encoding}" for place, kind, encoding in sorted(hits)]
            pytest.fail(f"{item.nodeid}: secrets have leaked (docs/leaks.md):\n" + "\n".join(lines), pytrace=False)
        return result

    def _hits_in_files(self, folder: Path) -> set[tuple[str, str, str]]:
        """Return what stands in files that the test did not write itself."""
        hits = set()
        for path in [each for each, _ in zip(folder.rglob("*"), range(_MOST_FILES), strict=False)]:
            # A file that nobody here has opened was written by a child process.
            if not self.watch.written.get(str(path), True):
                continue
            try:
                status = path.lstat()
                if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_FILE:
                    continue
                text = path.read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            private = not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            hits |= {
                ("file", found.kind, found.encoding)
                for found in self.canaries.search(text, own_words=False)
                if not (private and found.kind in _STORED)
            }
        return hits
