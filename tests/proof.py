"""Runs the long programme, and writes its figures into docs/proof.md: `python -m tests.proof` in the project folder.

A step that has passed is not run again on the same commit: after a failure that was the machine's, the rest is enough.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs" / "proof.md"

_HEAD: Final = """# The long programme

`make proof` runs what takes too long for every change: all faults, more inputs for the fuzz targets, every kill, and
load tests at full size. A nightly workflow (`.github/workflows/nightly.yml`) calls it, and beside it `make fuzz`, which
gives each fuzz target a million inputs, and `make model`, with two faults on each path, which take long by themselves.
The program writes this page when every step has passed.

"""


@dataclass(frozen=True)
class Step:
    """One target of the Makefile.

    Attributes:
        target: Its name, with variables.
        what: What it does, for the page.
    """

    target: str
    what: str


STEPS: Final = (
    Step("faults", "the fault matrix: [faults](faults.md)"),
    Step("hosts", "every command on every unusual host: [faults](faults.md)"),
    Step("conformance", "the rows of [conformance](conformance.md), and a certified OAuth server"),
    Step("fuzz FUZZ=100000", "100,000 inputs for each target of [fuzzing](fuzzing.md)"),
    Step("kills", "a thousand kills of each store's writer"),
    Step("storms", "1,000 threads, 10,000 coroutines, 64 processes: one token request"),
    Step("companies", "500 companies change their strategy; 1 GB and 10,000 calls pass through a bridge"),
    Step("model FAULTS=1", "every order of events in a renewal, with a fault on each path"),
    Step("installations", "the wheel and the source distribution, each extra, on each Python found"),
)


@dataclass(frozen=True)
class Outcome:
    """What came of a step.

    Attributes:
        passed: How many tests passed; None if one failed, or the step did.
        seconds: How long it took.
    """

    passed: int | None
    seconds: float


def run(step: Step) -> Outcome:
    """Run a step, and show what it prints."""
    begun = time.monotonic()
    passed = None
    command = ["make", "--no-print-directory", *step.target.split(), f"VENV={os.environ.get('VENV', '.venv')}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            # A step may run pytest more than once.
            if found := re.match(r"(\d+) passed\b", line):
                passed = (passed or 0) + int(found[1])
    return Outcome(passed if process.returncode == 0 else None, time.monotonic() - begun)


def page(outcomes: dict[Step, Outcome]) -> str:
    """Return the page."""
    system = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [f"The last run: {system}, {time.strftime('%-d %B %Y', time.gmtime())}.\n\n"]
    lines += ["| `make …` | what | tests passed | minutes |\n|---|---|---:|---:|\n"]
    for step, each in outcomes.items():
        lines.append(f"| `{step.target}` | {step.what} | {each.passed} | {each.seconds / 60:.1f} |\n")
    total = sum(each.seconds for each in outcomes.values())
    lines.append(f"| **all** | | {sum(each.passed or 0 for each in outcomes.values())} | {total / 60:.1f} |\n")
    return _HEAD + "".join(lines)


class Record:
    """What has passed on the current commit, in a file beside the virtual environment's own.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._commit = _commit()
        self.steps: dict[str, Outcome] = {}
        with suppress(OSError, ValueError):
            found = json.loads(path.read_text(encoding="utf-8"))
            if self._commit and found["commit"] == self._commit:
                self.steps = {name: Outcome(**each) for name, each in found["steps"].items()}

    def add(self, step: Step, outcome: Outcome) -> None:
        """Remember a step that has passed, if it is known on what."""
        if self._commit is None:
            return
        self.steps[step.target] = outcome
        steps = {name: asdict(each) for name, each in self.steps.items()}
        self._path.write_text(json.dumps({"commit": self._commit, "steps": steps}), encoding="utf-8")


def _commit() -> str | None:
    """Return the commit of what is here; None where something was changed since, or there is no git."""
    command = ["git", "describe", "--always", "--dirty=?"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return None if found.endswith("?") else found


def main() -> int:
    """Run the steps that have not passed yet, and return the exit status."""
    record = Record(Path(os.environ.get("VENV", ".venv")) / "proof.json")
    outcomes = {}
    for step in STEPS:
        sys.stdout.write(f"\n== make {step.target}\n")
        sys.stdout.flush()
        if step.target in record.steps:
            sys.stdout.write("It has passed on this commit.\n")
            outcomes[step] = record.steps[step.target]
            continue
        outcomes[step] = run(step)
        if outcomes[step].passed is not None:
            record.add(step, outcomes[step])
    failed = [step.target for step, outcome in outcomes.items() if outcome.passed is None]
    if failed:
        sys.stdout.write(f"\nFailed: {', '.join(failed)}. {PAGE.name} is as it was.\n")
        return 1
    PAGE.write_text(page(outcomes), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
