"""Selects the HTTP library for token requests: the one that the program uses, so that only one is imported.

That is httpx2 if the program has imported only httpx2, uses `procountor_auth.httpx2`, or has nothing else installed;
otherwise httpx. A library that is only installed changes nothing: a test that replaces httpx also replaces it for token
requests. Both libraries have the same names.

What a library imports with its first request is imported here, where no fork can interrupt it.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx as backend

importlib.import_module("encodings.idna")  # looking up a host name imports it

LIBRARIES: Final = ("httpx", "httpx2")
"""The supported HTTP libraries."""

__all__ = ["LIBRARIES", "backend", "check_library", "library", "library_of", "loaded"]


def check_library(name: object) -> None:
    """Check a program's choice of the HTTP library, without importing it.

    Args:
        name: What it gave: `httpx`, `httpx2`, or None for its own.

    Raises:
        ConfigurationError: It is none of them, or not installed.
    """
    if name is None:
        return
    if name not in LIBRARIES:
        raise ConfigurationError(
            "`library` is none of the HTTP libraries that fetch tokens.",
            hint='Pass library="httpx" or library="httpx2", or leave it out. Requests of the program itself can be '
            "sent with `requests` all the same.",
        )
    # None stands for a library that the program hides.
    if not (sys.modules[name] if name in sys.modules else find_spec(name)):
        raise ConfigurationError(
            f'library="{name}" needs {name}, which is not installed.', hint=f"Run: pip install {name}"
        )


def library(name: str | None = None) -> Any:  # noqa: ANN401 - a module with httpx's names
    """Return an HTTP library, imported.

    Args:
        name: `httpx` or `httpx2`; by default the one that the program uses.

    Raises:
        ImportError: The library is not installed, or is broken.
    """
    if name is None:
        # None stands for a library that the program hides.
        name = "httpx2" if sys.modules.get("httpx2") and not sys.modules.get("httpx") else "httpx"
        try:
            return library(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
        return library("httpx2")
    found = importlib.import_module(name)
    importlib.import_module(found.HTTPTransport.__module__)
    importlib.import_module(name.replace("httpx", "httpcore"))
    return found


def library_of(thing: object) -> str | None:
    """Return the name of the HTTP library that an object's class is from, or None."""
    roots = [kind.__module__.partition(".")[0] for kind in type(thing).__mro__]
    return next((root for root in roots if root in LIBRARIES), None)


def loaded(name: str) -> tuple[type[Exception], ...]:
    """Return the exceptions with this name from all imported HTTP libraries.

    One that another thread has only begun to import lacks the name, and raises nothing yet.
    """
    found = (getattr(sys.modules.get(each), name, None) for each in LIBRARIES)
    return tuple(kind for kind in found if kind is not None)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module with httpx's names
    if name != "backend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return library()
