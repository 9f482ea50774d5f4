"""What was measured, as a table with a claim that holds or does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.rounds import Timing

_UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@dataclass(frozen=True)
class Claim:
    """One figure beside its limit.

    Attributes:
        text: What it says.
        figure: What was measured.
        limit: What it may be at most; with `least`, at least.
        least: Whether the limit is a lower one.
        unit: What stands behind the figures, such as ` ms`.
    """

    text: str
    figure: float
    limit: float
    least: bool = False
    unit: str = " times"

    @property
    def holds(self) -> bool:
        """Whether the figure is within its limit."""
        return self.figure >= self.limit if self.least else self.figure <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.least else "≤"
        verdict = "holds" if self.holds else "**does not hold**"
        return f"{self.text}: {_number(self.figure)}{self.unit} ({sign} {_number(self.limit)}{self.unit}): {verdict}"


@dataclass
class Report:
    """One measurement.

    Attributes:
        letter: Its place in the page, such as `a`.
        title: What is measured.
        how: How, in a sentence or two.
        headings: Those of the table.
        rows: The table, as text.
        claims: What the figures have to be.
        bars: Names and values for the chart, in seconds, if it has a place there.
        ours: Which of the bars is ours.
    """

    letter: str
    title: str
    how: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    bars: dict[str, float] = field(default_factory=dict)

    def add_timings(self, timings: Mapping[str, Timing], *, base: str | None = None) -> None:
        """Add a row for each timing: minimum, median, spread, and how many times the base."""
        floor = timings[base].minimum if base else None
        for name, timing in timings.items():
            ratio = "" if floor is None else f"{timing.minimum / floor:.2f}"
            self.rows.append((name, duration(timing.minimum), duration(timing.median), f"{timing.spread:.0%}", ratio))

    def as_markdown(self) -> str:
        """Return it as a section of the page."""
        lines = [f"## ({self.letter}) {self.title}", "", self.how, ""]
        lines += ["| " + " | ".join(self.headings) + " |", "|---" * len(self.headings) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        lines += ["", *(f"- {claim}" for claim in self.claims), ""]
        return "\n".join(lines)


TIMING: Final = ("", "minimum", "median", "spread", "relative to the first")
"""The headings of a table of timings."""


def duration(seconds: float) -> str:
    """Return a duration with its unit, in three figures."""
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            return f"{_number(seconds / size)} {unit}"
    return f"{_number(seconds / 1e-9)} ns"


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:  # noqa: PLR2004 - more would be written in powers of ten
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004 - three figures
