"""The tests for other packages' stores: our own pass them, the one in the example does, and one that is wrong fails."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth.stores.compliance import StoreCompliance
from procountor_auth.stores.memory import MemoryStore
from tests.variables import inherited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.stores import Store, Transaction
    from tests.stores.conftest import Place

ROOT: Final = Path(__file__).parents[2]


class TestOurStores(StoreCompliance):
    """Each kind of store in turn."""

    @pytest.fixture
    def store(self, place: Place) -> Store:
        """One handle."""
        return place.open()

    @pytest.fixture
    def again(self, store: Store, place: Place) -> Store:  # noqa: ARG002 - after the first one
        """Another one."""
        return place.open()


class Lax(MemoryStore):
    """A store whose lock is none."""

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Iterator[Transaction]:
        """Take no lock."""
        self._locks.pop(key, None)
        with super().transaction(key, timeout=timeout) as transaction:
            yield transaction


@pytest.mark.parametrize("name", ["test_a_lock_that_is_held_is_waited_for_in_vain", "test_threads_exclude_each_other"])
def test_a_store_without_a_lock_fails(name: str) -> None:
    """The tests find what they are there to find."""
    store = Lax()
    arguments = (0.0,) if name.endswith("vain") else ()
    with pytest.raises((AssertionError, pytest.fail.Exception, Exception)) as caught:
        getattr(StoreCompliance(), name)(store, store, *arguments)
    assert caught.type is not TypeError


@pytest.mark.process
def test_the_example_over_django_passes(tmp_path: Path) -> None:
    """The store of `examples/django_store` passes them all, in a pytest of its own."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"),
            *("-c", "/dev/null", "--rootdir", str(tmp_path), str(ROOT / "examples" / "django_store")),
        ],
        env=inherited() | {"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
