"""``procountor-auth sandbox``: a local Procountor until a signal stops it."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from procountor_auth.cli.extras import exit_if_extra_is_missing

# This needs nothing but Python itself; the rest of the sandbox is Pydantic and Flask, and slow to import.
from procountor_auth.sandbox.state.admin_access import MIN_TOKEN_LENGTH, TOKEN_VARIABLE, check_token

from .display import show, warn_public
from .faults import FaultsCommand, faults, parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from procountor_auth.sandbox.seed import ProfilesFile


#: Open files that the system is to allow.
_MAX_CONNECTIONS = 8192


_T = TypeVar("_T")


class StateEcho(StrEnum):
    """What redirects say about the state."""

    ECHO = "echo"
    OMIT = "omit"
    WRONG = "wrong"


app = typer.Typer()


@app.callback(invoke_without_command=True)
def sandbox(
    context: typer.Context,
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
        int, typer.Option(metavar="SECONDS", help="Seconds until an access token expires.")
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
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What goes wrong; may be given many times. 'procountor-auth sandbox faults --help' lists them.",
        ),
    ] = None,
) -> None:
    """Serve a local Procountor to authenticate against. It is not the Procountor service.

    Its secrets are made when it starts, and forgotten when it stops. Its dashboard is at URL/_sandbox/.
    """
    if context.invoked_subcommand is not None:
        return
    try:
        # Flask may be missing.
        from procountor_auth.sandbox import Faults, Quirks, Sandbox  # noqa: PLC0415
        from procountor_auth.sandbox.behaviour.switch import find_switch  # noqa: PLC0415
        from procountor_auth.sandbox.behaviour.switchboard import apply  # noqa: PLC0415
        from procountor_auth.sandbox.client_settings import check_base_url, is_loopback  # noqa: PLC0415
        from procountor_auth.sandbox.state.redirect_uri import check_redirect_uri  # noqa: PLC0415
    except ModuleNotFoundError as error:
        exit_if_extra_is_missing(error)
        raise
    _check("--token-lifetime", find_switch("access_token_lifetime").check, token_lifetime)
    quirks = Quirks(
        legacy_removed="404" if legacy_removed else None,
        refresh_token="rotate" if rotate_refresh_tokens else "keep",
        subject="string" if string_sub else "integer",
        access_token_lifetime=token_lifetime,
        state=state.value,
    )
    quirks, first_faults = apply(parsed(fault or [], "--fault"), quirks, Faults())
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
        faults=first_faults,
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
            warn_public(address)
        if as_json:
            sys.stdout.write(json.dumps(served.description()) + "\n")
            sys.stdout.flush()
        else:
            show(served, file.path if file else None, companies or 0)
        # In turns: on Windows a wait without a timeout does not notice Ctrl-C.
        while not stop.wait(0.5):
            pass
    finally:
        served.stop()


def _checked(path: Path | None, companies: int | None) -> ProfilesFile | None:
    """Return the file that the companies' credentials go to, if there is to be one."""
    from procountor_auth.sandbox.seed import ProfilesFile  # noqa: PLC0415 - slow to import

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
    """Make the companies, and write their credentials into the file."""
    from procountor_auth.sandbox.seed import profile_names  # noqa: PLC0415 - slow to import

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
        f"procountor-auth: {what} in the environment variable {TOKEN_VARIABLE}, {MIN_TOKEN_LENGTH} characters or more, "
        f"for whoever administers the sandbox: {problem}",
        err=True,
    )
    raise typer.Exit(2)


def _check(option: str, check: Callable[[_T], object], value: _T) -> None:
    try:
        check(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def note(_number: int, _frame: object) -> None:
        stop.set()

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    return stop


def _allow_many_connections() -> None:
    # A thousand connections are more open files than many systems allow a process by default.
    try:
        import resource  # noqa: PLC0415 - Windows has none, and no such limit
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = _MAX_CONNECTIONS if hard == resource.RLIM_INFINITY else min(_MAX_CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


app.command(cls=FaultsCommand)(faults)
