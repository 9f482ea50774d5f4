"""(a) What a program pays for a token that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.others import cached_tokens
from benchmarks.report import TIMING, Claim, Report
from benchmarks.rounds import in_turns
from procountor_auth import TokenSource

if TYPE_CHECKING:
    from benchmarks.server import TokenServer
    from benchmarks.size import Size


def measure(size: Size, server: TokenServer) -> Report:
    """Call each library for its cached token."""
    source = TokenSource.from_env()
    table = {"token": source.token()}
    subjects = {"a dictionary": lambda: table["token"], "`TokenSource.token`": source.token} | cached_tokens(server)
    timings = in_turns(subjects, rounds=max(10, size.rounds // 10), times=2_000)
    report = Report(
        "a",
        "A cached token",
        "The time that each library takes to provide a token that it already has, in the smallest call that can "
        "be made separately. Authlib's call compares the expiry but makes no header; `procountor` makes a header "
        "but does not know the expiry; requests_oauth2client, requests-oauthlib, google-auth and msal do both.",
        TIMING,
    )
    report.add_timings(timings, base="a dictionary")
    ours = timings["`TokenSource.token`"].minimum
    report.bars = {name: timing.minimum for name, timing in timings.items()}
    others = {
        name: timing.minimum for name, timing in timings.items() if name not in {"a dictionary", "`TokenSource.token`"}
    }
    complete = {name: each for name, each in others.items() if not name.startswith(("Authlib", "procountor"))}
    report.claims = [
        Claim("relative to the dictionary", ours / timings["a dictionary"].minimum, 3.5),
        Claim(
            f"relative to the fastest other that compares the expiry and makes a header, {_best(complete)}",
            ours / min(complete.values()),
            0.1,
        ),
        Claim(f"relative to the fastest other of all, {_best(others)}", ours / min(others.values()), 0.1),
    ]
    return report


def _best(others: dict[str, float]) -> str:
    return min(others, key=lambda name: others[name])
