"""docs/performance.md and its chart, from what was measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.chart import chart
from benchmarks.others import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.report import Report

_DOCS: Final = Path(__file__).parents[1] / "docs"

_HEAD: Final = """# Performance

`make bench` compares this package with others in one run, and writes this page. The machine below is small and shared,
so the ratios mean more than the times. The measurements of a comparison alternate, so that noise affects all of them
alike. The minimum is the cost without noise, the median is the typical time, and the spread is the distance from the
first to the third quartile, as a share of the median.
"""


def write(reports: Sequence[Report]) -> None:
    """Write the page, and the chart of the first report that has bars."""
    bars = next((report for report in reports if report.bars), None)
    parts = [_HEAD, _machine(), ""]
    if bars is not None:
        (_DOCS / "images" / "performance.svg").write_text(chart(bars), encoding="utf-8")
        parts += [f"![{bars.title}: see the table below](images/performance.svg)", ""]
    parts += [report.as_markdown() for report in reports]
    (_DOCS / "performance.md").write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")


def _machine() -> str:
    libraries = ", ".join(
        f"{name} {version(name)}" for name in (*LIBRARIES, "httpx", "httpx2", "requests", "pydantic-settings")
    )
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores ({_processor()}). {libraries}."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
