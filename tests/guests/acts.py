"""What somebody else's code does instead of what it should, as data."""

from __future__ import annotations

import asyncio
import os
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from procountor_auth.errors import StoreUnavailable
from procountor_auth.stores.file import FileStore
from tests.faults.conftest import API_KEY, CLIENT_SECRET, OLD_ACCESS, OLD_REFRESH

if TYPE_CHECKING:
    from collections.abc import Callable

    from .scene import Scene

KEY: Final = "entry"
"""The entry of every scene."""

PROPER: Final = object()
"""What an act returns where the guest goes on as it should."""

_SAID: Final = f"{CLIENT_SECRET} {API_KEY} {OLD_ACCESS} {OLD_REFRESH}"


class NotCopied(Exception):
    """Needs more arguments than pickle and copy give it."""

    def __init__(self, said: str, more: object) -> None:
        super().__init__(said)
        self.more = more

    def __reduce__(self) -> NoReturn:
        raise RuntimeError(_SAID)


class NotShown(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError(_SAID)

    def __repr__(self) -> str:
        raise RuntimeError(_SAID)


class CopiedAsNothing(Exception):
    """Says that None is a copy of it."""

    def __copy__(self) -> None:
        return None


class Passing(BaseException):
    """Is no `Exception`, and can't be copied."""

    def __init__(self, said: str, more: object) -> None:
        super().__init__(said)
        self.more = more

    def __copy__(self) -> NoReturn:
        raise KeyboardInterrupt


class EvilText(str):
    """A text whose methods raise."""

    __slots__ = ()

    def _raise(self, *_: object) -> NoReturn:
        raise RuntimeError(_SAID)

    __str__ = __repr__ = __eq__ = __len__ = __format__ = encode = lower = isprintable = _raise  # type: ignore[assignment]
    __hash__ = str.__hash__


class Liar:
    """An object that raises when it is asked for its class or anything else."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise RuntimeError(_SAID)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a guest does.

    Attributes:
        name: What it is called.
        kind: How it is judged: `raises` (an `Exception`), `passes` (another `BaseException`), `hangs`, `asks` (for a
            token, in the middle), `goes on` (does something, and then what it should), `none`, `garbage`.
        do: Does it, with what the guest was given; returns what the guest returns, or `PROPER`.
        error: What is raised.
    """

    name: str
    kind: str
    do: Callable[[Scene, Any], object]
    error: type[BaseException] | None = None


def _raising(name: str, make: Callable[[], BaseException]) -> Act:
    def do(_scene: Scene, _given: object) -> NoReturn:
        raise make()

    error = type(make())
    return Act(name, "raises" if issubclass(error, Exception) else "passes", do, error)


def _hang(scene: Scene, _given: object) -> object:
    scene.reached.set()
    scene.released.wait(20)
    return PROPER


def _ask(scene: Scene, _given: object) -> object:
    scene.source.token()
    return PROPER


def _ask_in_a_loop(scene: Scene, _given: object) -> object:
    asyncio.run(scene.source.atoken())
    return PROPER


def _fork(_scene: Scene, _given: object) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on, of a process with threads
        child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return PROPER


def _lock(scene: Scene, _given: object) -> object:
    with suppress(StoreUnavailable), FileStore(scene.folder).transaction(KEY, timeout=0.02):
        pass
    return PROPER


def _change(scene: Scene, given: object) -> object:
    scene.change(given)
    return PROPER


ACTS: Final = (
    _raising("says-secrets", lambda: ValueError(_SAID)),
    _raising("not-copied", lambda: NotCopied(_SAID, None)),
    _raising("not-shown", NotShown),
    _raising("copied-as-nothing", lambda: CopiedAsNothing(_SAID)),
    _raising("stop-iteration", lambda: StopIteration(_SAID)),
    _raising("recursion-error", lambda: RecursionError(_SAID)),
    _raising("memory-error", MemoryError),
    _raising("connection-error", lambda: ConnectionResetError(_SAID)),
    _raising("group", lambda: ExceptionGroup(_SAID, [ValueError(_SAID)])),
    _raising("keyboard-interrupt", KeyboardInterrupt),
    _raising("system-exit", lambda: SystemExit(3)),
    _raising("generator-exit", GeneratorExit),
    _raising("cancelled", asyncio.CancelledError),
    _raising("passing", lambda: Passing("", None)),
    Act("hangs", "hangs", _hang),
    Act("asks", "asks", _ask),
    Act("asks-in-a-loop", "asks", _ask_in_a_loop),
    Act("forks", "goes on", _fork),
    Act("takes-the-lock", "goes on", _lock),
    Act("changes-what-it-gets", "goes on", _change),
    Act("nothing", "none", lambda _scene, _given: None),
    Act("something-else", "garbage", lambda _scene, _given: object()),
    Act("evil-text", "garbage", lambda scene, _given: scene.evil()),
    Act("liar", "garbage", lambda _scene, _given: Liar()),
)
