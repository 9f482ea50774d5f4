"""The Typer application with all subcommands."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final, NamedTuple

from procountor_auth import __version__

from .exit_status import MEANINGS
from .message import is_framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

_EPILOG = (
    'To start: "procountor-auth init" writes a .env file for you to fill in; "procountor-auth doctor" checks '
    'everything that a token needs and says what to do; "procountor-auth status" shows the stored tokens of all '
    'profiles; "procountor-auth token" prints the access token for a script.\n\n'
    f"Exit status: {'; '.join(f'{status}: {meaning[0].lower()}{meaning[1:]}' for status, meaning in MEANINGS.items())}."
)
"""The text below `--help`: each paragraph is one line, as Typer keeps line breaks on a terminal."""


class _Place(NamedTuple):
    """The location of a subcommand, and what help says about it.

    Attributes:
        module: The module, below this package.
        panel: The part of the help that it is listed in.
        is_group: Whether it has subcommands of its own.
        short_help: The text in the list of commands.
        example: An example, printed at the end of its help.
    """

    module: str
    panel: str
    short_help: str
    is_group: bool = False
    example: str = ""


_PLACES: Final = {
    "init": _Place(
        "init",
        "Tokens",
        short_help="Write a commented .env file.",
        example="init --strategy client_credentials",
    ),
    "doctor": _Place(
        "doctor.command", "Tokens", short_help="Check everything that a token needs.", example="doctor --profile acme"
    ),
    "status": _Place(
        "status.command", "Tokens", short_help="Show settings and stored tokens.", example="status --json"
    ),
    "token": _Place(
        "token", "Tokens", short_help="Print an access token.", example="token --format header | curl -sS -H @- URL"
    ),
    "api": _Place(
        "api", "Tokens", short_help="Send one request to the API.", example="api GET invoices -f status=UNFINISHED"
    ),
    "login": _Place(
        "login.command",
        "Tokens",
        short_help="Log in with a browser.",
        example="login --profile acme",
    ),
    "logout": _Place("logout", "Tokens", short_help="Remove the stored token.", example="logout --profile acme"),
    "key": _Place("login.key_command", "Tokens", is_group=True, short_help="Create an API key, with a browser."),
    "store": _Place("store.command", "Tokens", is_group=True, short_help="Inspect and clean up the token store."),
    "migrate": _Place("migrate.commands", "Migration", is_group=True, short_help="Move to another strategy."),
    "bridge": _Place(
        "bridge.command",
        "Migration",
        is_group=True,
        short_help="Serve the legacy login for a program that can't be changed.",
        example="bridge --profile acme --read-only",
    ),
    "sandbox": _Place(
        "sandbox.command",
        "Sandbox",
        is_group=True,
        short_help="Run a local stand-in for Procountor.",
        example="sandbox --env-file .env",
    ),
}

COMMANDS: Final = tuple(_PLACES)
"""The subcommands, in the order of the help."""


def build_app(command: str | None = None, *, imports: bool = True) -> typer.Typer:
    """Return the Typer application.

    Args:
        command: The only subcommand to import, which saves time. None imports all of them.
        imports: Whether subcommands are imported. Without it they can be listed, but not called.

    Raises:
        ModuleNotFoundError: A package of the extra is not installed.
    """
    import typer  # noqa: PLC0415 - the package can be used without the extra that has Typer

    from .command import CONTEXT, VERBOSE, Application  # noqa: PLC0415 - the same
    from .log_output import configure_log_output  # noqa: PLC0415 - the same

    framed = is_framed()
    app = typer.Typer(
        name="procountor-auth",
        cls=Application,
        context_settings=CONTEXT,
        no_args_is_help=True,
        epilog=_EPILOG,
        rich_markup_mode="rich" if framed else None,
        # A traceback with local variables would print secrets.
        pretty_exceptions_enable=False,
    )
    if framed:
        _restyle_help()

    def show_version(value: bool) -> None:  # noqa: FBT001 - Typer's callback signature
        if value:
            typer.echo(f"procountor-auth {__version__}")
            raise typer.Exit

    def show_log(value: bool) -> None:  # noqa: FBT001 - Typer's callback signature
        if value:
            configure_log_output(verbose=True)

    @app.callback()
    def root(
        version: bool = typer.Option(  # noqa: FBT001 - Typer reads it from the signature
            False,  # noqa: FBT003 - Typer's default
            "--version",
            help="Show the version and exit.",
            callback=show_version,
            is_eager=True,
        ),
        verbose: bool = typer.Option(  # noqa: FBT001 - Typer reads it from the signature
            False,  # noqa: FBT003 - Typer's default
            f"--{VERBOSE}",
            "-v",
            help="Show the log on stderr, without secrets. Can be given anywhere.",
            callback=show_log,
            expose_value=False,
        ),
    ) -> None:
        """Authenticate against the Procountor API, as configured by PROCOUNTOR_STRATEGY and the other variables."""

    for name in (command,) if command in COMMANDS else COMMANDS:
        _add(app, name, imports=imports)
    return app


def _restyle_help() -> None:
    """Remove yellow, which is unreadable on white, and the dimmest text from Typer's help."""
    from typer import rich_utils  # noqa: PLC0415 - only needed for help and errors

    rich_utils.STYLE_USAGE = "bold"
    rich_utils.STYLE_HELPTEXT = ""
    rich_utils.STYLE_OPTIONS_PANEL_BORDER = ""
    rich_utils.STYLE_COMMANDS_PANEL_BORDER = ""
    rich_utils.STYLE_OPTION_DEFAULT = ""
    rich_utils.STYLE_TYPES = "bold"


def command_in(arguments: Sequence[str]) -> str | None:
    """Return the subcommand that the arguments of the command line name, if any: no option before it has a value."""
    return next((argument for argument in arguments if not argument.startswith("-")), None)


def _add(app: typer.Typer, name: str, *, imports: bool) -> None:
    """Add a subcommand, a function or an application with subcommands of its own, and import what it needs."""
    import typer  # noqa: PLC0415 - as above

    from .command import Command, Group  # noqa: PLC0415 - as above

    place = _PLACES[name]
    module = importlib.import_module(f"procountor_auth.cli.{place.module}") if imports else None
    epilog = f"Example: procountor-auth {place.example}" if place.example else None
    if place.is_group:
        group = module.app if module else typer.Typer()
        app.add_typer(
            group, name=name, cls=Group, short_help=place.short_help, epilog=epilog, rich_help_panel=place.panel
        )
    else:
        app.command(name, cls=Command, short_help=place.short_help, epilog=epilog, rich_help_panel=place.panel)(
            getattr(module, name) if module else _uncallable
        )


def _uncallable() -> None:
    """Stand for a subcommand in a list."""
