"""What ``procountor-auth sandbox`` prints as text."""

from __future__ import annotations

import shlex
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from procountor_auth.cli.screen import BAD, WARNING
from procountor_auth.sandbox.state.admin_token import TOKEN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox

    from .env_file import EnvFile


def show(served: Sandbox, profiles_file: Path | None, companies: int, variables: EnvFile | None = None) -> None:
    """Print what clients need, as lines to copy.

    Args:
        served: The running sandbox.
        profiles_file: Where the credentials of further companies are, or None.
        companies: How many further companies there are.
        variables: The filled-in `.env` file, or None.
    """
    console = Console(highlight=False, markup=False, soft_wrap=True, emoji=False)
    console.print(Text("This is not the Procountor service.", style=BAD))
    console.print(f"The sandbox listens on {served.base_url} and discards everything when it stops.")
    console.print()
    for strategy in ("legacy_password", "client_credentials", "authorization_code"):
        console.print(Text(f"# {strategy}", style="bold"))
        for name, value in served.environment(strategy).items():
            # Plain text, quoted for a shell, to be copied.
            console.print(Text(f"{name}={shlex.quote(value)}"))
        if strategy == "authorization_code":
            console.print(f"# on the login page: user {served.username}, password {served.password}")
        console.print()
    if variables is not None:
        console.print(Text(f"{variables.path} has all values for {variables.strategy}: procountor-auth token"))
        console.print()
    if profiles_file is not None:
        console.print(
            Text(f"# {companies} companies that use the legacy login; each also has an API key", style="bold")
        )
        console.print(Text(f"PROCOUNTOR_PROFILES_FILE={shlex.quote(str(profiles_file.absolute()))}"))
        console.print("# procountor-auth migrate check --to client_credentials")
        console.print()
    console.print(f"What clients requested, and what to change: {served.base_url}/_sandbox/")
    console.print("Press Ctrl-C to stop.")


def warn_public(address: str) -> None:
    """Warn on stderr that other machines can reach the sandbox: with ``--json``, stdout is for the credentials."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True, emoji=False)
    console.print(Text(f"PUBLIC: anyone who can reach {address} on this machine can use this sandbox.", style=BAD))
    console.print(Text("It is NOT the Procountor service: do not send real credentials to it.", style=BAD))
    console.print(f"Its dashboard and /_sandbox/ need the token in {TOKEN_VARIABLE}. Connections are not encrypted.")


def show_switches(state: Mapping[str, Any]) -> None:
    """Print the state of each switch, by groups."""
    from procountor_auth.sandbox.behaviour.switch import SWITCHES, Setting  # noqa: PLC0415 - only for this

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
                console.print(Text(f"{line}  (normally {normally})", style=WARNING))
