"""The page about faults can't go stale."""

from __future__ import annotations

import pytest

from .bridge import API, PROGRAMS
from .page import PAGE, page, summary
from .references import REFERENCES
from .sql_stores import GONE, POSTGRESQL, SQL, SQLITE
from .stores import FILE
from .tables import AUTHORIZATION_ENDPOINT, TOKEN_ENDPOINT

pytestmark = pytest.mark.once


def test_the_page_is_what_the_tables_say() -> None:
    """docs/faults.md is what `make faults` writes."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_names_are_unique() -> None:
    """No case hides another one."""
    databases = (*SQL, *SQLITE), (*SQL, *POSTGRESQL, *GONE)
    for table in (TOKEN_ENDPOINT, AUTHORIZATION_ENDPOINT, FILE, API, PROGRAMS, *databases, REFERENCES):
        names = [fault.id for fault in table]
        assert len(set(names)) == len(names)


def test_there_are_hundreds() -> None:
    """The matrix has at least 600 cases, and in each table most are refused."""
    rows = summary()
    assert sum(cases for _, cases, _, _ in rows) >= 600
    assert all(cases == accepted + refused for _, cases, accepted, refused in rows)
