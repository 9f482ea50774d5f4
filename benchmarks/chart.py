"""A bar chart as SVG, with a logarithmic scale: what is compared differs by thousands."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

from benchmarks.report import duration

if TYPE_CHECKING:
    from benchmarks.report import Report

_WIDTH: Final = 720
_LEFT: Final = 290
_RIGHT: Final = 90
_ROW: Final = 30

_STYLE: Final = """
  text { font: 13px system-ui, sans-serif; fill: #1c2730; }
  .title { font-weight: 600; font-size: 15px; }
  .bar { fill: #9fb3bd; }
  .ours { fill: #0a5a6b; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e3e9ed; }
    .bar { fill: #51606b; }
    .ours { fill: #62bfd2; }
  }
"""


def chart(report: Report) -> str:
    """Return the bars of a report, the shortest first; those of this package have a colour of their own."""
    bars = sorted(report.bars.items(), key=lambda bar: bar[1])
    lowest = 10 ** math.floor(math.log10(bars[0][1]))
    scale = (_WIDTH - _LEFT - _RIGHT) / math.log10(bars[-1][1] / lowest)
    height = 50 + _ROW * len(bars)
    title = f"{report.title}, on a logarithmic scale"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"',
        f' aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="8" y="24">{escape(title)}</text>',
    ]
    for row, (name, value) in enumerate(bars):
        top = 42 + _ROW * row
        length = max(2.0, scale * math.log10(value / lowest))
        kind = "bar ours" if "TokenSource" in name else "bar"
        lines += [
            f'<text x="{_LEFT - 10}" y="{top + 15}" text-anchor="end">{escape(name.replace("`", ""))}</text>',
            f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{length:.1f}" height="20" rx="3"/>',
            f'<text x="{_LEFT + length + 8:.1f}" y="{top + 15}">{escape(duration(value))}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
