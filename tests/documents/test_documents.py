"""Every block of the documents about a migration does what it says, in order, at a real sandbox."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from .document import EXECUTED, SHOWN, blocks_of

if TYPE_CHECKING:
    from .session import Session

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"

OWN_SANDBOX: Final = [
    DOCS / name
    for name in (
        "tutorial-first-token.md",
        "tutorial-migrate-a-company.md",
        "tutorial-bridge.md",
        "five-hundred-companies.md",
        "sandbox.md",
    )
]
MIGRATION: Final = ROOT / "MIGRATION.md"
AT_THE_SERVICE: Final = [
    ROOT / "README.md",
    *(DOCS / name for name in ("index.md", "profiles.md", "troubleshooting.md")),
]
ALL: Final = [MIGRATION, *AT_THE_SERVICE, *OWN_SANDBOX]

SEND_NOTHING: Final = ("migrate check", "migrate plan", "migrate status", "migrate finish", "procountor-auth status")


def executable(document: Path) -> list[tuple[str, int]]:
    """Find the blocks that have to be executed, without the parser that the runner uses."""
    lines = document.read_text("utf-8").splitlines()
    fences = [f"```{language}" for language in EXECUTED]
    return [(document.name, number + 1) for number, line in enumerate(lines, start=1) if line.strip() in fences]


def has_kept_to_the_rules(session: Session, document: Path) -> None:
    """Make sure that no block was left out, nothing was sent unasked, and no secret stood in a URL."""
    assert session.executed == executable(document)
    assert session.requests
    asked = {command: count for command, count in session.requests if any(word in command for word in SEND_NOTHING)}
    assert not any(asked.values()), asked
    assert not [entry for entry in session.log() if entry["secret_in_url"]]


@pytest.mark.parametrize("document", AT_THE_SERVICE, ids=lambda path: path.stem)
def test_the_document_is_right(session: Session, document: Path) -> None:
    """Commands print what the document says, and end as it says."""
    session.run(document)
    has_kept_to_the_rules(session, document)


@pytest.mark.parametrize("document", OWN_SANDBOX, ids=lambda path: path.stem)
def test_the_document_with_its_own_sandbox_is_right(session_alone: Session, document: Path) -> None:
    """The sandbox that the document starts is a process of its own, and all the rest goes to it."""
    session_alone.run(document)
    has_kept_to_the_rules(session_alone, document)


def test_the_migration_costs_no_login(session: Session) -> None:
    """All of MIGRATION.md is right; in it neither the switch nor the way back asks for a token: the store has both."""
    session.run(MIGRATION)
    has_kept_to_the_rules(session, MIGRATION)
    assert [count for command, count in session.requests if command.startswith("python program.py")] == [1] * 4
    logins = [entry["status"] for entry in session.log() if entry["path"].endswith("oauth/authz")]
    assert logins == [302, 302, 404]  # the rehearsal, the fallback, and the day of the removal


@pytest.mark.parametrize("document", ALL, ids=lambda path: path.stem)
def test_nothing_to_type_is_only_shown(document: Path) -> None:
    """What a reader types stands in a block that is executed; all but the installation, and what needs Docker."""
    for block in blocks_of(document):
        if block.language in SHOWN and not any(line.startswith("docker ") for line in block.lines):
            typed = [line for line in block.lines if re.match(r"\$ |(procountor-auth|python) ", line)]
            assert typed == [], f"{block.document}:{block.line}"
    outside = re.sub(r"^\s*```.*?^\s*```$", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"\n\n(?: {4}|\t)\S", outside), "a block that is only indented is not executed"


@pytest.mark.parametrize("document", ALL, ids=lambda path: path.stem)
def test_links_lead_somewhere(document: Path) -> None:
    """Each link to a file or a heading of ours leads to one that is there."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text("utf-8")):
        path, _, heading = target.partition("#")
        page = (document.parent / path).resolve() if path else document
        assert page.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in slugs, target
