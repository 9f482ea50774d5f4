"""The lines that ``procountor-auth sandbox`` prints on a terminal while it runs, one for each request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.text import Text

from procountor_auth.cli import screen
from procountor_auth.cli.output_stream import OutputError
from procountor_auth.errors import printable

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox

    from .stop_signal import StopSignal

#: Seconds between reads of the log. It is polled, not written by the server's threads: a terminal that is stopped
#: (Ctrl-S) must not delay a response.
_INTERVAL: Final = 0.2
#: Columns below which the reason of a refusal takes the room of the request's owner.
_NARROW: Final = 80
_OUTCOME_WIDTH: Final = len("reset")
_FIRST_REDIRECT, _FIRST_CLIENT_ERROR, _FIRST_SERVER_ERROR = 300, 400, 500


def follow(served: Sandbox, stop: StopSignal) -> None:
    """Print the requests of a sandbox as they arrive, until it stops or the terminal is gone."""
    console = screen.console()
    last = 0
    while True:
        is_over = stop.wait(_INTERVAL)
        try:
            for entry in served.log(after=last):
                console.print(request_line(entry, console.width), no_wrap=True, overflow="ellipsis")
                last = entry["number"]
        except (OutputError, OSError):
            return  # The terminal is gone; the sandbox keeps running.
        if is_over:
            return


def request_line(entry: dict[str, Any], width: int) -> Text:
    """Return the line for an entry of the log.

    Args:
        entry: The entry.
        width: The columns of the terminal: the owner of the request is shortened to fit. The terminal cuts off
            what is still too long.
    """
    outcome = "reset" if entry["reset"] else str(entry["status"])
    start = f"{time.strftime('%H:%M:%S', time.localtime(entry['at']))} "
    known = entry["grant_type"] not in {None, "unsupported"}
    what = entry["grant_type"] if known else f"{entry['method']} {entry['path']}"
    why = _why(entry)
    line = Text()
    line.append(start, style="")
    line.append(f"{outcome:{_OUTCOME_WIDTH}}", style=_style(entry))
    line.append(f" {printable(what)}")
    room = width - line.cell_len - (cell_len(why) + 2 if why else 0)
    whose = _whose(entry, room, is_narrow=width < _NARROW)
    if whose:
        line.append(f"  {whose}", style=screen.NEUTRAL)
    if why:
        line.append(f"  {why}", style=screen.WARNING)
    return line


def _why(entry: dict[str, Any]) -> str:
    parts = [
        f"injected: {entry['fault']}" if entry["fault"] else None,
        "secret in URL" if entry["secret_in_url"] else None,
        entry["error"],
    ]
    return printable(", ".join(filter(None, parts)))


def _whose(entry: dict[str, Any], room: int, *, is_narrow: bool) -> str:
    """Return the owner of the request; the client is left out first, and the company last."""
    parts = [
        f"company {entry['company_id']}" if entry["company_id"] is not None else None,
        f"user {entry['user_id']}" if entry["user_id"] is not None else None,
        entry["client_id"],
    ]
    said = [printable(each) for each in parts if each is not None]
    kept = 0 if is_narrow or entry["company_id"] is None else 1
    while len(said) > kept and cell_len(", ".join(said)) + 2 > room:
        said.pop()
    return ", ".join(said)


def _style(entry: dict[str, Any]) -> str:
    status = entry["status"]
    if entry["reset"] or status >= _FIRST_SERVER_ERROR:
        return screen.BAD
    if status >= _FIRST_CLIENT_ERROR or entry["error"]:
        return screen.WARNING
    return screen.GOOD if status < _FIRST_REDIRECT else screen.NEUTRAL
