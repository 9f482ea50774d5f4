"""What contributors and reporters are told to run is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from procountor_auth.cli.app import COMMANDS

pytestmark = pytest.mark.once

ROOT: Final = Path(__file__).parents[2]
CONTRIBUTING: Final = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
MAKEFILE: Final = (ROOT / "Makefile").read_text("utf-8")

TARGETS: Final = frozenset(re.findall(r"^([a-z0-9-]+):.*## ", MAKEFILE, re.MULTILINE))
"""The targets that `make` lists."""


def test_every_target_is_listed() -> None:
    """`make` alone lists every target that is there to be called, and does nothing else."""
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)  # noqa: S607
    assert set(re.findall(r"^make ([a-z0-9-]+)", done.stdout, re.MULTILINE)) == TARGETS
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS


def test_what_a_contributor_runs_is_there() -> None:
    """Each target of make in CONTRIBUTING.md is one, those in lists as well, and each path is a file or a folder."""
    spans = re.findall(r"`([^`\n]+)`", CONTRIBUTING) + re.findall(r"^make [^#\n]+", CONTRIBUTING, re.MULTILINE)
    words = {word for span in spans if span.startswith("make ") for word in span.split()[1:]}
    named = {word for word in words if re.fullmatch(r"[a-z][a-z0-9-]+", word)}
    assert {"check", "test-fast", "installations"} <= named
    assert named <= TARGETS
    paths = {
        path
        for path in re.findall(r"(?<![\w/.<-])((?:tests|docs|procountor_auth|\.ci|\.github)/[\w./-]*\w)", CONTRIBUTING)
        if not (ROOT / path).exists()
    }
    assert paths == set()


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_what_the_page_says_to_run_is_a_command(page: str) -> None:
    """Each command of procountor-auth that the page names is one."""
    text = (ROOT / page).read_text("utf-8")
    assert set(re.findall(r"`procountor-auth ([a-z]+)", text)) <= set(COMMANDS)
