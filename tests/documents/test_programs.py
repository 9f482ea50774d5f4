"""Pages whose only blocks to execute are programs: each runs as it stands, with an API key at a sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from .document import EXECUTED, blocks_of

if TYPE_CHECKING:
    from .session import Session

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGES: Final = [DOCS / name for name in ("errors.md", "io-free.md", "stores.md", "tokens.md")]

ENVIRONMENT: Final = """\
PROCOUNTOR_STRATEGY=client_credentials
PROCOUNTOR_BASE_URL=https://api.procountor.com
PROCOUNTOR_CLIENT_ID=<client ID>
PROCOUNTOR_CLIENT_SECRET=<client secret>
PROCOUNTOR_REDIRECT_URI=<redirect URI>
PROCOUNTOR_API_KEY=<API key>
"""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_programs_of_a_page_run(session: Session, page: Path) -> None:
    """Every block of the page that is executed is a program, and ends without an error."""
    (session.folder / ".env").write_text(session.placeholders.filled(ENVIRONMENT), "utf-8")
    session.run(page)
    expected = [block for block in blocks_of(page) if block.language in EXECUTED]
    assert {block.language for block in expected} == {"python"}
    assert session.executed == [(page.name, block.line) for block in expected]
