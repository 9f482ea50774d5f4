"""A process that ends during a renewal waits for its token."""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

import procountor_auth
from procountor_auth import TokenSource
from tests.variables import inherited

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.events import Event
    from procountor_auth.sandbox import Sandbox

ROOT = Path(procountor_auth.__file__).parents[1]

_KINDS = [*multiprocessing.get_all_start_methods(), *(["billiard"] if importlib.util.find_spec("billiard") else [])]


def program(*arguments: str) -> str:
    """Run an interpreter of its own, and return what it prints."""
    done = subprocess.run(
        # With an option, so that no server of programs that has imported everything takes it.
        [sys.executable, "-X", "utf8", "-W", "ignore::DeprecationWarning", *arguments],
        env=inherited(),
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


@pytest.mark.process
@pytest.mark.parametrize("kind", _KINDS)
def test_a_child_that_returns_waits_for_its_renewal(kind: str, tmp_path: Path) -> None:
    """The refresh token that a server has replaced meanwhile reaches the store, however the child was started."""
    if kind == "billiard" and os.name == "nt":
        pytest.skip("it forks here")
    assert program("-m", "tests.tokens.returning", kind, str(tmp_path / "tokens")).split() == ["0", "access-two"]


@pytest.mark.process
@pytest.mark.server
def test_a_program_without_children_does_not_import_what_they_need(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """A token costs no import of multiprocessing."""
    environment(sandbox.environment("client_credentials"))
    show = "import sys; from procountor_auth import TokenSource; TokenSource.from_env().token(); print(*sys.modules)"
    loaded = program("-c", show).split()
    assert "procountor_auth.transport.finalizer" in loaded
    assert {"multiprocessing.util", "billiard", "celery"}.isdisjoint(loaded)


@pytest.mark.server
@pytest.mark.parametrize("in_a_loop", [False, True])
def test_there_is_nothing_to_wait_for_without_a_renewal(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None], *, in_a_loop: bool
) -> None:
    """`finish_all` starts no renewal, and a source gives tokens after it as before."""
    environment(sandbox.environment("client_credentials"))
    source = TokenSource.from_env()
    for asked in (0, 1):
        asyncio.run(TokenSource.afinish_all()) if in_a_loop else TokenSource.finish_all()
        assert len([entry for entry in sandbox.log() if entry["grant_type"]]) == asked
        source.token()


@pytest.mark.server
@pytest.mark.parametrize("loop", ["none", "asyncio", "trio"])
def test_listeners_have_been_told_when_it_returns(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None], loop: str
) -> None:
    """A program that reports its counters after `finish_all` has counted everything, though a listener was slow."""
    environment(sandbox.environment("client_credentials"))
    told: list[str] = []
    hurry = threading.Event()

    def slow(event: Event) -> None:
        hurry.wait(30)
        told.append(event.name)

    source = TokenSource.from_env(on_event=slow)
    source.token()  # waits for listeners for a moment only
    before = list(told)
    wait = threading.Thread(target=_finish, args=(loop,))
    wait.start()
    wait.join(0.3)
    assert wait.is_alive()
    hurry.set()
    wait.join(30)
    assert (before, told) == ([], ["token_acquired"])


def _finish(loop: str) -> None:
    if loop == "none":
        TokenSource.finish_all()
    elif loop == "asyncio":
        asyncio.run(TokenSource.afinish_all())
    else:
        trio.run(TokenSource.afinish_all)
