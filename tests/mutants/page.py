"""Runs mutants, and writes docs/mutants.md: `make mutants`.

The page has the figures of the last run, and each mutant that survived it with what `explained.toml` says of it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from .mutant import FOLDERS, write_mutants
from .survey import Survey

PROJECT: Final = Path(__file__).parents[2]
PAGE: Final = PROJECT / "docs" / "mutants.md"
COPY: Final = PROJECT / "mutants"
LAST_RUN: Final = Path(sys.prefix) / "mutants.json"
EXPLAINED: Final = Path(__file__).with_name("explained.toml")

FOUND: Final = frozenset({"killed", "timeout"})

_HEAD: Final = """# Mutants

A test suite is as good as the mistakes that it finds. `make mutants` makes mistakes on purpose: it changes one place of
the code, runs the tests that reach it, and expects one of them to fail. A change that no test notices has survived. The
changes are those of [mutmut](https://mutmut.readthedocs.io/) {version}: an inverted comparison or condition, an
argument left out or `None`, a number or a text changed, a value that is not assigned, a branch always or never taken.

All of them would take hours, so a run takes a sample: {size} of each folder, drawn with the seed {seed}. What is
drawn depends on the seed and on each change alone, so that new code leaves the rest of the sample as it is. Another
seed draws others:

```sh
make mutants SEED=2 SIZE=40
```

| Folder | Mutants | Sampled | Killed | Timeout | Survived | of these, explained | Score |
|---|---:|---:|---:|---:|---:|---:|---:|
"""

_METHOD: Final = """
Killed means that a test failed twice with the change, once among the others and once by itself. Timeout means that a
test took longer than 40 seconds and five times what it takes without the change, and again with nothing else
running. The score is the share of both in the sample. No survivor is taken out of it, whether or not it changes
anything that can be seen.

The tests are those of these folders, of `protocol/` and `model/`: {tests}, without {left_out} that take longer than
five seconds or compare what the copy with the mutants changes, such as a traceback or a signature. A mutant gets those
that reach its function, nearest first, up to {budget:g} seconds of processor time. What runs on import, what a
decorator wraps, and constants are not mutated.

The run took {minutes} minutes, on two cores that others used as well. Survivors ran again
(`make mutants MUTANTS_ARGS=--survivors`) after tests had been written for them, with those tests first.

## Survivors

Why each of them is not worth a test, or can't be seen. Rows that say "Not explained yet." are open: each needs a test
or a reason. The reasons are in `tests/mutants/explained.toml`.

| Where | Change | Why it survives |
|---|---|---|
"""


def main() -> None:
    """Run what the arguments say, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another one draws other mutants")
    parser.add_argument("--size", type=int, default=80, help="how many mutants of each folder")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="how many at a time")
    parser.add_argument("--budget", type=float, default=10, help="seconds of processor time for each mutant")
    parser.add_argument(
        "--survivors", action="store_true", help="only those that survived the last run and are not explained"
    )
    parser.add_argument("--page-only", action="store_true", help="the page, from the last run")
    options = parser.parse_args()
    if not options.page_only:
        run(options)
    document = json.loads(LAST_RUN.read_text("utf-8"))
    PAGE.write_text(page(document), "utf-8")
    for name, row in figures(document).items():
        sys.stdout.write(f"{name:12} {row}\n")


def run(options: argparse.Namespace) -> None:
    """Run a sample, or what survived of it, and keep the results."""
    last: dict[str, Any] = {"survey": {}, "mutants": [], "seconds": 0}
    if options.survivors:
        last = json.loads(LAST_RUN.read_text("utf-8"))
    seed, size = last.get("seed", options.seed), last.get("size", options.size)
    totals, drawn = write_mutants(PROJECT, COPY, seed=seed, size=size)
    alive = {_change(each) for each in last["mutants"] if each["status"] not in FOUND} - explanations().keys()
    known = {_change(each): each for each in last["mutants"] if _change(each) not in alive}
    mutants = [asdict(each) | {"reached_as": each.reached_as} for each in drawn]
    left = [each for each in mutants if _change(each) not in known]
    plan = {"mutants": left, "jobs": options.jobs, "budget": options.budget, "survey": _still_true(last["survey"])}
    (COPY / "plan.json").write_text(json.dumps(plan), "utf-8")
    command = [sys.executable, "-m", "tests.mutants.run", "plan.json", "results.json"]
    subprocess.run(command, cwd=COPY, env=os.environ | {"PYTHONPATH": str(COPY)}, check=True)
    results, survey = (json.loads((COPY / name).read_text("utf-8")) for name in ("results.json", "survey.json"))
    for each in mutants:
        outcome = results["outcomes"].get(each["name"]) or known[_change(each)]
        each.update(status=outcome["status"], by=outcome["by"])
    document = {
        "version": version("mutmut"),
        "seed": seed,
        "size": size,
        "budget": options.budget,
        "seconds": last["seconds"] + results["seconds"],
        "totals": totals,
        "mutants": mutants,
        "survey": survey,
        "left_out": Survey(survey).left_out,
    }
    LAST_RUN.write_text(json.dumps(document, indent=1), "utf-8")


def figures(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the figures of each folder."""
    explained = explanations()
    rows = {}
    for folder in FOLDERS:
        mutants = [each for each in document["mutants"] if each["folder"] == folder]
        count = Counter(each["status"] for each in mutants)
        alive = [each for each in mutants if each["status"] not in FOUND]
        rows[folder] = {
            "mutants": document["totals"][folder],
            "sampled": len(mutants),
            "killed": count["killed"],
            "timeout": count["timeout"],
            "survived": len(alive),
            "explained": sum(_change(each) in explained for each in alive),
            "score": f"{100 * (len(mutants) - len(alive)) / len(mutants):.1f} %",
        }
    return rows


def explanations() -> dict[tuple[str, ...], str]:
    """Return why a mutant survives, by its change."""
    entries = tomllib.loads(EXPLAINED.read_text("utf-8"))["survivor"]
    return {(each["path"], each["function"], each["from"], each["to"]): each["why"] for each in entries}


def page(document: dict[str, Any]) -> str:
    """Return the whole page."""
    parts = [_HEAD.format(**document)]
    for folder, row in figures(document).items():
        parts.append(f"| `{folder}/` | {' | '.join(str(each) for each in row.values())} |\n")
    left_out = len(document["left_out"])
    tests, minutes = len(document["survey"]) - left_out, round(document["seconds"] / 60)
    parts.append(_METHOD.format(tests=tests, left_out=left_out, minutes=minutes, budget=document["budget"]))
    explained = explanations()
    for each in document["mutants"]:
        if each["status"] not in FOUND:
            change = _change(each)
            why = explained.get(change, "Not explained yet.")
            parts.append(f"| `{each['path']}`: `{each['function']}` | {_shown(change)} | {why} |\n")
    return "".join(parts)


def _change(mutant: dict[str, Any]) -> tuple[str, ...]:
    """Return what a mutant is known by from run to run: its name has a number that depends on the sample."""
    return mutant["path"], mutant["function"], *(" ".join(mutant[each]) for each in ("removed", "added"))


def _shown(change: tuple[str, ...]) -> str:
    before, after = (f"`` {text} ``".replace("|", "\\|") if text else "nothing" for text in change[2:])
    return f"{before} → {after}"


def _still_true(survey: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of the tests in files that are older than the last run."""
    changed = LAST_RUN.stat().st_mtime if survey else 0
    files = {name: name.partition("::")[0] for name in survey}
    old = {file for file in set(files.values()) if (PROJECT / file).is_file()}
    old = {file for file in old if (PROJECT / file).stat().st_mtime < changed}
    return {name: test for name, test in survey.items() if files[name] in old}


if __name__ == "__main__":
    main()
