"""``procountor-auth sandbox``: a local Procountor until a signal stops it."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox


#: Open files to ask the system for.
_CONNECTIONS = 8192


class Host(StrEnum):
    """The addresses that only this machine can reach."""

    IPV4 = "127.0.0.1"
    IPV6 = "::1"
    NAME = "localhost"


class StateEcho(StrEnum):
    """What redirects say about the state."""

    ECHO = "echo"
    OMIT = "omit"
    WRONG = "wrong"


def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    host: Annotated[Host, typer.Option(help="Loopback address to listen on.")] = Host.IPV4,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the credentials as one line of JSON, then serve.")
    ] = False,
    redirect_uri: Annotated[
        str, typer.Option(metavar="URI", help="The client's one redirect URI.")
    ] = "redirect-uri-placeholder",
    legacy_removed: Annotated[
        bool, typer.Option("--legacy-removed", help="Answer oauth/authz with 404, as after the removal.")
    ] = False,
    rotate_refresh_tokens: Annotated[
        bool,
        typer.Option("--rotate-refresh-tokens", help="Every refresh replaces the refresh token."),
    ] = False,
    string_sub: Annotated[bool, typer.Option("--string-sub", help="Make the tokens' claim sub a string.")] = False,
    token_lifetime: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="Seconds until an access token expires.")
    ] = 3600,
    state: Annotated[StateEcho, typer.Option(help="What redirects say about the state.")] = StateEcho.ECHO,
) -> None:
    """Serve a local Procountor to authenticate against. It is not the Procountor service."""
    from . import exit_if_extra_is_missing  # noqa: PLC0415 - the package imports this file

    try:
        from procountor_auth.sandbox import Quirks, Sandbox  # noqa: PLC0415 - Flask may be missing
    except ModuleNotFoundError as error:
        exit_if_extra_is_missing(error)
        raise
    quirks = Quirks(
        legacy_removed="404" if legacy_removed else None,
        refresh_token="rotate" if rotate_refresh_tokens else "keep",
        subject="string" if string_sub else "integer",
        access_token_lifetime=token_lifetime,
        state=state.value,
    )
    try:
        served = Sandbox(port=port, host=host.value, quirks=quirks, redirect_uri=redirect_uri)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--redirect-uri") from None
    _allow_many_connections()
    stop = _stop_on_signals()
    try:
        served.start()
    except OSError as error:
        typer.echo(f"procountor-auth: cannot listen on {host.value}, port {port}: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    try:
        if as_json:
            sys.stdout.write(json.dumps(served.description()) + "\n")
            sys.stdout.flush()
        else:
            _show(served)
        # In turns: on Windows a wait without an end does not hear Ctrl-C.
        while not stop.wait(0.5):
            pass
    finally:
        served.stop()


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def note(_number: int, _frame: object) -> None:
        stop.set()

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    return stop


def _allow_many_connections() -> None:
    # A thousand connections are more files than many systems give a process unasked.
    try:
        import resource  # noqa: PLC0415 - Windows has none, and no such limit
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = _CONNECTIONS if hard == resource.RLIM_INFINITY else min(_CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


def _show(served: Sandbox) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True, emoji=False)
    console.print(Text("This is not the Procountor service.", style="bold red"))
    console.print(f"A local sandbox answers on {served.base_url} and forgets everything when it stops.")
    console.print()
    for strategy in ("legacy_password", "client_credentials", "authorization_code"):
        console.print(Text(f"# {strategy}", style="bold"))
        for name, value in served.environment(strategy).items():
            # Plain text, quoted for a shell: it is made to be copied.
            console.print(Text(f"{name}={shlex.quote(value)}"))
        if strategy == "authorization_code":
            console.print(f"# on the login page: user {served.username}, password {served.password}")
        console.print()
    console.print(f"What clients asked: {served.base_url}/_sandbox/log")
    console.print("Press Ctrl-C to stop.")
