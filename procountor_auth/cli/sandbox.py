"""``procountor-auth sandbox``: a local Procountor until a signal stops it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

# These need nothing but Python itself; the rest of the sandbox is Flask, and slow to import.
from procountor_auth.sandbox.admission import SHORTEST_TOKEN, TOKEN_VARIABLE, check_token
from procountor_auth.sandbox.quirks import HUNDRED_YEARS, Quirks
from procountor_auth.sandbox.switches import apply
from procountor_auth.sandbox.weather import Weather

from .weather import checked

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from procountor_auth.sandbox.companies import ProfilesFile


#: Open files to ask the system for.
_CONNECTIONS = 8192


class StateEcho(StrEnum):
    """What redirects say about the state."""

    ECHO = "echo"
    OMIT = "omit"
    WRONG = "wrong"


def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Loopback address to listen on, by default 127.0.0.1; with --public any, by default 0.0.0.0.",
        ),
    ] = None,
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help=f"Let other machines in. Whoever administers the sandbox needs the token in {TOKEN_VARIABLE} then.",
        ),
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="What the sandbox calls itself, if that is not the address that it listens on."
        ),
    ] = None,
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
        int, typer.Option(min=1, max=HUNDRED_YEARS, metavar="SECONDS", help="Seconds until an access token expires.")
    ] = 3600,
    state: Annotated[StateEcho, typer.Option(help="What redirects say about the state.")] = StateEcho.ECHO,
    companies: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, metavar="N", help="Make so many more companies, each with a user and an API key."
        ),
    ] = None,
    profiles_file: Annotated[
        Path | None,
        typer.Option(
            "--profiles-file", metavar="FILE", help="Where to write their credentials, for PROCOUNTOR_PROFILES_FILE."
        ),
    ] = None,
    weather: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What goes wrong; can be given many times. 'procountor-auth weather --help' lists the switches.",
        ),
    ] = None,
) -> None:
    """Serve a local Procountor to authenticate against. It is not the Procountor service.

    Its secrets are made at the start, and forgotten at the end. Its dashboard is at URL/_sandbox/.
    """
    from . import exit_if_extra_is_missing  # noqa: PLC0415 - the package imports this file

    try:
        # Flask may be missing.
        from procountor_auth.sandbox.server import Sandbox, check_base_url, is_loopback  # noqa: PLC0415
        from procountor_auth.sandbox.world import check_redirect_uri  # noqa: PLC0415
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
    quirks, started_weather = apply(checked(weather or [], "--weather"), quirks, Weather())
    address = host or ("0.0.0.0" if public else "127.0.0.1")  # noqa: S104 - what --public asks for
    if not public and not is_loopback(address):
        raise typer.BadParameter(
            f"{address} is not a loopback address: other machines get in with --public only", param_hint="--host"
        )
    _check("--redirect-uri", check_redirect_uri, redirect_uri)
    if base_url is not None:
        _check("--base-url", check_base_url, base_url)
    file = _checked(profiles_file, companies)
    served = Sandbox(
        port=port,
        host=address,
        quirks=quirks,
        weather=started_weather,
        redirect_uri=redirect_uri,
        base_url=base_url,
        admin_token=_token(public=public),
    )
    _allow_many_connections()
    stop = _stop_on_signals()
    try:
        served.start()
    except OSError as error:
        typer.echo(f"procountor-auth: cannot listen on {address}, port {port}: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    try:
        if file is not None:
            _fill(file, served, companies or 0)
        if public:
            _warn(address)
        if as_json:
            sys.stdout.write(json.dumps(served.description()) + "\n")
            sys.stdout.flush()
        else:
            _show(served, file.path if file else None, companies or 0)
        # In turns: on Windows a wait without an end does not hear Ctrl-C.
        while not stop.wait(0.5):
            pass
    finally:
        served.stop()


def _checked(path: Path | None, companies: int | None) -> ProfilesFile | None:
    """Return the file that the companies' credentials go to, if there is to be one."""
    from procountor_auth.sandbox.companies import ProfilesFile  # noqa: PLC0415 - Flask may be missing

    if (companies is None) != (path is None):
        raise typer.BadParameter(
            "they go together: so many companies need a file for their credentials",
            param_hint="--companies, --profiles-file",
        )
    if path is None:
        return None
    file = ProfilesFile(path)
    try:
        file.check()
    except OSError as error:
        _refuse(path, error)
    return file


def _fill(file: ProfilesFile, served: Sandbox, companies: int) -> None:
    """Make the companies, and write their credentials down."""
    from procountor_auth.sandbox.companies import profile_names  # noqa: PLC0415 - Flask may be missing

    tables = {name: served.add_profile(name) for name in profile_names(companies)}
    try:
        file.write(served.common_settings(), tables)
    except OSError as error:
        _refuse(file.path, error)


def _refuse(path: Path, error: OSError) -> NoReturn:
    # Ours has a text of its own; the system's would name the temporary file.
    said = str(error) if error.errno is None else f"{path} can't be written: {error.strerror}"
    raise typer.BadParameter(said, param_hint="--profiles-file") from None


def _token(*, public: bool) -> str | None:
    token = os.environ.get(TOKEN_VARIABLE) or None
    try:
        check_token(token)
    except ValueError as error:
        problem = str(error)
    else:
        if token is not None or not public:
            return token
        problem = "there is none"
    what = "--public needs a token" if public else "the sandbox has a token"
    typer.echo(
        f"procountor-auth: {what} in the environment variable {TOKEN_VARIABLE}, {SHORTEST_TOKEN} characters or more, "
        f"for whoever administers the sandbox: {problem}",
        err=True,
    )
    raise typer.Exit(2)


def _check(option: str, check: Callable[[str], object], value: str) -> None:
    try:
        check(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _warn(address: str) -> None:
    # On stderr: with --json the credentials are the first and only line of stdout.
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True, emoji=False)
    console.print(Text(f"PUBLIC: whoever reaches {address} on this machine can use this sandbox.", style="bold red"))
    console.print(Text("It is NOT the Procountor service: keep real credentials away from it.", style="bold red"))
    console.print(f"Its dashboard and /_sandbox/ ask for the token in {TOKEN_VARIABLE}. What is sent is not encrypted.")


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


def _show(served: Sandbox, profiles_file: Path | None, companies: int) -> None:
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
    console.print(f"What clients asked, and what to change: {served.base_url}/_sandbox/")
    console.print("Press Ctrl-C to stop.")
