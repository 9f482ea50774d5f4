"""The command ``procountor-auth``: one file or folder for each subcommand."""

from __future__ import annotations

from .app import build_app
from .exit_status import exit_on_error
from .extras import exit_if_extra_is_missing
from .log_output import accept_any_text


def main() -> None:
    """Run the command line.

    Exits with status 2 and one line on stderr if the packages of the extra are not installed, and with 1, 2 or 130
    and our error's text after a failure: `exit_status.py` has the list.
    """
    accept_any_text()
    try:
        app = build_app()
    except ModuleNotFoundError as error:
        exit_if_extra_is_missing(error)
        raise
    with exit_on_error():
        app(prog_name="procountor-auth")
