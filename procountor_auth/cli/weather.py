"""``procountor-auth weather``: show or change what goes wrong at a running sandbox."""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

# These need nothing but Python itself; the rest of the sandbox is Flask, and slow to import.
from procountor_auth.sandbox.quirks import Quirks
from procountor_auth.sandbox.switches import SWITCHES, Setting, apply, parse_assignments
from procountor_auth.sandbox.weather import Weather

if TYPE_CHECKING:
    from collections.abc import Mapping

    from procountor_auth.backend import backend as httpx
    from procountor_auth.sandbox.switches import Value

#: Seconds to wait for the sandbox. Administration is not slowed down by the weather.
_TIMEOUT = 10.0


def weather(
    url: Annotated[str, typer.Argument(metavar="URL", help="The sandbox's base URL, such as http://127.0.0.1:8000.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Switches to change; NAME= is the default.")
    ] = None,
    *,
    clear: Annotated[
        bool, typer.Option("--clear", help="First bring fair weather, and every switch to its default.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all switches as one JSON object.")] = False,
) -> None:
    """Show or change the weather of a running sandbox: what goes wrong there, and which dialect it speaks."""
    values = checked(changes or [], "NAME=VALUE")
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise typer.BadParameter("must be the base URL of a sandbox, such as http://127.0.0.1:8000", param_hint="URL")
    state = _ask(url.rstrip("/"), values, clear=clear)
    if as_json:
        typer.echo(json.dumps(state))
    else:
        _show(state)


def checked(assignments: list[str], option: str) -> dict[str, Value]:
    """Return the values of ``NAME=VALUE`` arguments.

    Raises:
        typer.BadParameter: One is wrong; the message names the switch.
    """
    try:
        values = parse_assignments(assignments)
        apply(values, Quirks(), Weather())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    return values


def switches_help() -> str:
    """Return what help says about the switches, group by group, line by line."""
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


def _ask(url: str, values: Mapping[str, Value], *, clear: bool) -> dict[str, Any]:
    from procountor_auth.backend import backend  # noqa: PLC0415 - help need not wait for it

    headers = {}
    if token := os.environ.get("PROCOUNTOR_SANDBOX_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    resource = f"{url}/_sandbox/weather"
    try:
        with backend.Client(trust_env=False, timeout=_TIMEOUT, headers=headers) as client:
            answer = client.delete(resource) if clear else client.get(resource)
            if values and answer.is_success:
                answer = client.post(resource, json=values)
    except (backend.HTTPError, backend.InvalidURL, UnicodeError):
        raise _failed(f"no sandbox answers at {url}; 'procountor-auth sandbox' starts one") from None
    return _read(answer, url)


def _read(answer: httpx.Response, url: str) -> dict[str, Any]:
    try:
        state = answer.json()
    except ValueError:
        state = None
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise _failed(f"the sandbox at {url} wants its token: set PROCOUNTOR_SANDBOX_TOKEN to it")
    if isinstance(state, dict) and answer.is_success and "where" in state:
        return state
    said = state.get("error") if isinstance(state, dict) else None
    if isinstance(said, str) and answer.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}:
        raise _failed(f"the sandbox at {url} refuses: {said}")
    raise _failed(f"what answers at {url} is not a sandbox of this version: it has no /_sandbox/weather")


def _failed(message: str) -> typer.Exit:
    typer.echo(f"procountor-auth: {message}", err=True)
    return typer.Exit(1)


def _show(state: Mapping[str, Any]) -> None:
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


weather.__doc__ = f"{weather.__doc__}\n\n{switches_help()}"
