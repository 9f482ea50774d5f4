"""(i) What a source costs that nobody ever asks for a token."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from typing import TYPE_CHECKING

from benchmarks.report import TIMING, Report
from benchmarks.rounds import in_turns
from procountor_auth import Settings, TokenSource

if TYPE_CHECKING:
    from benchmarks.server import TokenServer
    from benchmarks.size import Size


def measure(size: Size, server: TokenServer) -> Report:
    """Make sources, and ask for nothing."""
    settings = Settings()
    timings = in_turns(
        {
            "`TokenSource.from_env()`": TokenSource.from_env,
            "`TokenSource.from_settings(settings)`": lambda: TokenSource.from_settings(settings),
        },
        rounds=max(10, size.rounds // 20),
        times=50,
    )
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = [TokenSource.from_settings(settings) for _ in range(size.sources)]
    gc.collect()
    each = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    tracemalloc.stop()
    report = Report(
        "i",
        "A source that is never used",
        f"No thread, no connection, no file: {threading.active_count() - 1} threads besides the main one, "
        f"{server.count} requests, {each:,.0f} bytes.",
        TIMING,
    )
    report.add_timings(timings, base="`TokenSource.from_env()`")
    return report
