"""What an object of the library shows of itself: `str`, `repr`, `vars`, pickle, and an error's frames and chain."""

from __future__ import annotations

import pickle
import traceback
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import procountor_auth
from procountor_auth import ConfigurationError
from procountor_auth.errors import WrongCompany

if TYPE_CHECKING:
    from types import FrameType

    from .records import Records

PACKAGE: Final = str(Path(procountor_auth.__file__).parent) + "/"
_NOT_THE_CLIENT: Final = (PACKAGE + "sandbox/", PACKAGE + "cli/sandbox.py", PACKAGE + "pytest_plugin.py")

_LONGEST_LOCAL: Final = 20_000


@cache
def is_client(file: str) -> bool:
    """Whether a file is of the client library: the sandbox is a server, and may know what it gives out."""
    return file.startswith(PACKAGE) and not file.startswith(_NOT_THE_CLIENT)


def client_is_calling(frame: FrameType | None) -> bool:
    """Whether one of the callers is the client library."""
    while frame is not None:
        if is_client(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


def own_words_of(thing: object) -> bool | None:
    """Return False for a `WrongCompany`: which company it should be, and which it is, is what that tells."""
    return False if isinstance(thing, WrongCompany) else None


def inspect(thing: object, records: Records) -> None:
    """Write down what an object shows."""
    own_words = own_words_of(thing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records.add("str", _shown(thing, str), own_words=own_words)
        records.add("repr", _shown(thing, repr), own_words=own_words)
        with suppress(TypeError):
            records.add("vars", _shown(vars(thing), repr), own_words=own_words)
        with suppress(Exception):  # most objects here refuse, as they should
            records.add("pickle", pickle.dumps(thing, protocol=0).decode("latin-1"))
            records.add("pickle", pickle.dumps(thing).decode("utf-8", "replace"))


def inspect_error(error: BaseException, records: Records) -> None:
    """Write down what an error shows, what its frames hold, and the same of its whole chain."""
    inspect(error, records)
    if isinstance(error, ConfigurationError):
        with suppress(Exception):
            records.add("validation", f"{error.errors()}\n{error.json()}")
    _inspect_frames(error, records)
    seen = {id(error)}
    waiting = [error.__cause__, error.__context__]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        records.add("chain", f"{_shown(link, str)}\n{_shown(link, repr)}\n{_shown(vars(link), repr)}")
        validation = getattr(link, "errors", None)
        if callable(validation):
            with suppress(Exception):
                records.add("validation", repr(validation()))
        _inspect_frames(link, records)
        waiting += [link.__cause__, link.__context__]


def _inspect_frames(error: BaseException, records: Records) -> None:
    ours = False
    frames = list(traceback.walk_tb(error.__traceback__))
    if not frames or is_client(frames[0][0].f_code.co_filename):
        return  # caught by the library itself: it never came to a caller
    for frame, _ in frames:
        file = frame.f_code.co_filename
        # From the library on downwards; the test itself, above or called back, holds what it has made up.
        ours = (ours or is_client(file)) and "/tests/" not in file and not file.startswith(_NOT_THE_CLIENT)
        if ours:
            for value in list(frame.f_locals.values()):
                records.add("locals", _shown(value, repr)[:_LONGEST_LOCAL], own_words=own_words_of(value))


def _shown(value: object, how: type[str] | object) -> str:
    try:
        return str(value) if how is str else repr(value)
    except Exception as error:  # noqa: BLE001 - a half-made object's
        return type(error).__name__
