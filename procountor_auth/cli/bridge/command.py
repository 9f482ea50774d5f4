"""``procountor-auth bridge``: serve the legacy login for a program that can't be changed, until a signal arrives."""

from __future__ import annotations

import importlib
import re
import sys
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer

from procountor_auth.cli.command import Command
from procountor_auth.cli.exit_status import CommandError
from procountor_auth.cli.extras import exit_if_extra_is_missing
from procountor_auth.cli.options import ProfilesOption, select_profiles, split_url
from procountor_auth.cli.output import print_json

from .hash_command import hash_password
from .revoke_command import revoke

if TYPE_CHECKING:
    import socket

    from procountor_auth.bridge.login import Logins
    from procountor_auth.cli.documents.bridge import BridgeDocument
    from procountor_auth.stores.base import Store

DEFAULT_PORT: Final = 8080

_PUBLIC_URL: Final = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?/?", re.IGNORECASE)
"""Scheme, host and port: no user, path, query or fragment, as a path comes behind it in each `Location`."""


class LogFormat(StrEnum):
    """The format of the request log."""

    TEXT = "text"
    JSON = "json"
    NONE = "none"


app: typer.Typer = typer.Typer(no_args_is_help=False, invoke_without_command=True)


@app.callback(invoke_without_command=True)
def bridge(
    *,
    context: typer.Context,
    profile: ProfilesOption = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on. An address that is not a loopback address requires --certificate.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, metavar="PORT", help="Port to listen on. 0 picks a free port.")
    ] = DEFAULT_PORT,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate for HTTPS: a PEM file that includes the chain.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The private key of the certificate, if it is in another file.")
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The URL that programs use, if the bridge is behind a load balancer."),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Forward only GET and HEAD requests.")] = False,
    sunset: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM-DD",
            help="The date on which the bridge will be shut down, for the Sunset header of its responses.",
        ),
    ] = None,
    log: Annotated[
        LogFormat | None,
        typer.Option(help="Log each request on stderr. Default: text on a terminal, JSON otherwise."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as one line of JSON, then serve.")] = False,
) -> None:
    """Serve Procountor's removed legacy login for a program that can't be changed.

    Change nothing in that program but the host. The bridge checks its user name, password and company against those of
    the profile, and forwards its calls with a token of the profile's strategy.

    It serves every profile that has a PROCOUNTOR_BRIDGE_PASSWORD or PROCOUNTOR_PASSWORD. One with a wrong or incomplete
    configuration is left out, unless --profile names it. SIGHUP reloads the profiles.
    """
    if context.invoked_subcommand is not None:
        return
    try:
        # Starlette may be missing; the others are imported only when a password is hashed or a form is parsed.
        importlib.import_module("argon2")
        importlib.import_module("python_multipart")
        from procountor_auth.bridge.bridge import Bridge  # noqa: PLC0415
        from procountor_auth.bridge.notice import Notice  # noqa: PLC0415
        from procountor_auth.bridge.reload import Reload  # noqa: PLC0415
        from procountor_auth.bridge.server import BridgeServer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        exit_if_extra_is_missing(error)
        raise
    _check_address(host, certificate, key)
    public = _public_url(public_url)
    notice = Notice(_day(sunset) if sunset is not None else None)
    logins = _configured(profile)
    store = _store(logins)
    listening = _listen(host, port)
    from . import display, request_log  # noqa: PLC0415 - with Rich

    url = _url(listening, https=certificate is not None)
    served = Bridge(logins, store, read_only=read_only, notice=notice, public_url=public)

    is_for_people = sys.stderr is not None and sys.stderr.isatty()
    with request_log.written((log or (LogFormat.TEXT if is_for_people else LogFormat.JSON)).value) as begin_log:

        def started() -> None:
            if as_json:
                print_json(_document(url, logins, store, read_only=read_only))
            else:
                display.show_start(url, logins, store, read_only=read_only, public_url=public)
            if sys.stdout is not None:  # it may be closed
                sys.stdout.flush()
            begin_log()

        server = BridgeServer(
            served,
            listening,
            certificate=certificate,
            key=key,
            on_started=started,
            reload=Reload(served, lambda: _configured(profile, before=logins)),
        )
        server.run_until_stopped()


def _document(url: str, logins: Logins, store: Store, *, read_only: bool) -> BridgeDocument:
    """Return what --json prints at the start."""
    from procountor_auth.cli.documents.bridge import BridgeDocument, LeftOutProfile  # noqa: PLC0415 - text need not wait

    profiles = [login.profile for login in logins if login.profile]
    left_out = [
        LeftOutProfile(profile=each.profile, code=each.error.code, message=each.reason) for each in logins.left_out
    ]
    return BridgeDocument(base_url=url, profiles=profiles, left_out=left_out, store=store.name, read_only=read_only)


def _configured(names: list[str] | None, before: Logins | None = None) -> Logins:
    """Read who may log in.

    Raises:
        ConfigurationError: No profile can be served, something is missing or wrong in one that was named or is served
            by `before`, or the store is another one than there.
    """
    from procountor_auth.bridge.login import Logins, combined  # noqa: PLC0415 - not needed for help
    from procountor_auth.bridge.shared_store import refuse_other_store  # noqa: PLC0415 - the same
    from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - the same

    profiles = Profiles.search()
    logins = Logins.of_profiles(profiles, select_profiles(profiles, names or []), chosen=bool(names))
    if before is not None:
        # One that is served goes on with its old configuration until the new one can be used.
        served = {login.profile for login in before}
        lost = [each.error for each in logins.left_out if each.profile in served]
        if lost:
            raise combined(lost)
        refuse_other_store(logins, before)
    return logins


def _store(logins: Logins) -> Store:
    """Open the store for the bridge's tokens.

    Raises:
        ConfigurationError: The profiles have different stores, or it can't be opened.
    """
    from procountor_auth.bridge.shared_store import shared_store  # noqa: PLC0415 - not needed for help

    return shared_store(logins)


def _check_address(host: str, certificate: Path | None, key: Path | None) -> None:
    """Refuse an address that other machines can reach without TLS: passwords and tokens are sent to the bridge."""
    try:
        is_loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        raise typer.BadParameter("must be an IP address, or localhost", param_hint="--host") from None
    if key is not None and certificate is None:
        raise typer.BadParameter("needs --certificate", param_hint="--key")
    if certificate is None:
        if is_loopback:
            return
        raise typer.BadParameter(
            f"{host} can be reached from other machines, and receives passwords: add a certificate for HTTPS with "
            "--certificate and --key, or listen on 127.0.0.1",
            param_hint="--host",
        )
    from procountor_auth.bridge.server import check_certificate  # noqa: PLC0415 - not without a certificate

    problem = check_certificate(certificate, key)
    if problem is not None:
        raise typer.BadParameter(problem, param_hint="--certificate, --key")


def _public_url(url: str | None) -> str | None:
    if url is None:
        return None
    if split_url(url) is None or _PUBLIC_URL.fullmatch(url) is None:
        raise typer.BadParameter("must be scheme and host, such as https://bridge.example", param_hint="--public-url")
    return url.rstrip("/")


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter("must be a day such as 2027-06-30", param_hint="--sunset") from None


def _listen(host: str, port: int) -> socket.socket:
    from procountor_auth.bridge.server import listen  # noqa: PLC0415 - not needed for help

    failed = ""
    try:
        return listen(host, port)
    except OSError as error:
        failed = f"cannot listen on {host}, port {port}: {error.strerror}"
    raise CommandError(failed, code="cannot_listen")


def _url(listening: socket.socket, *, https: bool) -> str:
    host, port = listening.getsockname()[:2]
    return f"{'https' if https else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


app.command("hash", cls=Command, short_help="Print a password's hash.", epilog="Example: procountor-auth bridge hash")(
    hash_password
)
app.command(
    "revoke",
    cls=Command,
    short_help="Revoke the tokens it has issued.",
    epilog="Example: procountor-auth bridge revoke --profile acme",
)(revoke)
