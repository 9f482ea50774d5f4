"""``procountor-auth migrate``: check, plan, rehearse, status, finish. None of them changes a configuration."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procountor_auth.cli.command import Command
from procountor_auth.cli.exit_status import FAILED, Interrupted, end_soon
from procountor_auth.cli.options import AllOption, ProfilesOption, check_choice, select_profiles
from procountor_auth.cli.output import Json, print_json

from .call import DEFAULT_OLD, Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from procountor_auth.migration.readiness import Readiness
    from procountor_auth.migration.results import RehearsalResults
    from procountor_auth.migration.status import ProfileStatus
    from procountor_auth.settings.profiles import Profiles

app: typer.Typer = typer.Typer(
    no_args_is_help=True,
    help="Move from the legacy login to another strategy: check, plan, rehearse, switch, watch, finish.",
    epilog="The switch itself is one variable, PROCOUNTOR_STRATEGY; `migrate plan` writes it out. Exit status: 0 if "
    "all is well, 1 if a profile is blocked or something failed, 2 if the command or the configuration has to be "
    "written differently.",
)

To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="STRATEGY",
        help="The strategy to switch to. Default: client_credentials for a profile with a deprecated strategy; others "
        "have switched already.",
    ),
]
ResultsFile = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="FILE",
        help="The file with the results of rehearsals. Default: a file in your state directory.",
    ),
]


@app.callback()
def root() -> None:
    """Move from the legacy login to another strategy: check, plan, rehearse, switch, watch, finish."""
    from procountor_auth.strategies.deprecation import LegacyAuthWarning  # noqa: PLC0415 - not needed for help

    # The deprecation is no news during a migration.
    warnings.simplefilter("ignore", LegacyAuthWarning)


@app.command(cls=Command, epilog="Example: procountor-auth migrate check --to client_credentials")
def check(*, to: To = None, profile: ProfilesOption = None, show_all: AllOption = False, as_json: Json = False) -> None:
    """Show what is set, missing and wrong for a strategy, by profile. Nothing is sent to Procountor."""
    from procountor_auth.migration.check import check as check_one  # noqa: PLC0415 - not needed for help
    from procountor_auth.migration.target import target_of  # noqa: PLC0415 - the same
    from procountor_auth.tokens.pool import ProviderPool  # noqa: PLC0415 - the same

    profiles, names = _select(to, profile)
    pool = ProviderPool(profiles)
    results = [check_one(profiles, name, target_of(profiles, name, to), pool=pool) for name in names]
    if as_json:
        from procountor_auth.cli.documents.migration import CheckDocument  # noqa: PLC0415 - not needed for text

        print_json(CheckDocument.model_validate({"profiles": [result.as_dict() for result in results]}))
    else:
        from .next_steps import after_check  # noqa: PLC0415 - not needed for help or JSON
        from .results_display import show_results  # noqa: PLC0415 - with Rich, which JSON does not need

        steps = after_check(results, Call.of(to, profile), profiles)
        show_results(results, ready="can switch", blocked="blocked", steps=steps, show_all=show_all)
    _exit_if_blocked(results)


@app.command(cls=Command, epilog="Example: procountor-auth migrate plan --env >> .env")
def plan(
    *,
    to: To = None,
    profile: ProfilesOption = None,
    env: Annotated[
        bool,
        typer.Option("--env", help="Print only the lines that switch the profiles that are ready, for a .env file."),
    ] = False,
    record: ResultsFile = None,
    show_all: AllOption = False,
    as_json: Json = False,
) -> None:
    """Show the exact variables to add, change and remove, as a diff. Secrets are masked, and blockers are listed."""
    from procountor_auth.migration.plan import plan as plan_one  # noqa: PLC0415 - not needed for help

    from .next_steps import after_plan  # noqa: PLC0415 - the same
    from .plan_display import print_switches, show_plans  # noqa: PLC0415 - the same

    profiles, names = _select(to, profile)
    plans = [plan_one(profiles, each.readiness) for each in _statuses(profiles, names, to, record)]
    if as_json:
        from procountor_auth.cli.documents.migration import PlanDocument  # noqa: PLC0415 - not needed for text

        print_json(PlanDocument.model_validate({"profiles": [each.as_dict() for each in plans]}))
    elif env:
        if not print_switches(plans, profiles):
            raise typer.Exit(FAILED)
    else:
        show_plans(plans, after_plan(plans, Call.of(to, profile), profiles), show_all=show_all)
    _exit_if_blocked([each.readiness for each in plans])


@app.command(cls=Command, epilog="Example: procountor-auth migrate rehearse --profile acme --also users")
def rehearse(
    *,
    to: To = None,
    profile: ProfilesOption = None,
    at_once: Annotated[
        int,
        typer.Option("--at-once", min=1, max=64, metavar="N", help="How many profiles to rehearse at the same time."),
    ] = 8,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also",
            metavar="RESOURCE",
            help="An API resource that the user must be able to read, such as users. Can be repeated.",
        ),
    ] = None,
    target_only: Annotated[
        bool,
        typer.Option(
            "--target-only",
            help="Don't try the current strategy, if it no longer works; PROCOUNTOR_COMPANY says which company "
            "is right.",
        ),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Rehearse all profiles again, including those that got a GO within the last day."),
    ] = False,
    record: ResultsFile = None,
    show_all: AllOption = False,
    as_json: Json = False,
) -> None:
    """Get a token with the current strategy and the target, call sessioninfo with both, and say GO or NO GO.

    Nothing is switched, and the old token stays valid. An interrupted rehearsal is resumed where it stopped.
    """
    from procountor_auth.migration.rehearsal import Rehearsal  # noqa: PLC0415 - not needed for help

    from .results_display import show_progress, show_results  # noqa: PLC0415 - the same

    resources = [_resource(path) for path in also or []]
    profiles, names = _select(to, profile)
    rehearsal = Rehearsal(
        profiles,
        to,
        at_once=at_once,
        resources=resources,
        target_only=target_only,
        results=_open_results(record),
        fresh=fresh,
    )
    found: dict[str | None, Readiness] = {}
    try:
        for result in show_progress(rehearsal.run(names), len(names)):
            found[result.profile] = result
    except KeyboardInterrupt:
        end_soon()
        raise Interrupted(
            f"Interrupted: {rehearsal.completed} of {len(names)} rehearsed. Run the same command"
            f"{' without --fresh' if fresh else ''} to continue."
        ) from None
    results = [found[name] for name in names]
    if as_json:
        from procountor_auth.cli.documents.migration import RehearsalDocument  # noqa: PLC0415 - not needed for text

        print_json(RehearsalDocument.model_validate({"profiles": [result.as_dict() for result in results]}))
    else:
        from .next_steps import after_rehearsal  # noqa: PLC0415 - not needed for JSON

        steps = after_rehearsal(results, Call.of(to, profile), profiles)
        show_results(results, ready="GO", blocked="NO GO", steps=steps, show_all=show_all)
    _exit_if_blocked(results)


@app.command(cls=Command, epilog="Example: procountor-auth migrate status")
def status(
    *,
    to: To = None,
    profile: ProfilesOption = None,
    record: ResultsFile = None,
    show_all: AllOption = False,
    as_json: Json = False,
) -> None:
    """Show the state of every profile: strategy, last token, days until the refresh token expires, ready or not."""
    profiles, names = _select(to, profile)
    statuses = _statuses(profiles, names, to, record)
    if as_json:
        counts = {state: sum(each.state == state for each in statuses) for state in ("done", "can_switch", "blocked")}
        from procountor_auth.cli.documents.migration import MigrationStatusDocument  # noqa: PLC0415 - not needed for text

        print_json(
            MigrationStatusDocument.model_validate({"profiles": [each.as_dict() for each in statuses], **counts})
        )
    else:
        from .next_steps import after_status  # noqa: PLC0415 - not needed for help or JSON
        from .status_display import show_statuses  # noqa: PLC0415 - with Rich, which JSON does not need

        show_statuses(statuses, after_status(statuses, Call.of(to, profile), profiles), show_all=show_all)
    _exit_if_blocked([each.readiness for each in statuses])


@app.command(cls=Command, epilog="Example: procountor-auth migrate finish --dry-run")
def finish(
    *,
    old: Annotated[
        str, typer.Option("--from", metavar="STRATEGY", help="The strategy that the profiles used before.")
    ] = DEFAULT_OLD,
    profile: ProfilesOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Remove the old strategy's stored tokens for profiles that have switched, and list the secrets to delete.

    After this, switching back requires a new login. Profiles that have not switched are left unchanged.
    """
    from procountor_auth.migration.finish import finish as finish_one  # noqa: PLC0415 - not needed for help
    from procountor_auth.tokens.pool import ProviderPool  # noqa: PLC0415 - the same

    profiles, names = _select(old, profile, option="--from")
    pool = ProviderPool(profiles)
    finished = [finish_one(profiles, name, old, pool=pool, dry_run=dry_run) for name in names]
    # A value that is common to all profiles is kept while one of them may need it.
    all_done = all(each.readiness.ready for each in finished) and len(names) >= len(profiles)
    finished = [
        each._replace(delete=tuple(change for change in each.delete if all_done or not change.shared))
        for each in finished
    ]
    if as_json:
        from procountor_auth.cli.documents.migration import FinishDocument  # noqa: PLC0415 - not needed for text

        print_json(FinishDocument.model_validate({"profiles": [each.as_dict() for each in finished]}))
    else:
        from .finish_display import show_finished  # noqa: PLC0415 - with Rich, which JSON does not need

        show_finished(finished, Call.of(None, profile, old), dry_run=dry_run, all_done=all_done)
    _exit_if_blocked([each.readiness for each in finished])


def _select(
    strategy: str | None, names: list[str] | None, *, option: str = "--to"
) -> tuple[Profiles, list[str | None]]:
    """Read the profiles; validate the named profiles and the strategy."""
    from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - not needed for help
    from procountor_auth.strategies.registry import find_strategy, strategy_names  # noqa: PLC0415 - the same

    if strategy is not None and find_strategy(strategy) is None:
        check_choice(strategy, strategy_names(), option)
    profiles = Profiles.search()
    return profiles, select_profiles(profiles, names or [])


def _statuses(
    profiles: Profiles, names: Sequence[str | None], to: str | None, record: Path | None
) -> list[ProfileStatus]:
    from procountor_auth.migration.status import status_of  # noqa: PLC0415 - not needed for help
    from procountor_auth.migration.target import target_of  # noqa: PLC0415 - the same
    from procountor_auth.tokens.pool import ProviderPool  # noqa: PLC0415 - the same

    pool, results = ProviderPool(profiles), _open_results(record)
    return [status_of(profiles, name, target_of(profiles, name, to), pool=pool, results=results) for name in names]


def _open_results(path: Path | None) -> RehearsalResults:
    from procountor_auth.migration.results import RehearsalResults  # noqa: PLC0415 - not needed for help

    return RehearsalResults.default() if path is None else RehearsalResults(path)


def _resource(path: str) -> str:
    """Return the path of a resource, checked."""
    if not path or not all(part and part.strip("._-~").isalnum() for part in path.strip("/").split("/")):
        raise typer.BadParameter("must be a path below the API's base, such as users", param_hint="--also")
    return path.strip("/")


def _exit_if_blocked(results: Iterable[Readiness]) -> None:
    if not all(result.ready for result in results):
        raise typer.Exit(FAILED)
