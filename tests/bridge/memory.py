"""The memory of a process, as Linux counts it."""

from __future__ import annotations

import re
from pathlib import Path


def resident(pid: int) -> int:
    """Return the bytes that a process has in memory."""
    return _value(pid, "VmRSS")


def most_resident(pid: int) -> int:
    """Return the most bytes that a process has had in memory at any time."""
    return _value(pid, "VmHWM")


def _value(pid: int, name: str) -> int:
    found = re.search(rf"(?m)^{name}:\s+([0-9]+) kB$", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found, name
    return int(found[1]) * 1024
