"""``procountor-auth migrate``: check, plan, rehearse, status, finish. None of them changes a configuration."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from procountor_auth.cli.exit_status import FAILED
from procountor_auth.cli.options import ProfilesOption, select_profiles
from procountor_auth.cli.output import Json, print_json

from .display import print_switches, show_finished, show_plans, show_progress, show_results, show_statuses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from procountor_auth.migration.readiness import Readiness
    from procountor_auth.migration.results import RehearsalResults
    from procountor_auth.migration.status import ProfileStatus
    from procountor_auth.settings.profiles import Profiles

TARGET: Final = "client_credentials"

app = typer.Typer(
    no_args_is_help=True,
    help="Move from the legacy login to another strategy: check, plan, rehearse, switch, watch, finish.",
    epilog="The switch itself is one variable, PROCOUNTOR_STRATEGY; `migrate plan` writes it out. Exit status: 0 if "
    "all is well, 1 if some profile is blocked or something failed, 2 if the command or the configuration has to be "
    "written differently.",
)

To = Annotated[str, typer.Option("--to", metavar="STRATEGY", help="The strategy to switch to.")]
ResultsFile = Annotated[
    Path | None,
    typer.Option("--record", metavar="FILE", help="Where rehearsals keep their results; by default a file of yours."),
]


@app.callback()
def root() -> None:
    """Move from the legacy login to another strategy: check, plan, rehearse, switch, watch, finish."""
    from procountor_auth.strategies.deprecation import LegacyAuthWarning  # noqa: PLC0415 - help need not wait for it

    # Whoever migrates knows that it is deprecated.
    warnings.simplefilter("ignore", LegacyAuthWarning)


@app.command()
def check(*, to: To = TARGET, profile: ProfilesOption = None, as_json: Json = False) -> None:
    """Say what is set, missing and wrong for a strategy, profile by profile. Nothing is sent to Procountor."""
    from procountor_auth.migration.check import check as check_one  # noqa: PLC0415 - help need not wait for it
    from procountor_auth.tokens.pool import ProviderPool  # noqa: PLC0415 - the same

    profiles, names = _select(to, profile)
    pool = ProviderPool(profiles)
    results = [check_one(profiles, name, to, pool=pool) for name in names]
    if as_json:
        print_json({"profiles": [result.as_dict() for result in results]})
    else:
        show_results(results, ready="ready", blocked="blocked")
    _exit_if_blocked(results)


@app.command()
def plan(
    *,
    to: To = TARGET,
    profile: ProfilesOption = None,
    env: Annotated[
        bool,
        typer.Option(
            "--env", help="Print the lines that switch the ready profiles, and nothing else: for a .env file."
        ),
    ] = False,
    record: ResultsFile = None,
    as_json: Json = False,
) -> None:
    """Show the exact variables to add, change and remove, as a diff. Secrets are masked, blockers are named."""
    from procountor_auth.migration.plan import plan as plan_one  # noqa: PLC0415 - help need not wait for it

    profiles, names = _select(to, profile)
    plans = [plan_one(profiles, each.readiness) for each in _statuses(profiles, names, to, record)]
    if as_json:
        print_json({"profiles": [each.as_dict() for each in plans]})
    elif env:
        print_switches(plans)
    else:
        show_plans(plans)
    _exit_if_blocked([each.readiness for each in plans])


@app.command()
def rehearse(
    *,
    to: To = TARGET,
    profile: ProfilesOption = None,
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, max=64, metavar="N", help="How many profiles to try at the same time.")
    ] = 8,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also",
            metavar="RESOURCE",
            help="A resource of the API that the user must be able to read, such as users. May be given many times.",
        ),
    ] = None,
    target_only: Annotated[
        bool,
        typer.Option(
            "--target-only",
            help="Don't try today's strategy, where that does not work any more; PROCOUNTOR_COMPANY says which company "
            "is right.",
        ),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Try all profiles again, also those that said GO within the last day.")
    ] = False,
    record: ResultsFile = None,
    as_json: Json = False,
) -> None:
    """Get a token with today's strategy and with the next, call sessioninfo with both, and say GO or NO GO.

    Nothing is switched, and the old token stays valid. It goes on where an interrupted rehearsal has stopped.
    """
    from procountor_auth.migration.rehearsal import Rehearsal  # noqa: PLC0415 - help need not wait for it

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
    found = {result.profile: result for result in show_progress(rehearsal.run(names), len(names))}
    results = [found[name] for name in names]
    if as_json:
        print_json({"profiles": [result.as_dict() for result in results]})
    else:
        show_results(results, ready="GO", blocked="NO GO")
    _exit_if_blocked(results)


@app.command()
def status(
    *, to: To = TARGET, profile: ProfilesOption = None, record: ResultsFile = None, as_json: Json = False
) -> None:
    """Show where every profile stands: strategy, last token, days until the refresh token ends, ready or not."""
    profiles, names = _select(to, profile)
    statuses = _statuses(profiles, names, to, record)
    if as_json:
        counts = {state: sum(each.state == state for each in statuses) for state in ("done", "ready", "blocked")}
        print_json({"profiles": [each.as_dict() for each in statuses], **counts})
    else:
        show_statuses(statuses)
    _exit_if_blocked([each.readiness for each in statuses])


@app.command()
def finish(
    *,
    old: Annotated[str, typer.Option("--from", metavar="STRATEGY", help="The strategy that was left.")] = (
        "legacy_password"
    ),
    profile: ProfilesOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Remove the old strategy's stored tokens of profiles that have switched, and name the secrets to delete.

    After it the way back begins with a new login. Profiles that have not switched are left alone.
    """
    from procountor_auth.migration.finish import finish as finish_one  # noqa: PLC0415 - help need not wait for it
    from procountor_auth.tokens.pool import ProviderPool  # noqa: PLC0415 - the same

    profiles, names = _select(old, profile, option="--from")
    pool = ProviderPool(profiles)
    finished = [finish_one(profiles, name, old, pool=pool, dry_run=dry_run) for name in names]
    # What is common to all stays while one profile may need it.
    all_done = all(each.readiness.ready for each in finished) and len(names) >= len(profiles)
    finished = [
        each._replace(delete=tuple(change for change in each.delete if all_done or not change.shared))
        for each in finished
    ]
    if as_json:
        print_json({"profiles": [each.as_dict() for each in finished]})
    else:
        show_finished(finished, old, dry_run=dry_run, all_done=all_done)
    _exit_if_blocked([each.readiness for each in finished])


def _select(strategy: str, names: list[str] | None, *, option: str = "--to") -> tuple[Profiles, list[str | None]]:
    """Read the profiles, and check which of them, and which strategy, the command is about."""
    from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - help need not wait for it
    from procountor_auth.strategies.registry import find_strategy, strategy_names  # noqa: PLC0415 - the same

    if find_strategy(strategy) is None:
        raise typer.BadParameter(f"must be one of {', '.join(strategy_names())}", param_hint=option)
    profiles = Profiles.read()
    return profiles, select_profiles(profiles, names or [])


def _statuses(profiles: Profiles, names: Sequence[str | None], to: str, record: Path | None) -> list[ProfileStatus]:
    from procountor_auth.migration.status import status_of  # noqa: PLC0415 - help need not wait for it
    from procountor_auth.tokens.pool import ProviderPool  # noqa: PLC0415 - the same

    pool, results = ProviderPool(profiles), _open_results(record)
    return [status_of(profiles, name, to, pool=pool, results=results) for name in names]


def _open_results(path: Path | None) -> RehearsalResults:
    from procountor_auth.migration.results import RehearsalResults  # noqa: PLC0415 - help need not wait for it

    return RehearsalResults.default() if path is None else RehearsalResults(path)


def _resource(path: str) -> str:
    """Return the path of a resource, checked."""
    if not path or not all(part and part.strip("._-~").isalnum() for part in path.strip("/").split("/")):
        raise typer.BadParameter("must be a path below the API's base, such as users", param_hint="--also")
    return path.strip("/")


def _exit_if_blocked(results: Iterable[Readiness]) -> None:
    if not all(result.ready for result in results):
        raise typer.Exit(FAILED)
