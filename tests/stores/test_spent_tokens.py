"""The memory of spent refresh tokens on this host."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from procountor_auth.stores.spent_tokens import SpentTokens


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is not there yet."""
    return tmp_path / "spent"


def test_what_was_spent_is_remembered(folder: Path) -> None:
    """Each has an empty file that is this user's alone, and others see it."""
    before = os.umask(0)
    try:
        SpentTokens(folder).add("digest")
    finally:
        os.umask(before)
    spent = SpentTokens(folder)
    assert (spent.has("digest"), spent.has("other")) == (True, False)
    assert spent.path("digest") == folder / "digest"
    assert [path.name for path in folder.iterdir()] == ["digest"]
    assert (stat.S_IMODE(spent.path("digest").stat().st_mode), spent.path("digest").stat().st_size) == (0o600, 0)
    spent.add("digest")  # once more does no harm
    assert spent.has("digest")


def test_the_default_folder_is_the_users_state(tmp_path: Path) -> None:
    """Without a folder, it is one in this user's state folder."""
    path = SpentTokens().path("digest")
    assert path.parts[-3:] == ("procountor-auth", "spent", "digest")
    assert path.is_relative_to(tmp_path / "home")


def test_a_folder_that_can_not_be_used_costs_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is remembered then, and the log says why, at DEBUG."""
    caplog.set_level(logging.DEBUG, "procountor_auth")
    folder.write_text("mine")
    spent = SpentTokens(folder)
    spent.add("digest")
    assert not spent.has("digest")
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert record.message == f"a spent refresh token is not remembered: {folder} is not a folder."


def test_a_file_that_can_not_be_made_costs_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system says is in the log, at DEBUG; what it does not tell counts as not spent."""
    caplog.set_level(logging.DEBUG, "procountor_auth")

    def fails(*_: object, **__: object) -> bool:
        raise OSError("no inodes\nleft")

    spent = SpentTokens(folder)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "touch", fails)
        spent.add("digest")
        patched.setattr(Path, "exists", fails)
        assert not spent.has("digest")
    (record,) = caplog.records
    assert record.message == "a spent refresh token is not remembered: no inodes left"
