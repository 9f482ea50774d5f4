"""What a forked child of multiprocessing or billiard calls as it ends, because `atexit` hooks don't run there."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULES: Final = ("multiprocessing.util", "billiard.util")
"""Each has a list of what to call. A child has imported its module, so nobody else needs to."""

_PRIORITY: Final = 0
"""Before the process waits for children of its own, which may take any time."""

_finalizers: dict[str, Any] = {}


def call_at_end(call: Callable[[], object]) -> None:
    """Have `call` called when this process ends, if it may be such a child.

    To be repeated whenever there is something to wait for: a child clears the lists as it starts.
    """
    for name in _MODULES:
        # Anything may be missing or fail while another thread imports the module, or the interpreter shuts down.
        with suppress(Exception):
            if name in sys.modules and not (name in _finalizers and _finalizers[name].still_active()):
                _finalizers[name] = sys.modules[name].Finalize(None, call, exitpriority=_PRIORITY)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_finalizers.clear)  # the parent's do nothing in a child
