"""How a command exits after an error: what happened and what to do, on stderr, and an exit status."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ConfigurationError, ProcountorAuthError
from procountor_auth.strategies.deprecation import LegacyAuthWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED: Final = 1
"""Something failed, or some profile is not ready."""
CONFIGURATION: Final = 2
"""The same as for a wrong option: something has to be written differently."""
INTERRUPTED: Final = 130


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Exit with a status and our error's text, instead of a traceback.

    Raises:
        SystemExit: With 1 for an error, 2 for one of the configuration, 130 for Ctrl-C.
    """
    status = 0
    try:
        yield
    except ProcountorAuthError as error:
        sys.stderr.write(f"procountor-auth: {error}\n")
        status = CONFIGURATION if isinstance(error, ConfigurationError) else FAILED
    except LegacyAuthWarning as warning:  # where warnings are errors: -W error
        sys.stderr.write(f"procountor-auth: {warning}\n")
        status = CONFIGURATION
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EPIPE}:
            raise
        sys.stderr.write(f"procountor-auth: the output can't be written: {error.strerror}\n")
        # What is left in the buffer would fail again when the interpreter shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = FAILED
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status:
        raise SystemExit(status)
