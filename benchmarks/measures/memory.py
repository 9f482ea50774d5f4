"""(f) What profiles and sources weigh."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.report import Claim, Report
from procountor_auth import Profiles, Settings, TokenSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.server import TokenServer
    from benchmarks.size import Size


def measure(size: Size, server: TokenServer) -> Report:  # noqa: ARG001 - as all of them
    """Make so many of each, and look at what is allocated then and was not before."""
    report = Report(
        "f",
        "Memory",
        "Allocated bytes (`tracemalloc`) for each object: a profile from a file, with a strategy, a company and "
        "an API key of 200 characters; a source of such a profile, with settings, strategy and a token.",
        ("", "how many", "bytes each"),
    )
    with TemporaryDirectory() as folder:
        file = Path(folder) / "profiles.toml"
        tables = (
            f'[profiles.company{n}]\nstrategy = "client_credentials"\ncompany = {10_000 + n}\napi_key = "{n:0200}"\n'
            for n in range(size.profiles)
        )
        file.write_text("\n".join(tables), encoding="utf-8")
        each = _weight(lambda: [Profiles.read(str(file))]) / size.profiles
        report.rows.append(("a profile", f"{size.profiles:,}", f"{each:,.0f}"))
        report.claims.append(Claim("a profile", each, 2048, unit=" bytes"))
        profiles = Profiles.read(str(file))
        names = list(profiles)[: size.sources]
        TokenSource.from_settings(
            Settings.of_profile(profiles, names[0])
        ).token()  # what is imported with the first one

        def sources() -> list[object]:
            made = [TokenSource.from_settings(Settings.of_profile(profiles, name)) for name in names]
            for source in made:
                source.token()
            return [*made]

        each = _weight(sources) / len(names)
        report.rows.append(("a source with its token", f"{len(names):,}", f"{each:,.0f}"))
        report.claims.append(Claim("a source with its token", each, 10_240, unit=" bytes"))
    return report


def _weight(make: Callable[[], list[object]]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        made = make()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        del made
    finally:
        tracemalloc.stop()
    return after - before
