"""The command ``procountor-auth``: one file or folder for each subcommand."""

from __future__ import annotations


def main() -> None:
    """Run the command line.

    Exits with status 2 and one line on stderr if the packages of the extra are not installed, and with 1, 2 or 130
    and our error's text after a failure: `exit_status.py` has the list.
    """
    try:
        from .run import run  # noqa: PLC0415 - Ctrl-C during the imports ends the command like any other

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except RuntimeError as error:  # as which Ctrl-C during an import may end
        from procountor_auth.protocol.interruption import interruption  # noqa: PLC0415 - after an error only

        if interruption(error) is None:
            raise
        raise SystemExit(130) from None
