"""What `main` runs, once everything that a command needs at once is imported."""

from __future__ import annotations

import os
import sys
from typing import Final, NoReturn

from .app import build_app, command_in
from .exit_status import INTERRUPTED, exit_on_error, flush_output, leave_threads_behind, wants_json
from .extras import exit_if_extra_is_missing
from .log_output import configure_log_output
from .output_stream import guard_output

_LISTS: Final[tuple[list[str], ...]] = ([], ["--help"], ["-h"])
"""Arguments for which the subcommands are listed, and none is called."""

_COMPLETION: Final = "_PROCOUNTOR_AUTH_COMPLETE"
"""The variable with which a shell asks for completion, and passes no arguments. Typer's name for it."""


def run() -> None:
    """Run the command line, and exit as `main` says."""
    guard_output()
    configure_log_output(verbose=False)
    try:
        _run(sys.argv[1:])
    except SystemExit as ended:
        ended.code = flush_output(ended.code)
        if ended.code == INTERRUPTED:
            leave_threads_behind()
        raise


def _run(arguments: list[str]) -> NoReturn:
    status: int | None
    try:
        with exit_on_error(as_json=wants_json(arguments)):
            lists = arguments in _LISTS and _COMPLETION not in os.environ
            app = build_app(command_in(arguments), imports=not lists)
            status = app(prog_name="procountor-auth", standalone_mode=False)
    except ModuleNotFoundError as error:  # a command imports what it draws with when it draws
        exit_if_extra_is_missing(error)
        raise
    raise SystemExit(status or 0)
