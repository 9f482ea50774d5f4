"""The Typer application with all subcommands."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

_EPILOG = (
    'To begin with: "procountor-auth doctor" looks at everything and says what to do; "procountor-auth status" shows '
    'what is stored, for all profiles; "procountor-auth token" prints the access token for a script.\n\n'
    "Exit status: 0 if all is well; 1 if something failed or some profile is not ready; 2 if the configuration or the "
    "command has to be written differently; 130 after Ctrl-C."
)
"""What stands below `--help`: each paragraph is one line, as Typer keeps line breaks on a terminal."""


def build_app() -> typer.Typer:
    """Return the Typer application with all subcommands.

    Raises:
        ModuleNotFoundError: A package of the extra is not installed.
    """
    import typer  # noqa: PLC0415 - the package can be used without the extra that has Typer

    from . import logout, token  # noqa: PLC0415 - the same
    from .doctor import command as doctor  # noqa: PLC0415 - the same
    from .log_output import configure_log_output  # noqa: PLC0415 - the same
    from .login import command as login  # noqa: PLC0415 - the same
    from .login import key_command as key  # noqa: PLC0415 - the same
    from .migrate import commands as migrate  # noqa: PLC0415 - the same
    from .sandbox import command as sandbox  # noqa: PLC0415 - the same
    from .status import command as status  # noqa: PLC0415 - the same

    app = typer.Typer(
        name="procountor-auth",
        no_args_is_help=True,
        add_completion=False,
        epilog=_EPILOG,
        # Frames are for users, not for files and pipes.
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
        configure_log_output(verbose=verbose)

    app.command("doctor")(doctor.doctor)
    app.command("status")(status.status)
    app.command("token")(token.token)
    app.command("login", short_help="Log in with a browser, and store the token.")(login.login)
    app.command("logout")(logout.logout)
    app.add_typer(key.app, name="key", short_help="Make an API key, with a browser.")
    app.add_typer(migrate.app, name="migrate", short_help="Move to another strategy, step by step.")
    app.add_typer(sandbox.app, name="sandbox", short_help="Serve a local Procountor to try things on.")
    return app


def installed_version() -> str:
    """Return the version of the installed distribution, or ``unknown`` in a bare checkout."""
    try:
        return version("procountor-auth")
    except PackageNotFoundError:
        return "unknown"
