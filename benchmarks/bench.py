"""Measures this package beside others, and writes docs/performance.md with its chart.

Run: make bench, or .venv-bench/bin/python -m benchmarks.bench [--size smallest] [--only ab] [--write]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib import import_module
from typing import Final

from benchmarks.page import write
from benchmarks.server import token_server
from benchmarks.size import SIZES

MEASURES: Final = {
    "a": "cached_token",
    "b": "requests_path",
    "c": "cold_callers",
    "d": "expiry",
    "e": "start",
    "f": "memory",
    "g": "processes",
    "h": "rehearsal",
    "i": "unused",
    "j": "bridge",
}


def main() -> None:
    """Measure, print, and write the page where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--only", default="".join(MEASURES), help="letters of the measurements")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    chosen = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("PROCOUNTOR_")]:
        del os.environ[name]
    reports = []
    with token_server() as server, tempfile.TemporaryDirectory() as folder:
        os.environ |= server.variables | {"XDG_STATE_HOME": folder, "HOME": folder}
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for letter in chosen.only:
            measure = import_module(f"benchmarks.measures.{MEASURES[letter]}").measure
            server.reset()
            report = measure(SIZES[chosen.size], server)
            reports.append(report)
            sys.stdout.write(report.as_markdown() + "\n")
            sys.stdout.flush()
    if chosen.write:
        write(reports)


if __name__ == "__main__":
    main()
