"""The system's browser."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

from procountor_auth.settings.variables import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

# The address is passed on standard input: only the browser's own process shows it in a process list.
_PROGRAM: Final = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.stdin.readline().strip()))"


def open_browser(url: str, on_failure: Callable[[], None]) -> None:
    """Open `url` in the system's browser, and return at once.

    A separate process starts it, which does not inherit our `PROCOUNTOR_*` variables, can't write to our standard
    output, and is not stopped by our Ctrl-C.

    Args:
        url: The address.
        on_failure: Called, on this or another thread, if no browser could be started.
    """
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    try:
        # Not on the thread: until the new process runs its program, it has our listening socket too, and after a
        # Ctrl-C the port would not be free yet.
        opener = subprocess.Popen(  # noqa: S603 - our own program
            # Isolated: a file in the working directory can't take the module's place.
            [sys.executable, "-I", "-c", _PROGRAM],
            text=True,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        on_failure()
        return
    arguments = (opener, url, on_failure)
    threading.Thread(target=_tell, args=arguments, name="procountor-auth-browser", daemon=True).start()


def _tell(opener: subprocess.Popen[str], url: str, on_failure: Callable[[], None]) -> None:
    opener.communicate(f"{url}\n")
    if opener.returncode:
        on_failure()
