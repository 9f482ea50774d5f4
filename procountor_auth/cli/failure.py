"""How a command ends that has failed: what happened and what to do, on stderr, and a status."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ConfigurationError, ProcountorAuthError

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED: Final = 1
CONFIGURATION: Final = 2
"""The same as for a wrong option: something has to be written differently."""
INTERRUPTED: Final = 130


@contextmanager
def told() -> Iterator[None]:
    """End the process with a status and our error's text, instead of a traceback.

    Raises:
        SystemExit: With 1 for an error, 2 for one of the configuration, 130 for Ctrl-C.
    """
    status = 0
    try:
        yield
    except ProcountorAuthError as error:
        sys.stderr.write(f"procountor-auth: {error}\n")
        status = CONFIGURATION if isinstance(error, ConfigurationError) else FAILED
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status:
        raise SystemExit(status)
