"""A process becomes a host unlike the developer's, and runs a command there.

Usage: `python -c "from tests.hosts.inside import main; main()" HOST COMMAND…`. What happens in it stays in it: its
user, limits, mounts and clocks are its own.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from tests.hosts import limits, moments, users

if TYPE_CHECKING:
    from collections.abc import Callable

_BECOME: dict[str, Callable[..., None]] = {
    "user": users.become,
    "unwritable": users.leave_home_unwritable,
    "full": users.fill_home,
    "read_only": users.make_root_read_only,
    "no_folder": users.remove_folder,
    "closed_folder": users.close_folder,
    "no_threads": limits.forbid_threads,
    "no_files": limits.forbid_files,
    "no_flock": limits.refuse_flock,
    "clock": limits.set_clock,
    "forked": moments.fork_from_c,
    "signal": moments.signal_at,
    "freeze": moments.freeze_at,
}


def main() -> None:
    """Become the host that the first argument names, and run the rest as a command."""
    # Opened first: a host may have no file descriptors left, or no place to write to.
    report = os.open(os.environ.pop("REPORT"), os.O_WRONLY | os.O_APPEND)
    sys.addaudithook(lambda event, values: _note(report, event, values))
    if "procountor_auth" in sys.modules:  # all of it is, but what runs the command
        importlib.import_module("procountor_auth.cli")
    become, *values = json.loads(sys.argv[1])
    if become:
        _BECOME[become](*values)
    command = sys.argv[2:]
    if command[0] == "api":
        _call(command[1])
    else:
        sys.argv = ["procountor-auth", *command]
        importlib.import_module("procountor_auth.cli").main()


def _note(report: int, event: str, values: tuple[Any, ...]) -> None:
    """Write down where the process connects to, and which names it looks up."""
    if event == "socket.connect" and isinstance(values[1], tuple):
        os.write(report, f"{values[1][0]}:{values[1][1]}\n".encode())
    elif event == "socket.getaddrinfo":
        host = values[0].decode() if isinstance(values[0], bytes) else values[0]
        os.write(report, f"{host}:{values[1]}\n".encode())


def _call(what: str) -> None:
    """Ask the library as a program would, and print what came of it."""
    from procountor_auth import ProcountorAuthError, TokenSource  # noqa: PLC0415 - as the host has become

    said: dict[str, object]
    try:
        source = TokenSource.from_env()
        said = {"outcome": "ready"}
        if what == "token":
            source.token()
            said = {"outcome": "token"}
    except ProcountorAuthError as error:
        said = {
            "outcome": type(error).__name__,
            "retryable": error.retryable,
            "hint": error.hint,
            "message": error.message,
        }
    except KeyboardInterrupt:
        said = {"outcome": "KeyboardInterrupt"}
    sys.stdout.write(json.dumps(said) + "\n")
