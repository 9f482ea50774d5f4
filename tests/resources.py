"""What a test needs beside its own process: the marks `process`, `server` and `browser`, and whether they are right.

`make test-fast` runs the tests that have none of these marks. A test gets a mark from its folder, from a fixture
that it uses, or from its module. One that starts a process or listens on a socket without the mark fails: else it would
make the fast run slow.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

MARKS: Final = {
    "process": "starts a process",
    "server": "listens on a socket",
    "browser": "drives a browser",
}

OTHER_MARKS: Final = {
    "fuzz": "gets more inputs in `make fuzz`",
    "long": "does more in `make test-long`",
    "once": "depends neither on the Python nor on the versions installed: `make check` alone runs it",
    "http_library": "depends on which HTTP library is installed",
}

_MARKS_OF_FOLDER: Final = {
    "once": frozenset(
        {"browser", "documents", "examples", "forkserver", "fuzz", "leaks", "model", "reference", "screens"}
    ),
    "http_library": frozenset({"bridge", "faults", "login", "tests", "tokens", "transport"}),
}
"""The folders all of whose tests have one of these marks. No other test has the second one."""

_BY_FIXTURE: Final = {
    "fork_server": ("process",),
    "place_of": ("process", "server"),  # it asks for a Redis as it goes
    "running_redis": ("process", "server"),
    "start_proxy": ("server",),
    "start_redis": ("process", "server"),
    "sandbox": ("server",),
    "procountor_sandbox": ("server",),
    "browser": ("browser", "process"),
}

_BY_FOLDER: Final = {
    "bridge": ("process", "server"),
    "browser": ("browser", "process", "server"),
    "cli": ("process", "server"),
    "documents": ("process", "server"),
    "examples": ("process", "server"),
    "faults": ("process", "server"),
    "foreign": ("process", "server"),
    "hosts": ("process", "server"),
    "forkserver": ("process",),
    "migration": ("process", "server"),
    "sandbox": ("process", "server"),
    "storms": ("process", "server"),
    "supply": ("process", "server"),
}

_BY_EVENT: Final = {
    "subprocess.Popen": "process",
    "os.fork": "process",
    "os.forkpty": "process",
    "os.posix_spawn": "process",
    "socket.bind": "server",
}


class Resources:
    """The hooks. Register one: `config.pluginmanager.register(Resources())`."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._listening = True

    @pytest.hookimpl
    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the marks known, and listen."""
        for mark, meaning in (MARKS | OTHER_MARKS).items():
            config.addinivalue_line("markers", f"{mark}: {meaning}")
        sys.addaudithook(self._hear)

    @pytest.hookimpl
    def pytest_unconfigure(self) -> None:
        """Stop to listen: an audit hook can't be taken off again."""
        self._listening = False

    @pytest.hookimpl
    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave out folders all of whose tests would be deselected, as importing them takes long."""
        if collection_path.parent.name != "tests" or not collection_path.is_dir():
            return None
        asked = config.option.markexpr.split(" and ")
        unwanted = "not once" in asked and collection_path.name in _MARKS_OF_FOLDER["once"]
        if "http_library" in asked:
            unwanted |= collection_path.name not in _MARKS_OF_FOLDER["http_library"]
        return True if unwanted else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Mark a test after its folder and the fixtures that it uses."""
        for mark, folders in _MARKS_OF_FOLDER.items():
            if item.path.parent.name in folders:
                item.add_marker(mark)
        for mark in _BY_FOLDER.get(item.path.parent.name, ()):
            item.add_marker(mark)
        for fixture in getattr(item, "fixturenames", ()):
            for mark in _BY_FIXTURE.get(fixture, ()):
                item.add_marker(mark)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Forget what an earlier test has used."""
        self._used.clear()
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        """Compare what the test has used with its marks."""
        result = yield
        missing = {mark for mark in self._used if not any(item.iter_markers(mark))}
        if missing:
            needed = ", ".join(f"{mark} ({MARKS[mark]})" for mark in sorted(missing))
            pytest.fail(f"{item.nodeid} lacks a mark: {needed}; tests/resources.py says why", pytrace=False)
        return result

    def _hear(self, event: str, _values: tuple[Any, ...]) -> None:
        if event in _BY_EVENT and self._listening:
            self._used.add(_BY_EVENT[event])
