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

# The address comes over standard input: a process list shows it no longer than the browser itself does.
_PROGRAM: Final = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.stdin.readline().strip()))"


def open_browser(url: str, on_failure: Callable[[], None]) -> None:
    """Open `url` in the system's browser, and return at once.

    It is started by a process of its own, which does not pass on our `PROCOUNTOR_*` variables, and can neither write
    to our standard output nor be ended by our Ctrl-C.

    Args:
        url: The address.
        on_failure: Called, here or on another thread, if there is no browser that could be started.
    """
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    try:
        # Not on the thread: until it runs its program, the new process holds our listening socket as well, and after a
        # Ctrl-C the port would not be free yet.
        opener = subprocess.Popen(  # noqa: S603 - our own program
            # Isolated: a file of that name in the working directory is not the module.
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
