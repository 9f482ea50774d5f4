"""Warnings and the log, which a command writes to stderr besides its own messages."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import printable
from procountor_auth.protocol.json_object import is_json_object
from procountor_auth.strategies.deprecation import LegacyAuthWarning

from .message import say

if TYPE_CHECKING:
    from typing import TextIO

_logger: Final = logging.getLogger("procountor_auth")


def configure_log_output(*, verbose: bool) -> None:
    """Configure which warnings and log records are written to stderr.

    Without `verbose` those are the warning of the deprecated strategy, in one line; and of our log the errors, the
    times that the fallback strategy was used, and, once each, the places of variables that can't be read: the command
    goes on after those, and nothing else would mention them. An error that stops the command is printed by
    `exit_on_error`, not by the log. If logging is configured already, that is left as it is.

    Args:
        verbose: Show the whole log.
    """
    _shorten_warnings()
    handlers = [handler for handler in _logger.handlers if isinstance(handler, _Handler)]
    if verbose:
        _logger.setLevel(logging.DEBUG)
    if not handlers and not _logger.hasHandlers():
        handlers = [_Handler()]
        _logger.addHandler(handlers[0])
    for handler in handlers:
        handler.verbose = verbose
        handler.ignored.clear()


class _Handler(logging.Handler):
    """Writes to the current `sys.stderr`."""

    def __init__(self) -> None:
        super().__init__()
        self.verbose = False
        self.ignored: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        event = getattr(record, "procountor_event", None)
        fell_back = is_json_object(event) and event.get("event") == "fell_back"
        ignored: str | None = getattr(record, "procountor_ignored", None)
        if ignored is not None and not self.verbose:
            # A command may read its configuration several times.
            is_new = ignored not in self.ignored
            self.ignored.add(ignored)
            return is_new
        return self.verbose or fell_back or record.levelno >= logging.ERROR

    def emit(self, record: logging.LogRecord) -> None:
        try:
            say(f"procountor-auth: {record.levelname.lower()}: {printable(record.getMessage())}")
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)


def _shorten_warnings() -> None:
    """Show the warning about the deprecated strategy without a line of source code, which would be this package's."""
    shown_before = warnings.showwarning

    def show(  # noqa: PLR0917 - Python's own signature
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, LegacyAuthWarning):
            say(f"procountor-auth: warning: {printable(str(message))}")
        else:
            shown_before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
