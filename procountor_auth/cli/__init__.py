"""The command ``procountor-auth``: one file per subcommand."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from .failure import told

if TYPE_CHECKING:
    import typer

_SANDBOX_PACKAGES = frozenset({"flask", "flask_bootstrap"})
_EXTRA_PACKAGES = frozenset({"rich", "typer"}) | _SANDBOX_PACKAGES


def main() -> None:
    """Run the command line.

    Exits with status 2 and one line on stderr if the packages of the extra are not installed, and with 1, 2 or 130
    and our error's text after a failure: `failure.py` has the list.
    """
    try:
        app = build_app()
    except ModuleNotFoundError as error:
        exit_if_extra_is_missing(error)
        raise
    with told():
        app()


def build_app() -> typer.Typer:
    """Return the Typer application with all subcommands.

    Raises:
        ModuleNotFoundError: A package of the extra is not installed.
    """
    import typer  # noqa: PLC0415 - the package can be used without the extra that has Typer

    from . import key, login, sandbox, weather  # noqa: PLC0415 - the same

    app = typer.Typer(
        name="procountor-auth",
        no_args_is_help=True,
        add_completion=False,
        # A traceback with local variables would print secrets.
        pretty_exceptions_enable=False,
    )

    def show_version(value: bool) -> None:  # noqa: FBT001 - Typer's callback signature
        if value:
            typer.echo(f"procountor-auth {installed_version()}")
            raise typer.Exit

    @app.callback()
    def root(
        version: bool = typer.Option(  # noqa: FBT001 - Typer reads it from the signature
            False,  # noqa: FBT003 - Typer's default
            "--version",
            help="Show the version and exit.",
            callback=show_version,
            is_eager=True,
        ),
    ) -> None:
        """Authenticate against the Procountor API."""

    app.command("login")(login.login)
    app.add_typer(key.app, name="key")
    app.command("sandbox")(sandbox.sandbox)
    app.command("weather")(weather.weather)
    return app


def installed_version() -> str:
    """Return the version of the installed distribution, or ``unknown`` in a bare checkout."""
    try:
        return version("procountor-auth")
    except PackageNotFoundError:
        return "unknown"


def exit_if_extra_is_missing(error: ModuleNotFoundError) -> None:
    """Say in one line what to install, and exit with status 2, if a package of the extra is missing."""
    package = (error.name or "").partition(".")[0]
    if package in _EXTRA_PACKAGES:
        # The other commands can do without what the sandbox is built on.
        extra = "sandbox" if package in _SANDBOX_PACKAGES or sys.argv[1:2] == ["sandbox"] else "cli"
        sys.stderr.write(f"procountor-auth needs its command line extra: pip install 'procountor-auth[{extra}]'\n")
        raise SystemExit(2) from None
