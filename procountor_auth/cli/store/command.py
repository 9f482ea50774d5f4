"""`procountor-auth store`: inspect and clean up the token store."""

from __future__ import annotations

from typing import Annotated

import typer

from procountor_auth.cli.command import Command
from procountor_auth.cli.exit_status import FAILED
from procountor_auth.cli.options import check_choice
from procountor_auth.cli.output import Json, print_json

AccountsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--account",
        metavar="NAME",
        help="An account whose entries are in use, as in TokenSource.from_env(account=NAME). Can be repeated.",
    ),
]

app: typer.Typer = typer.Typer(no_args_is_help=True, help="Inspect and clean up the token store.")


@app.callback()
def _root() -> None:
    """Inspect and clean up the token store."""


@app.command("list", cls=Command, epilog="Example: procountor-auth store list")
def list_(*, account: AccountsOption = None, as_json: Json = False) -> None:
    """List the entries of the token store, and the profiles that use them.

    Nothing is sent to Procountor, and no token is shown. The exit status is 1 if a profile can't be read, because its
    entries then look unused.
    """
    from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - not needed for help

    from .inventory import take_inventory  # noqa: PLC0415 - the same

    inventory = take_inventory(Profiles.search(), account or [])
    if as_json:
        from procountor_auth.cli.documents.store import StoreListDocument  # noqa: PLC0415 - not needed for text

        print_json(StoreListDocument.model_validate(inventory.as_dict()))
    else:
        from .display import show_inventory  # noqa: PLC0415 - with Rich, which JSON does not need

        show_inventory(inventory)
    if inventory.usage.unread:
        raise typer.Exit(FAILED)


@app.command("prune", cls=Command, epilog="Example: procountor-auth store prune --dry-run")
def prune(
    *,
    account: AccountsOption = None,
    all_unused: Annotated[
        bool,
        typer.Option(
            "--all-unused",
            help="Also remove unused entries with a valid access or refresh token. Restoring such a login requires a "
            "user with a browser, and it may belong to another program that shares the store.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove unused entries whose tokens have expired, and leftover files.

    An entry is removed if no configured profile uses it, with any strategy that the profile has the variables for, and
    if it has neither a valid token nor a valid refresh token. There is no confirmation prompt. Entries that are locked,
    damaged, encrypted with another key or foreign are kept.
    """
    from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - not needed for help

    from .inventory import take_inventory  # noqa: PLC0415 - the same
    from .pruning import prune as remove  # noqa: PLC0415 - the same

    pruned = remove(take_inventory(Profiles.search(), account or []), all_unused=all_unused, dry_run=dry_run)
    if as_json:
        from procountor_auth.cli.documents.base import ErrorDetail  # noqa: PLC0415 - not needed for text
        from procountor_auth.cli.documents.store import StorePruneDocument  # noqa: PLC0415 - not needed for text

        failed = pruned.error and ErrorDetail.of(pruned.error)
        print_json(StorePruneDocument.model_validate({"dry_run": dry_run, **pruned.as_dict(), "error": failed}))
        if failed:
            raise typer.Exit(FAILED)
    else:
        from .display import show_pruned  # noqa: PLC0415 - with Rich, which JSON does not need

        show_pruned(pruned, dry_run=dry_run)
    if pruned.error is not None:
        raise pruned.error


@app.command("ddl", cls=Command, epilog="Example: procountor-auth store ddl postgresql")
def ddl(
    dialect: Annotated[str, typer.Argument(metavar="DIALECT", help="postgresql or sqlite.")] = "postgresql",
) -> None:
    """Print the SQL statement that creates the table of a database store.

    Programs create the table on first use; this is for databases where they are not allowed to.
    """
    from procountor_auth.errors import ConfigurationError  # noqa: PLC0415 - not needed for help
    from procountor_auth.protocol.extra import missing_extra  # noqa: PLC0415 - the same

    try:
        from procountor_auth.stores.sql_table import DIALECTS  # noqa: PLC0415 - an extra
        from procountor_auth.stores.sql_table import ddl as statement  # noqa: PLC0415 - the same
    except ImportError as error:
        extra = missing_extra(error, "sql", "sqlalchemy")
    else:
        check_choice(dialect, DIALECTS, "DIALECT")
        typer.echo(statement(dialect), nl=False)
        return
    raise ConfigurationError(f"This {extra.what}.", hint=extra.hint)
