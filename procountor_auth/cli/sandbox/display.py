"""What ``procountor-auth sandbox`` prints when it starts."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from procountor_auth.sandbox.state.admin_access import TOKEN_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox


def show(served: Sandbox, profiles_file: Path | None, companies: int) -> None:
    """Print what clients need, as lines to copy.

    Args:
        served: The sandbox that serves.
        profiles_file: Where the credentials of further companies are, or None.
        companies: How many further companies there are.
    """
    console = Console(highlight=False, markup=False, soft_wrap=True, emoji=False)
    console.print(Text("This is not the Procountor service.", style="bold red"))
    console.print(f"A sandbox answers on {served.base_url} and forgets everything when it stops.")
    console.print()
    for strategy in ("legacy_password", "client_credentials", "authorization_code"):
        console.print(Text(f"# {strategy}", style="bold"))
        for name, value in served.environment(strategy).items():
            # Plain text, quoted for a shell: it is made to be copied.
            console.print(Text(f"{name}={shlex.quote(value)}"))
        if strategy == "authorization_code":
            console.print(f"# on the login page: user {served.username}, password {served.password}")
        console.print()
    if profiles_file is not None:
        console.print(
            Text(f"# {companies} companies, on the legacy login, each with an API key that waits", style="bold")
        )
        console.print(Text(f"PROCOUNTOR_PROFILES_FILE={shlex.quote(str(profiles_file.absolute()))}"))
        console.print("# procountor-auth migrate check --to client_credentials")
        console.print()
    console.print(f"What clients requested, and what to change: {served.base_url}/_sandbox/")
    console.print("Press Ctrl-C to stop.")


def warn_public(address: str) -> None:
    """Warn on stderr that other machines reach the sandbox: with ``--json`` stdout has the credentials alone."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True, emoji=False)
    console.print(Text(f"PUBLIC: whoever reaches {address} on this machine can use this sandbox.", style="bold red"))
    console.print(Text("It is NOT the Procountor service: keep real credentials away from it.", style="bold red"))
    console.print(f"Its dashboard and /_sandbox/ need the token in {TOKEN_VARIABLE}. What is sent is not encrypted.")
