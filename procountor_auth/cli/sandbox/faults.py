"""``procountor-auth sandbox faults``: show or change what goes wrong at a running sandbox."""

from __future__ import annotations

import inspect
import json
import os
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand

from procountor_auth.sandbox.state.admin_access import TOKEN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from procountor_auth.sandbox.behaviour.switch import Value
    from procountor_auth.transport.backend import backend as httpx

#: Seconds to wait for the sandbox. Administration is not slowed down by faults.
_TIMEOUT = 10.0


def faults(
    url: Annotated[str, typer.Argument(metavar="URL", help="The sandbox's base URL, such as http://127.0.0.1:8000.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Switches to change; NAME= is the default.")
    ] = None,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="First set every switch to its default: no faults.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all switches as one JSON object.")] = False,
) -> None:
    """Show or change the faults of a running sandbox: what goes wrong there, and which dialect it speaks."""
    values = parsed(changes or [], "NAME=VALUE")
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise typer.BadParameter("must be the base URL of a sandbox, such as http://127.0.0.1:8000", param_hint="URL")
    state = _request(url.rstrip("/"), values, clear=clear)
    if as_json:
        typer.echo(json.dumps(state))
    else:
        _show(state)


def parsed(assignments: list[str], option: str) -> dict[str, Value]:
    """Return the values of ``NAME=VALUE`` arguments.

    Raises:
        typer.BadParameter: One is wrong; the message names the switch.
    """
    # Other commands need not wait for these.
    from procountor_auth.sandbox import Faults, Quirks  # noqa: PLC0415
    from procountor_auth.sandbox.behaviour.switch import parse_assignments  # noqa: PLC0415
    from procountor_auth.sandbox.behaviour.switchboard import apply  # noqa: PLC0415

    try:
        values = parse_assignments(assignments)
        apply(values, Quirks(), Faults())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    return values


class FaultsCommand(TyperCommand):
    """The command whose help has the list of switches, which is made when somebody wants to see it."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - Typer's context is in a private module
        """Return the help (called by Typer)."""
        self.help = f"{inspect.getdoc(faults)}\n\n{switches_help()}"
        return super().get_help(ctx)


def switches_help() -> str:
    """Return what help says about the switches, group by group, line by line."""
    from procountor_auth.sandbox.behaviour.switch import SWITCHES, Setting  # noqa: PLC0415 - see above

    width = max(len(switch.name) for switch in SWITCHES)
    blocks = []
    for group, switches in groupby(SWITCHES, lambda switch: switch.group):
        lines = []
        for switch in switches:
            alias = f" Also: {switch.alias}." if switch.alias else ""
            lines.append(f"  {switch.name:{width}}  {switch.help}{alias}")
            normally = Setting(switch=switch, value=switch.default).text or "off"
            lines.append(f"  {'':{width}}  {switch.accepts}; normally {normally}")
        blocks.append("\b\n" + "\n".join([group, *lines]))
    return "\n\n".join(blocks)


def _request(url: str, values: Mapping[str, Value], *, clear: bool) -> dict[str, Any]:
    from procountor_auth.transport.backend import backend  # noqa: PLC0415 - help need not wait for it

    headers = {}
    if token := os.environ.get(TOKEN_VARIABLE):
        headers["Authorization"] = f"Bearer {token}"
    resource = f"{url}/_sandbox/faults"
    try:
        with backend.Client(trust_env=False, timeout=_TIMEOUT, headers=headers) as client:
            response = client.delete(resource) if clear else client.get(resource)
            if values and response.is_success:
                response = client.post(resource, json=values)
    except (backend.HTTPError, backend.InvalidURL, UnicodeError):
        raise _failed(f"no sandbox answers at {url}; 'procountor-auth sandbox' starts one") from None
    return _read(response, url)


def _read(response: httpx.Response, url: str) -> dict[str, Any]:
    try:
        state = response.json()
    except ValueError:
        state = None
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        raise _failed(f"the sandbox at {url} requires its token: set {TOKEN_VARIABLE} to it")
    if isinstance(state, dict) and response.is_success and "where" in state:
        return state
    said = state.get("error") if isinstance(state, dict) else None
    if isinstance(said, str) and response.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}:
        raise _failed(f"the sandbox at {url} refuses: {said}")
    raise _failed(f"what answers at {url} is not a sandbox of this version: it has no /_sandbox/faults")


def _failed(message: str) -> typer.Exit:
    typer.echo(f"procountor-auth: {message}", err=True)
    return typer.Exit(1)


def _show(state: Mapping[str, Any]) -> None:
    from procountor_auth.sandbox.behaviour.switch import SWITCHES, Setting  # noqa: PLC0415 - see above

    console = Console(highlight=False, markup=False, soft_wrap=True, emoji=False)
    width = max(len(switch.name) for switch in SWITCHES)
    for group, switches in groupby(SWITCHES, lambda switch: switch.group):
        console.print(Text(group, style="bold"))
        for switch in switches:
            setting = Setting(switch=switch, value=state.get(switch.name))
            normally = Setting(switch=switch, value=switch.default).text or "off"
            line = f"  {switch.name:{width}}  {setting.text or 'off'}"
            if setting.is_default:
                console.print(line)
            else:
                console.print(Text(f"{line}  (normally {normally})", style="bold yellow"))
