"""Gets a secret from a program such as `op read op://vault/item/field`, without a shell and with a time limit."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import PurePath
from typing import IO, Final

from pydantic import SecretStr

from procountor_auth.errors import printable
from procountor_auth.settings.encoding import WrongEncoding, decoded
from procountor_auth.settings.unfollowed import Unfollowed
from procountor_auth.settings.variables import shown_name

TIME_LIMIT: Final = 30.0
"""The time limit for the program, in seconds: some ask the user to unlock something."""

MAX_SIZE: Final = 64 * 1024
"""The largest allowed output, in bytes."""

_MAX_SAID: Final = 500
"""How many characters from the end of its standard error are shown."""

_LOOKS_SECRET: Final = re.compile(r"(?=[^\s/:'\"]*[0-9])(?=[^\s/:'\"]*[A-Za-z])[^\s/:'\"]{8,}|[^\s/:'\"]{32,}")
"""What is masked in its standard error: a shell that traces its commands writes secrets there."""

_RUN_IT: Final = "Run the command yourself: it must print only the secret, as one line, and exit with status 0."


def arguments_of(command: SecretStr) -> list[str] | str:
    """Return the arguments of a command; on Windows the command itself, which Windows splits by its own rules.

    Raises:
        ValueError: A quotation mark is not closed, or the command is empty.
    """
    text = command.get_secret_value().strip()
    if os.name == "nt" and text:
        return text
    parts: list[str] = []
    unclosed = False
    try:
        parts = shlex.split(text)
    except ValueError:
        unclosed = True
    if unclosed:
        raise ValueError("has a quotation mark that is not closed in its command")
    if not parts or "\0" in text:
        raise ValueError("must name a program: command:PROGRAM ARGUMENT …")
    return parts


def run_secret_command(command: SecretStr, *, time_limit: float = TIME_LIMIT) -> SecretStr | Unfollowed:
    """Return the one line that a program prints, without its line end, or the reason why there is none.

    Its standard input is empty, and it inherits the environment. If it fails, the error shows the end of its standard
    error, with everything masked that looks like a secret, but never its output.
    """
    try:
        arguments = arguments_of(command)
    except ValueError as error:
        return Unfollowed(str(error), _RUN_IT)
    name = shown_name(PurePath(arguments if isinstance(arguments, str) else arguments[0]).name)
    program = f"a program ({name})" if name else "a program"
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(  # noqa: S603 - who sets our variables can run programs anyway
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,  # so that its children are ended with it
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not the name of a program"
            return Unfollowed(
                f"runs {program} that can't be run ({why})",
                "Install it, or write its full path: cron and services have a shorter PATH than your shell.",
            )
        output, problem = _output_of(process, time_limit)
        if problem is None and process.returncode != 0:
            problem = _ending(process.returncode)
        found = _line(output) if problem is None else Unfollowed(problem, _RUN_IT)
        if isinstance(found, SecretStr):
            return found
        if process.returncode == 0 and problem is None:
            # It takes itself to have succeeded: what it has written there may be the secret.
            elsewhere = "; what it wrote to its standard error is not shown" if said.seek(0, os.SEEK_END) else ""
            return Unfollowed(f"runs {program} that {found.what}{elsewhere}", found.hint)
        return Unfollowed(f"runs {program} that {found.what}{_shown(said, output)}", found.hint)


def _output_of(process: subprocess.Popen[bytes], time_limit: float) -> tuple[SecretStr, str | None]:
    """Return a program's output, with one character per byte, and its failure if it fails."""
    until = time.monotonic() + time_limit
    output: list[SecretStr] = []

    def read() -> None:
        if process.stdout is not None:
            output.append(SecretStr(process.stdout.read(MAX_SIZE + 1).decode("latin-1")))

    # On a separate thread, because not every system can wait for a pipe.
    reader = threading.Thread(target=read, name="procountor-auth-secret", daemon=True)
    reader.start()
    problem: str | None = None
    try:
        reader.join(time_limit)
        if not output:
            problem = f"has not ended within {time_limit:g} seconds"
        elif len(output[0]) > MAX_SIZE:
            problem = f"printed more than {MAX_SIZE // 1024} KiB"
        else:
            process.wait(max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        problem = f"has not ended within {time_limit:g} seconds"
    finally:
        _end(process)
        reader.join(1.0)
        if process.stdout is not None and not reader.is_alive():
            process.stdout.close()
    return (output[0] if output else SecretStr("")), problem


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and everything that it has started."""
    if process.poll() is None:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _line(output: SecretStr) -> SecretStr | Unfollowed:
    try:
        text = SecretStr(decoded(output.get_secret_value().encode("latin-1")))
    except WrongEncoding as error:
        return Unfollowed(f"printed output that {error}", _RUN_IT)
    text = SecretStr(text.get_secret_value().removesuffix("\n").removesuffix("\r"))
    if not text.get_secret_value().strip():
        return Unfollowed("printed nothing", _RUN_IT)
    lines = len(text.get_secret_value().splitlines())
    if lines > 1:
        return Unfollowed(f"printed {lines} lines instead of one", _RUN_IT)
    return text


def _shown(said: IO[bytes], output: SecretStr) -> str:
    """Return the end of a program's standard error, without its output and what looks like a secret."""
    end = said.seek(0, os.SEEK_END)
    said.seek(max(0, end - 4 * _MAX_SAID))
    text = printable(" ".join(said.read().decode("utf-8", "replace").split()))
    for line in output.get_secret_value().encode("latin-1").decode("utf-8", "replace").splitlines():
        if line.strip():
            text = text.replace(line.strip(), "…")
    text = _LOOKS_SECRET.sub("…", text)
    return f"; it said: {text[-_MAX_SAID:]}" if text else "; it said nothing"
