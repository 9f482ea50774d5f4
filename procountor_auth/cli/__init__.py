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

_EPILOG = (
    'To begin with: "procountor-auth doctor" looks at everything and says what to do; "procountor-auth status" shows '
    'what is stored, for all profiles; "procountor-auth token" prints the access token for a script.\n\n'
    "Exit status: 0 if all is well; 1 if something failed or some profile is not ready; 2 if the configuration or the "
    "command has to be written differently; 130 after Ctrl-C."
)
"""What stands below `--help`: each paragraph in one line, as Typer keeps line ends on a terminal."""


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
        app(prog_name="procountor-auth")


def build_app() -> typer.Typer:
    """Return the Typer application with all subcommands.

    Raises:
        ModuleNotFoundError: A package of the extra is not installed.
    """
    import typer  # noqa: PLC0415 - the package can be used without the extra that has Typer

    from . import doctor, key, login, logout, migrate, sandbox, status, token, weather  # noqa: PLC0415 - the same
    from .notices import prepare  # noqa: PLC0415 - the same

    app = typer.Typer(
        name="procountor-auth",
        no_args_is_help=True,
        add_completion=False,
        epilog=_EPILOG,
        # Frames are for people.
        rich_markup_mode="rich" if sys.stdout and sys.stdout.isatty() else None,
        # A traceback with local variables would print secrets.
        pretty_exceptions_enable=False,
    )

    def show_version(value: bool) -> None:  # noqa: FBT001 - Typer's callback signature
        if value:
            typer.echo(f"procountor-auth {installed_version()}")
            raise typer.Exit

    @app.callback()
    def root(
        version: bool = typer.Option(  # noqa: ARG001, FBT001 - Typer reads it from the signature
            False,  # noqa: FBT003 - Typer's default
            "--version",
            help="Show the version and exit.",
            callback=show_version,
            is_eager=True,
        ),
        verbose: bool = typer.Option(  # noqa: FBT001 - Typer reads it from the signature
            False,  # noqa: FBT003 - Typer's default
            "--verbose",
            "-v",
            help="Show the log on stderr. There is no secret in it.",
        ),
    ) -> None:
        """Authenticate against the Procountor API, as PROCOUNTOR_STRATEGY and the other variables say."""
        prepare(verbose=verbose)

    app.command("doctor")(doctor.doctor)
    app.command("status")(status.status)
    app.command("token")(token.token)
    app.command("login", short_help="Log in with a browser, and store the token.")(login.login)
    app.command("logout")(logout.logout)
    app.add_typer(key.app, name="key", short_help="Make an API key, with a browser.")
    app.add_typer(migrate.app, name="migrate", short_help="Move to another strategy, step by step.")
    app.command("sandbox", short_help="Serve a local Procountor to try things on.")(sandbox.sandbox)
    app.command("weather", short_help="Change what goes wrong at a sandbox.")(weather.weather)
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
