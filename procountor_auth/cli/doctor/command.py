"""``procountor-auth doctor``: check everything that a token needs, and say what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from procountor_auth.cli.exit_status import FAILED
from procountor_auth.cli.options import AccountOption, ProfileOption  # noqa: TC001 - Typer reads the annotations
from procountor_auth.cli.output import Json, print_json


def doctor(
    *,
    profile: ProfileOption = None,
    account: AccountOption = "",
    offline: Annotated[bool, typer.Option("--offline", help="Skip the checks that contact Procountor.")] = False,
    as_json: Json = False,
) -> None:
    """Check everything that a token needs, and say what to do.

    Run this first when something fails. It gets a token as a program would, from the store if there is a valid one,
    and asks the API which user and company it is for. The output contains no secrets, so it can go into a ticket. The
    exit status is 1 if a check fails; warnings don't count.
    """
    from .diagnosis import Diagnosis  # noqa: PLC0415 - not needed for help

    diagnosis = Diagnosis(profile, account=account, offline=offline)
    diagnosis.run()
    if as_json:
        from procountor_auth.cli.documents.tokens import DoctorDocument  # noqa: PLC0415 - not needed for text

        print_json(DoctorDocument.model_validate({"profiles": [diagnosis.as_dict()]}))
    else:
        from .display import show  # noqa: PLC0415 - with Rich, which JSON does not need

        show(diagnosis)
    if not diagnosis.ready:
        raise typer.Exit(FAILED)
