"""``procountor-auth doctor``: check everything that a token needs, and say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from procountor_auth.cli.exit_status import FAILED
from procountor_auth.cli.options import AccountOption, ProfileOption  # noqa: TC001 - Typer reads the annotations
from procountor_auth.cli.output import Json, console, print_json, print_table

if TYPE_CHECKING:
    from .diagnosis import Diagnosis

_COLOURS: Final = {"ok": "green", "warning": "yellow", "failed": "bold red"}


def doctor(
    *,
    profile: ProfileOption = None,
    account: AccountOption = "",
    offline: Annotated[bool, typer.Option("--offline", help="Leave out what needs Procountor.")] = False,
    as_json: Json = False,
) -> None:
    """Look at everything that a token needs, and say what to do.

    The first thing to run when something fails. It gets a token as a program would, from the store if there is a valid
    one, and asks the API whom it is for. No secret is shown: the output can go into a ticket. Exit status 1 says that
    a check failed; warnings don't count.
    """
    from .diagnosis import Diagnosis  # noqa: PLC0415 - help need not wait for it

    diagnosis = Diagnosis(profile, account=account, offline=offline)
    diagnosis.run()
    if as_json:
        print_json({"profiles": [diagnosis.as_dict()]})
    else:
        _show(diagnosis)
    if not diagnosis.ready:
        raise typer.Exit(FAILED)


def _show(diagnosis: Diagnosis) -> None:
    screen = console()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    last_name = ""
    for check in diagnosis.checks:
        name = check.name if check.name != last_name else ""
        table.add_row(Text(check.state, _COLOURS[check.state]), name, check.message)
        if check.hint and check.state != "ok":
            table.add_row("", "", Text(f"-> {check.hint}", "dim"))
        last_name = check.name
    print_table(screen, table)
    counts = {state: sum(check.state == state for check in diagnosis.checks) for state in _COLOURS}
    warnings = "1 warning" if counts["warning"] == 1 else f"{counts['warning']} warnings"
    screen.print(f"{counts['ok']} ok, {warnings}, {counts['failed']} failed")
