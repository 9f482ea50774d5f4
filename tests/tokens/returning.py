"""A program whose child returns while a renewal is under way: `python -m tests.tokens.returning KIND FOLDER`.

KIND is a start method of multiprocessing, or `billiard`. The server answers once somebody waits for the renewal.
"""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procountor_auth import Token, TokenSource
from procountor_auth.stores.file import FileStore
from procountor_auth.transport.background import SharedFuture

from .scripted import NOW, Script, Scripted, token

if TYPE_CHECKING:
    from collections.abc import Callable


def source_of(script: Script, folder: str) -> TokenSource:
    """Return a source whose tokens are in a folder."""
    return TokenSource(Scripted(script), store=FileStore(Path(folder)))


def return_early(folder: str) -> None:
    """Start a renewal of a stale token, and return."""
    waited_for = threading.Event()

    def late() -> Token:
        waited_for.wait()
        return token("two", "primary", lifetime=7200.0)

    script = Script({"one": lambda: token("one", "primary"), "refresh-one": late}, initial="one")
    source = source_of(script, folder)
    first = source.token()
    script.now = first.stale_from()
    SharedFuture.wait = noticed_by(waited_for.set)  # type: ignore[method-assign,assignment]
    assert source.token() == first


def noticed_by(notice: Callable[[], object]) -> Callable[[SharedFuture[Any], float], None]:
    """Return the method that waits, which says so before."""
    wait = SharedFuture.wait

    def noticed(self: SharedFuture[Any], seconds: float) -> None:
        notice()
        wait(self, seconds)

    return noticed


if __name__ == "__main__":
    kind, folder = sys.argv[1:]
    processes: Any = importlib.import_module(kind) if kind == "billiard" else multiprocessing.get_context(kind)
    child = processes.Process(target=importlib.import_module("tests.tokens.returning").return_early, args=(folder,))
    child.start()
    child.join()
    # What the store has; the server has no answer for this one.
    print(child.exitcode, source_of(Script(initial="one", now=NOW), folder).token().access_token)  # noqa: T201 - for the test
