"""``procountor-auth status``: the configuration, and the contents of the token store."""

from __future__ import annotations

import typer

from procountor_auth.cli.exit_status import FAILED
from procountor_auth.cli.options import AccountOption, AllOption, ProfilesOption, select_profiles
from procountor_auth.cli.output import Json, print_json


def status(
    *, profile: ProfilesOption = None, account: AccountOption = "", show_all: AllOption = False, as_json: Json = False
) -> None:
    """Show the configuration, and the contents of the token store.

    Nothing is sent to Procountor. The exit status is 1 if a profile is not ready: its configuration is wrong, a user
    has to log in, the store can't be read, or the last renewal was refused. An expired token is not a problem: the next
    program renews it.
    """
    from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - not needed for help

    from .report import make_reports  # noqa: PLC0415 - the same

    profiles = Profiles.search()
    reports = make_reports(profiles, select_profiles(profiles, profile or []), account=account)
    if as_json:
        from procountor_auth.cli.documents.tokens import StatusDocument  # noqa: PLC0415 - not needed for text

        print_json(StatusDocument.model_validate({"profiles": [report.as_dict() for report in reports]}))
    else:
        from .display import show_many, show_one  # noqa: PLC0415 - with Rich, which JSON does not need

        if len(reports) == 1:
            show_one(reports[0])
        else:
            show_many(reports, show_all=show_all)
    if not all(report.ready for report in reports):
        raise typer.Exit(FAILED)
