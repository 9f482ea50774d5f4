"""docs/cli.md and the man page say of each command what the command says of itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from typing import Final

import pytest

from .scripts import DOCS, page_script

SCRIPT: Final = page_script("cli_page")


def test_the_pages_are_current() -> None:
    """docs/cli.md and docs/procountor-auth.1 are what `make cli-page` writes from the commands of today."""
    assert SCRIPT.PAGE.read_text(encoding="utf-8") == SCRIPT.page()
    assert SCRIPT.MAN_PAGE.read_text(encoding="utf-8") == SCRIPT.man_page()


def test_every_command_says_what_it_is_for() -> None:
    """Each command has a description, a description of each option, and an example, if it does something itself."""
    for command in SCRIPT.commands():
        assert command.paragraphs[0].endswith("."), command.name
        assert all(each.help.endswith(".") for each in command.parameters), command.name
        if command.name and not (command.has_subcommands and not command.parameters):
            assert command.example.startswith(f"procountor-auth {command.name}"), command.name


def test_nothing_in_the_man_page_is_an_unknown_instruction() -> None:
    """Each line of the man page that begins with a dot is a macro of man(7), and no line begins with a quote."""
    known = {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".RS", ".RE", ".nf", ".fi", '.\\"'}
    for line in SCRIPT.man_page().splitlines():
        assert not line.startswith("'"), line
        assert not line.startswith(".") or line.split()[0] in known, line


@pytest.mark.process
def test_man_shows_the_page() -> None:
    """Groff, where it is installed, has nothing to say about the man page, and shows every option."""
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not installed")
    shown = subprocess.run(
        [groff, "-man", "-Tascii", "-ww", "-P-c", SCRIPT.MAN_PAGE], check=True, capture_output=True, text=True
    )
    assert shown.stderr == ""
    text = re.sub(r".\x08", "", shown.stdout)
    assert all(each.names.split()[0].strip(",") in text for command in SCRIPT.commands() for each in command.parameters)


def test_the_wheel_has_the_man_page() -> None:
    """The wheel installs the man page where man looks for it: share/man/man1."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"docs/procountor-auth.1": "share/man/man1/procountor-auth.1"}
