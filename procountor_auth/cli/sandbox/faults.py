"""``procountor-auth sandbox faults``: show or change the faults of a running sandbox."""

from __future__ import annotations

import inspect
import os
import shutil
import textwrap
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from procountor_auth.cli.command import Command
from procountor_auth.cli.exit_status import CommandError
from procountor_auth.cli.options import split_url
from procountor_auth.cli.output import on_terminal, print_json
from procountor_auth.protocol.json_object import is_json_object
from procountor_auth.sandbox.state.admin_token import TOKEN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from procountor_auth.sandbox.behaviour.switch import Value
    from procountor_auth.transport.backend import backend as httpx

#: Columns that Typer needs around help, and columns for a switch's text beside its name.
_HELP_MARGIN = 4
_MIN_BESIDE = 40
#: Without a terminal, lines are not wrapped.
_UNBROKEN = 10_000

#: Seconds to wait for the sandbox. Faults do not slow down its administration.
_TIMEOUT = 10.0


def faults(
    url: Annotated[str, typer.Argument(metavar="URL", help="The sandbox's base URL, such as http://127.0.0.1:8000.")],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE", help="Switches to change, or quick faults. NAME= resets a switch."),
    ] = None,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="First reset every switch: no faults.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all switches as one JSON object.")] = False,
) -> None:
    """Show or change the faults of a running sandbox: which errors it simulates, and which dialect it speaks."""
    values = parsed(changes or [], "NAME=VALUE")
    if split_url(url) is None:
        raise typer.BadParameter("must be the base URL of a sandbox, such as http://127.0.0.1:8000", param_hint="URL")
    state = _request(url.rstrip("/"), values, clear=clear)
    if as_json:
        from procountor_auth.cli.documents.sandbox import FaultsDocument  # noqa: PLC0415 - not needed for text

        print_json(FaultsDocument.model_validate(state))
    else:
        from .display import show_switches  # noqa: PLC0415 - with Rich, which JSON does not need

        show_switches(state)


def parsed(assignments: list[str], option: str) -> dict[str, Value]:
    """Return the values of arguments that are quick faults or ``NAME=VALUE``.

    Raises:
        typer.BadParameter: One is wrong; the message names the switch.
    """
    # Not needed for other commands.
    from procountor_auth.sandbox import Faults, Quirks  # noqa: PLC0415
    from procountor_auth.sandbox.behaviour.quick_faults import parse_changes  # noqa: PLC0415
    from procountor_auth.sandbox.behaviour.switchboard import apply  # noqa: PLC0415

    try:
        values = parse_changes(assignments)
        apply(values, Quirks(), Faults())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    return values


class FaultsCommand(Command):
    """The command whose help lists the switches; the list is built only for help."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - Typer's context is in a private module
        """Return the help (called by Typer)."""
        self.help: str | None = f"{inspect.getdoc(faults)}\n\n{quick_faults_help()}\n\n{switches_help()}"
        return super().get_help(ctx)


def quick_faults_help() -> str:
    """Return the lines of help about the quick faults."""
    from procountor_auth.sandbox.behaviour.quick_faults import QUICK_FAULTS  # noqa: PLC0415 - see above

    width = max(len(quick.name) for quick in QUICK_FAULTS)
    lines = [line for quick in QUICK_FAULTS for line in _described(quick.name, width, quick.help)]
    return "\b\n" + "\n".join(["Quick faults: one word for several switches", *lines])


def switches_help() -> str:
    """Return the lines of help about the switches, by group."""
    from procountor_auth.sandbox.behaviour.switch import SWITCHES, Setting  # noqa: PLC0415 - see above

    width = max(len(switch.name) for switch in SWITCHES)
    blocks: list[str] = []
    for group, switches in groupby(SWITCHES, lambda switch: switch.group):
        lines: list[str] = []
        for switch in switches:
            alias = f" Also: {switch.alias}." if switch.alias else ""
            normally = Setting(switch=switch, value=switch.default).text or "off"
            lines += _described(switch.name, width, f"{switch.help}{alias}", f"{switch.accepts}; normally {normally}")
        blocks.append("\b\n" + "\n".join([group, *lines]))
    return "\n\n".join(blocks)


def _described(name: str, width: int, *texts: str) -> list[str]:
    """Return the lines of a name with its texts beside it, or below it on a narrow terminal.

    Args:
        name: The name.
        width: The length of the longest name.
        texts: The texts; each begins on a new line.
    """
    columns = shutil.get_terminal_size().columns - _HELP_MARGIN if on_terminal() else _UNBROKEN
    beside = " " * (width + 4)
    below = columns < len(beside) + _MIN_BESIDE
    if below:
        beside = "    "
    lines = [
        beside + line for text in texts for line in textwrap.wrap(text, columns - len(beside), break_long_words=False)
    ]
    if below:
        return [f"  {name}", *lines]
    return [f"  {name:{width}}  {lines[0].strip()}", *lines[1:]]


def _request(url: str, values: Mapping[str, Value], *, clear: bool) -> dict[str, Any]:
    from procountor_auth.transport.backend import backend  # noqa: PLC0415 - not needed for help

    headers: dict[str, str] = {}
    if token := os.environ.get(TOKEN_VARIABLE):
        headers["Authorization"] = f"Bearer {token}"
    resource = f"{url}/_sandbox/faults"
    try:
        with backend.Client(trust_env=False, timeout=_TIMEOUT, headers=headers) as client:
            response = client.delete(resource) if clear else client.get(resource)
            if values and response.is_success:
                response = client.post(resource, json=values)
    except (backend.HTTPError, backend.InvalidURL, UnicodeError):
        raise _failed(f"no sandbox responds at {url}; 'procountor-auth sandbox' starts one") from None
    return _read(response, url)


def _read(response: httpx.Response, url: str) -> dict[str, Any]:
    try:
        state = response.json()
    except ValueError:
        state = None
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        raise _failed(f"the sandbox at {url} requires its token: set {TOKEN_VARIABLE} to it")
    if is_json_object(state) and response.is_success and "where" in state:
        return state
    said = state.get("error") if is_json_object(state) else None
    if isinstance(said, str) and response.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}:
        raise _failed(f"the sandbox at {url} refuses: {said}")
    raise _failed(f"the server at {url} is not a sandbox of this version: it has no /_sandbox/faults")


def _failed(message: str) -> CommandError:
    return CommandError(message, code="sandbox")
