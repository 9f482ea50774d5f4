"""docs/scale.md, from what a simulated day has brought."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.report import Claim
from benchmarks.scale.day import JOB
from benchmarks.scale.service import LIFETIME

if TYPE_CHECKING:
    from collections import Counter

    from benchmarks.scale.day import Day
    from benchmarks.scale.meter import Use

_PAGE: Final = Path(__file__).parents[2] / "docs" / "scale.md"

_MANY: Final = 100_000
"""Companies on one Redis, worked out from what the simulated ones need."""

_PROCESSES: Final = 10
"""Processes on each host, for what limits first."""

_DAY: Final = 86_400


@dataclass(frozen=True)
class Phase:
    """A part of the day.

    Attributes:
        begin: When it begins, in seconds of the day.
        end: When it ends.
        what: What happens in it.
        jobs: How many jobs there were.
        visits: How often a host went to the store.
        given: Token requests that brought a token.
        refused: Requests that were answered with 503.
        peak: The most tokens in one second, without those for jobs from cron.
        cron_peak: The most tokens in one second for jobs from cron.
        failed: Jobs that got no token.
        rejected: Calls of the API that were answered with 401.
        use: What Redis did.
    """

    begin: float
    end: float
    what: str
    jobs: int
    visits: int
    given: int
    refused: int
    peak: int
    cron_peak: int
    failed: int
    rejected: int
    use: Use

    @classmethod
    def of(cls, day: Day, begin: float, end: float, what: str, use: Use) -> Phase:
        """Count what happened from `begin` to `end`."""

        def within(counter: Counter[int], unit: int = 1) -> list[int]:
            return [count for at, count in counter.items() if begin <= at * unit < end] or [0]

        service = day.service
        spread, cron = within(service.given), within(service.given_to_cron)
        return cls(
            begin,
            end,
            what,
            jobs=sum(within(day.jobs, 60)),
            visits=sum(within(day.visits, 60)),
            given=sum(spread) + sum(cron),
            refused=sum(within(service.refused)),
            peak=max(spread),
            cron_peak=max(cron),
            failed=sum(within(day.failed, 60)),
            rejected=sum(within(day.rejected, 60)),
            use=use,
        )

    @property
    def hours(self) -> float:
        """How long it is."""
        return (self.end - self.begin) / 3600


@dataclass(frozen=True)
class Result:
    """What a simulated day has brought.

    Attributes:
        hosts: How many hosts there were.
        companies: How many companies there were.
        took: Seconds that the simulation took.
        phases: The parts of the day.
        day: The whole day.
        entry: Bytes that Redis needs for one entry, as it says.
        memory: Bytes that it needed more in the evening, for each company.
        connection: Bytes that it needs for one connection.
        max_connections: How many connections it allows.
        version: Its version.
    """

    hosts: int
    companies: int
    took: float
    phases: list[Phase]
    day: Phase
    entry: int
    memory: float
    connection: float
    max_connections: int
    version: str

    @property
    def quiet(self) -> Phase:
        """The longest part of the day in which nothing happens to anybody."""
        return max(self.phases, key=lambda phase: phase.hours)


def write(result: Result) -> None:
    """Write the page."""
    _PAGE.write_text(page(result), encoding="utf-8")


def page(result: Result) -> str:
    """Return the page."""
    lines = [
        "# Scale",
        "",
        *_introduction(result),
        "",
        "## The day",
        "",
        *_paragraph(
            "*Most in a second* is the largest number of token requests in one second, without those for jobs from "
            "cron, which *from cron* counts in the same way."
        ),
        "",
        "| from | what happens | jobs | token requests | most in a second | from cron | 503 | 401 | failed jobs |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {_clock(phase.begin)} | {phase.what} | {phase.jobs:,} | {phase.given:,} | {phase.peak} | "
            f"{phase.cron_peak} | {phase.refused:,} | {phase.rejected:,} | {phase.failed:,} |"
            for phase in (*result.phases, result.day)
        ),
        "",
        *(f"- {claim}" for claim in _claims(result)),
        "",
        *_reading(result),
        "",
        "## The load on Redis",
        "",
        *_redis(result),
        "",
        "## What limits first",
        "",
        *_limits(result),
    ]
    return "\n".join(lines) + "\n"


def _introduction(result: Result) -> list[str]:
    return [
        *_paragraph(
            f"`make scale` simulates a day of {result.hosts:,} hosts and {result.companies:,} companies on a real "
            "Redis, and writes this page. One process plays all hosts, and the clock runs as fast as it can; "
            "renewals, the store, the transport with its retries and the errors are those of the package. Jobs run "
            "one after another, so none waits for a lock; [performance](performance.md), (g), measures many "
            "processes that need a token at the same moment."
        ),
        "",
        *_paragraph(
            f"Each company has a job about every {JOB / 60:.0f} minutes, on any of the hosts: the job gets the token "
            "and calls the API once. For a fifth of the companies, cron starts the jobs, always on the quarter "
            f"hour. A token is valid for {LIFETIME // 60} minutes. Each host is restarted once during the day, "
            "one after another. The strategy is `client_credentials`."
        ),
    ]


def _claims(result: Result) -> list[Claim]:
    quiet = result.quiet
    lifetimes = quiet.hours * 3600 / LIFETIME
    restarted, down, after, rejected = (_phase(result, hour) for hour in (6, 12, 9.5, 15))
    ordinary = quiet.given / quiet.hours
    return [
        Claim(
            "token requests in ordinary hours, relative to companies per lifetime",
            quiet.given / result.companies / lifetimes,
            1.25,
        ),
        Claim(
            "in the hour after all hosts were restarted, relative to an ordinary hour", restarted.given / ordinary, 1.25
        ),
        Claim(
            "most in a second in the hour after the outage, relative to an ordinary hour", after.peak / quiet.peak, 4
        ),
        Claim("jobs that fail while Redis is down", down.failed, 0, unit=""),
        Claim(
            "in the hour after every token was rejected, relative to companies", rejected.given / result.companies, 2
        ),
    ]


def _phase(result: Result, hour: float) -> Phase:
    return next(phase for phase in result.phases if phase.begin == hour * 3600)


def _reading(result: Result) -> list[str]:
    day, down = result.day, _phase(result, 12)
    return [
        *_paragraph(
            f"{day.visits:,} times, a host had no fresh token in its memory. Without a shared store, each of these "
            f"would be a token request, {day.visits / day.given:.1f} times as many. The number of token requests "
            "depends on the number of companies and the lifetime of their tokens, not on the number of hosts."
        ),
        "",
        *_item("**Hosts that restart** find the tokens in Redis."),
        *_item(
            "**The service is unavailable**: tokens are served until they expire, so jobs fail only after that. "
            "Each failing job sends three requests. Afterwards, each company's next job gets its token, so the "
            "requests are spread like the jobs. Jobs from cron start all at once, and so do their requests: the "
            "package can't spread them, but jitter in the crontab can."
        ),
        *_item(
            f"**Redis is down**: no job fails. Each host continues without it, which took {down.given:,} token "
            f"requests in {(down.end - down.begin) / 60:.0f} minutes."
        ),
        *_item(
            "**Every token is rejected at once**, for example when the service changes its signing certificate: a "
            "host gets one 401 for each token in its memory, and finds the next token in Redis, which the first "
            "host to notice has requested."
        ),
    ]


def _redis(result: Result) -> list[str]:
    use = result.day.use
    each = result.companies
    many = _MANY / each / _DAY
    rows = [
        ("", "per company and day", f"{_MANY:,} companies"),
        ("---", "---", "---"),
        ("commands", f"{use.commands / each:,.0f}", f"{use.commands * many:,.0f} a second"),
        ("processor time", f"{use.processor / each * 1000:.1f} ms", f"{use.processor * many:.1%} of one core"),
        ("received", f"{use.received / each / 1024:,.0f} KiB", f"{use.received * many * 8 / 1e6:.2f} Mbit/s"),
        ("sent", f"{use.sent / each / 1024:,.0f} KiB", f"{use.sent * many * 8 / 1e6:.2f} Mbit/s"),
        ("memory", f"{result.entry:,} bytes for the entry", f"{result.memory * _MANY / 2**20:,.0f} MiB"),
    ]
    return [
        *_paragraph(
            f"Redis {result.version}, one server, no TLS, entries not sealed. Commands within scripts are counted "
            f"too. At the end of the day, Redis needed {result.memory:,.0f} bytes per company more than at the "
            "beginning."
        ),
        "",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        *_paragraph(
            f"A connection takes {result.connection / 1024:.1f} KiB of Redis's memory. A process has one connection, "
            "plus one for each thread that uses the store at the same moment, and at most 32 for one URL."
        ),
    ]


def _limits(result: Result) -> list[str]:
    day, rejected = result.day, _phase(result, 15)
    many = _MANY / result.companies
    connections = result.hosts * _PROCESSES
    busiest = rejected.use.processor * many / (rejected.hours * 3600)
    return [
        f"With {_MANY:,} companies on {result.hosts:,} hosts of {_PROCESSES} processes, the limits come in this order:",
        "",
        *_item(
            f"**Connections**: at least {connections:,}, one for each process, while Redis allows "
            f"{result.max_connections:,} (`maxclients`); they take {connections * result.connection / 2**20:,.0f} "
            "MiB. Raise `maxclients` and the limit of open files, run more threads and fewer processes, or run a "
            "proxy that shares connections on each host.",
            "1. ",
        ),
        *_item(
            f"**The service**: {day.given * many / _DAY:.0f} token requests a second on average, and after an outage "
            f"up to the number of jobs, {day.jobs * many / _DAY:.0f}. Ask the vendor how many are allowed, and "
            "spread the jobs in the crontab. The package respects `Retry-After`.",
            "2. ",
        ),
        *_item(
            f"**Processor time**: {day.use.processor * many / _DAY:.1%} of the one core that Redis uses, {busiest:.1%} "
            "in the hour after every token was rejected.",
            "3. ",
        ),
        *_item(f"**Memory**: {result.memory * _MANY / 2**20:,.0f} MiB.", "4. "),
        "",
        *_paragraph(
            "If one Redis is not enough, divide the companies: `PROCOUNTOR_TOKEN_STORE` can differ between hosts, "
            "and entries are independent of each other, so the hosts of some companies can use one Redis and the "
            "rest another. Or use a cluster (`redis+cluster://…`): an entry, its lock and its damaged copies share a "
            "hash tag, so that each script runs on one node."
        ),
    ]


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False)


def _item(text: str, mark: str = "- ") -> list[str]:
    return textwrap.wrap(
        text,
        120,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
