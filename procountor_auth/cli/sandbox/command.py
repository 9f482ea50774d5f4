"""``procountor-auth sandbox``: run a local Procountor until a signal stops it."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from procountor_auth.cli.env_template import STRATEGIES
from procountor_auth.cli.exit_status import CONFIGURATION, CommandError
from procountor_auth.cli.extras import exit_if_extra_is_missing
from procountor_auth.cli.options import check_choice
from procountor_auth.cli.output import on_terminal, print_json

# This module needs only the standard library; the rest of the sandbox imports Pydantic and Flask, which is slow.
from procountor_auth.sandbox.state.admin_token import MIN_TOKEN_LENGTH, TOKEN_VARIABLE, check_token

from .faults import FaultsCommand, faults, parsed
from .stop_signal import StopSignal

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from procountor_auth.sandbox.seed import ProfilesFile

    from .env_file import EnvFile


#: Seconds between checks for the stop signal.
_PAUSE = 0.2

#: Open files to request from the system.
_MAX_CONNECTIONS = 8192


_T = TypeVar("_T")


class StateEcho(StrEnum):
    """What redirects do with the state."""

    ECHO = "echo"
    OMIT = "omit"
    WRONG = "wrong"


app: typer.Typer = typer.Typer()


@app.callback(invoke_without_command=True)
def sandbox(
    context: typer.Context,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on. 0 picks a free port.")] = 0,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Loopback address to listen on; any address with --public. Default: 127.0.0.1, or 0.0.0.0.",
        ),
    ] = None,
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help=f"Allow other machines to connect. Administration then requires the token in {TOKEN_VARIABLE}.",
        ),
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The sandbox's own base URL, if it differs from the address that it listens on."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the credentials as one line of JSON, then serve.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Don't log requests, even on a terminal.")] = False,
    redirect_uri: Annotated[
        str, typer.Option(metavar="URI", help="The API client's redirect URI.")
    ] = "redirect-uri-placeholder",
    legacy_removed: Annotated[
        bool,
        typer.Option(
            "--legacy-removed", help="Respond to oauth/authz with 404, as the service does since the removal."
        ),
    ] = False,
    rotate_refresh_tokens: Annotated[
        bool,
        typer.Option("--rotate-refresh-tokens", help="Replace the refresh token on every refresh."),
    ] = False,
    string_sub: Annotated[bool, typer.Option("--string-sub", help="Issue tokens whose sub claim is a string.")] = False,
    token_lifetime: Annotated[
        int, typer.Option(metavar="SECONDS", help="Seconds until an access token expires.")
    ] = 3600,
    state: Annotated[StateEcho, typer.Option(help="How redirects handle the state.")] = StateEcho.ECHO,
    companies: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, metavar="N", help="How many more companies to create, each with a user and an API key."
        ),
    ] = None,
    profiles_file: Annotated[
        Path | None,
        typer.Option(
            "--profiles-file",
            metavar="FILE",
            help="The file to write their credentials to, for PROCOUNTOR_PROFILES_FILE.",
        ),
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option(
            "--env-file",
            metavar="FILE",
            help="The .env file to fill in or create, with the variables that --strategy needs.",
        ),
    ] = None,
    strategy: Annotated[
        str, typer.Option(metavar="NAME", help=f"The strategy of --env-file: {', '.join(STRATEGIES)}.")
    ] = STRATEGIES[0],
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A fault to simulate. Can be repeated. 'procountor-auth sandbox faults --help' lists them.",
        ),
    ] = None,
) -> None:
    """Run a local stand-in for Procountor, for development and tests. It is not the Procountor service.

    Its secrets are generated when it starts and discarded when it stops. Its dashboard is at URL/_sandbox/.
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

        from . import display, request_lines  # noqa: PLC0415
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
            f"{address} is not a loopback address: to accept other machines, add --public", param_hint="--host"
        )
    _check("--redirect-uri", check_redirect_uri, redirect_uri)
    if base_url is not None:
        _check("--base-url", check_base_url, base_url)
    file = _checked(profiles_file, companies)
    variables = _env_file(env_file, strategy)
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
    stop = StopSignal()
    _start(served, address, port)
    try:
        _fill(file, variables, served, companies or 0)
        if public:
            display.warn_public(address)
        if as_json:
            from procountor_auth.cli.documents.sandbox import SandboxDocument  # noqa: PLC0415 - text need not wait

            print_json(SandboxDocument.model_validate(served.description()))
            if sys.stdout is not None:  # it may be closed
                sys.stdout.flush()
        else:
            display.show(served, file.path if file else None, companies or 0, variables)
        if on_terminal() and not as_json and not quiet:
            request_lines.follow(served, stop)
        while not stop.wait(_PAUSE):
            pass
    finally:
        served.stop()


def _start(served: Sandbox, address: str, port: int) -> None:
    failed = ""
    try:
        served.start()
    except OSError as error:
        failed = f"cannot listen on {address}, port {port}: {error.strerror}"
    if failed:
        raise CommandError(failed, code="cannot_listen")


def _checked(path: Path | None, companies: int | None) -> ProfilesFile | None:
    """Return the file for the companies' credentials, if one is requested."""
    from procountor_auth.sandbox.seed import ProfilesFile  # noqa: PLC0415 - slow to import

    if (companies is None) != (path is None):
        raise typer.BadParameter(
            "use both together: the file has the companies' credentials",
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


def _env_file(path: Path | None, strategy: str) -> EnvFile | None:
    """Return the `.env` file to fill in, if one is requested."""
    from .env_file import EnvFile  # noqa: PLC0415 - few ask for it

    check_choice(strategy, STRATEGIES, "--strategy")
    if path is None:
        return None
    file = EnvFile(path, strategy)
    file.check()
    return file


def _fill(file: ProfilesFile | None, variables: EnvFile | None, served: Sandbox, companies: int) -> None:
    """Create the companies, write their credentials to the file, and fill in the `.env` file."""
    if variables is not None:
        variables.fill(served)
    if file is None:
        return
    from procountor_auth.sandbox.seed import profile_names  # noqa: PLC0415 - slow to import

    tables = {name: served.add_profile(name) for name in profile_names(companies)}
    try:
        file.write(served.common_settings(), tables)
    except OSError as error:
        _refuse(file.path, error)


def _refuse(path: Path, error: OSError) -> NoReturn:
    # Our own error has a message; the system's would name the temporary file.
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
    raise CommandError(
        f"{what} in the environment variable {TOKEN_VARIABLE}, {MIN_TOKEN_LENGTH} characters or more, "
        f"for the administration of the sandbox: {problem}",
        code="admin_token",
        status=CONFIGURATION,
    )


def _check(option: str, check: Callable[[_T], object], value: _T) -> None:
    try:
        check(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _allow_many_connections() -> None:
    # A thousand connections need more open files than many systems allow by default.
    try:
        import resource  # noqa: PLC0415 - Windows has none, and no such limit
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = _MAX_CONNECTIONS if hard == resource.RLIM_INFINITY else min(_MAX_CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))


app.command(cls=FaultsCommand, epilog="Example: procountor-auth sandbox faults URL status=429 times=1")(faults)
