"""How a command exits after an error: with a message, a hint and an exit status."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import sys
import threading
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import ConfigurationError, ProcountorAuthError, printable
from procountor_auth.protocol.interruption import interruption
from procountor_auth.strategies.deprecation import LegacyAuthWarning

from .message import is_framed, say
from .output_stream import OutputError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

FAILED: Final = 1
"""Something failed, or a profile is not ready."""
CONFIGURATION: Final = 2
"""The configuration or the command line is wrong, as with an invalid option."""
INTERRUPTED: Final = 130

MEANINGS: Final = {
    0: "Success",
    FAILED: "Something failed, or a profile is not ready",
    CONFIGURATION: "The configuration or the command line is wrong",
    INTERRUPTED: "Interrupted with Ctrl-C",
}
"""What each exit status means, for the help and the documentation."""


class CommandError(ProcountorAuthError):
    """A command can't do what was requested, for a reason that no other error describes.

    Args:
        message: What happened.
        hint: What to do.
        code: A stable word for the kind of error.
        status: The exit status.
    """

    hint = ""

    def __init__(self, message: str, *, hint: str = "", code: str = "failed", status: int = FAILED) -> None:
        super().__init__(message, hint=hint)
        # One class; each place that raises it has its own code.
        self.code = code  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
        self.status = status


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during something that can be resumed: the message says how."""


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line requests JSON: an error is then a JSON document too."""
    options = list(arguments)
    options = options[: options.index("--")] if "--" in options else options
    formats = [value for name, value in pairwise(options) if name == "--format"]
    return "--json" in options or "--format=json" in options or "json" in formats


def status_of(error: ProcountorAuthError) -> int:
    """Return the exit status for an error."""
    if isinstance(error, CommandError):
        return error.status
    return CONFIGURATION if isinstance(error, ConfigurationError) else FAILED


@contextmanager
def exit_on_error(*, as_json: bool = False) -> Generator[None]:
    """Exit with a status and the error's text instead of a traceback.

    Args:
        as_json: Print the error as one JSON document on stdout, instead of text on stderr.

    Raises:
        SystemExit: With 1 for an error, 2 for one of the configuration, 130 for Ctrl-C.
    """
    status = 0
    try:
        yield
    except ProcountorAuthError as error:
        status = _tell_error(error, as_json=as_json)
    except LegacyAuthWarning as warning:  # where warnings are errors: -W error
        status = _tell_error(CommandError(str(warning), code="legacy_auth_warning", status=2), as_json=as_json)
    except OutputError as error:
        status = _tell_output_error(error)
    except (OSError, RuntimeError) as error:
        status = _tell_system_error(error, as_json=as_json)
        if not status:
            raise
    except KeyboardInterrupt as interrupted:
        status = _tell_interruption(interrupted, as_json=as_json)
    except Exception as error:
        # The base class of Typer's usage errors is in a private module.
        if not hasattr(error, "format_message"):
            raise
        status = _tell_wrong_call(error, as_json=as_json)
    if status:
        raise SystemExit(status)


def flush_output(status: str | int | None) -> str | int | None:
    """Write what is still in the buffers, at the end of a command, and tell a failure.

    Args:
        status: The exit status of the command.

    Returns:
        The exit status, which is 1 instead of 0 if a result can't be written.
    """
    if sys.stdout is not None:  # it may be closed
        try:
            sys.stdout.flush()
        except OutputError as error:
            failed = _tell_output_error(error)
            return status or failed
    return status


def leave_threads_behind() -> None:
    """End the process after Ctrl-C if a thread still waits for a server: the interpreter would wait for it."""
    if any(not each.daemon and each is not threading.main_thread() for each in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(INTERRUPTED)


def end_soon() -> None:
    """Shorten interpreter shutdown after Ctrl-C; a second Ctrl-C ends the process."""
    from procountor_auth.transport.background import interrupt  # noqa: PLC0415 - after Ctrl-C only

    interrupt()
    if threading.current_thread() is threading.main_thread():
        # Python's own handler would raise during interpreter shutdown, and print a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _reached_limit(error: OSError | RuntimeError) -> CommandError | None:
    """Return what to say of a limit of this process, which may be met anywhere; None for another error."""
    if isinstance(error, OSError):
        if error.errno not in {errno.EMFILE, errno.ENFILE}:
            return None
        hint = "Try again when some are closed, or allow more of them (ulimit -n)."
        return CommandError("This process can't open another file.", hint=hint)
    if "can't start new thread" not in str(error):
        return None
    hint = "Give it more threads or memory (ulimit -u, pids.max), or try again later."
    return CommandError("This process can't start another thread.", hint=hint)


def _tell_error(error: ProcountorAuthError, *, as_json: bool) -> int:
    if as_json:
        _print_document(error.code, error.message, error.hint, error.profile)
    else:
        say(f"procountor-auth: {error}")
    return status_of(error)


def _tell_output_error(error: OutputError) -> int:
    if not isinstance(error.cause, BrokenPipeError):  # whoever reads it has seen enough
        say(f"procountor-auth: the output can't be written: {error.cause.strerror}")
    return FAILED


def _tell_system_error(error: OSError | RuntimeError, *, as_json: bool) -> int:
    """Tell a limit of this process, or a Ctrl-C that has become another error. Return 0 for any other error."""
    interrupted = interruption(error) if isinstance(error, RuntimeError) else None
    if interrupted is not None:
        return _tell_interruption(interrupted, as_json=as_json)
    limit = _reached_limit(error)
    return 0 if limit is None else _tell_error(limit, as_json=as_json)


def _tell_interruption(interrupted: KeyboardInterrupt, *, as_json: bool) -> int:
    end_soon()
    said = str(interrupted)
    if as_json:
        _print_document("interrupted", said or "Interrupted.", "", None)
    elif said:
        say(said)
    return INTERRUPTED


def _tell_wrong_call(error: Any, *, as_json: bool) -> int:  # noqa: ANN401 - of a private module of Typer's
    """Print a usage error; Typer's own text would be wider than a narrow terminal."""
    _suggest(error)
    if as_json:
        _print_document("usage", str(error.format_message()), "Add --help to see how the command is called.", None)
    elif is_framed():
        from typer import rich_utils  # noqa: PLC0415 - with Rich

        rich_utils.rich_format_error(error)
    else:
        written = io.StringIO()
        error.show(file=written)
        say(written.getvalue().rstrip("\n"))
    return int(error.exit_code)


def _suggest(error: Any) -> None:  # noqa: ANN401 - of a private module of Typer's
    """Add what may have been meant by a value that is none of an option's choices, which Typer does not say."""
    found = re.fullmatch(r"'(.*)' is not one of ('.*')\.", str(error.message), re.DOTALL)
    if found:
        from procountor_auth.settings.nearest import nearest  # noqa: PLC0415 - only after a mistake

        meant = nearest(found[1], re.findall(r"'([^']*)'", found[2]))
        error.message += f" Did you mean {meant}?" if meant else ""


def _print_document(code: str, message: str, hint: str, profile: str | None) -> None:
    """Print an error as `documents.base.ErrorDocument` has it, without Pydantic, which is slow to import."""
    error = {"code": code, "message": printable(message), "hint": printable(hint), "profile": profile}
    if sys.stdout is not None:  # it may be closed
        try:
            sys.stdout.write(json.dumps({"error": error}) + "\n")
        except OutputError as failed:  # from what was in the buffer
            _tell_output_error(failed)
