"""What rehearsals have found out, in a file."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from procountor_auth.errors import StoreError
from procountor_auth.migration.readiness import Readiness, Reason
from procountor_auth.migration.results import RehearsalResults

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def record(tmp_path: Path) -> RehearsalResults:
    """A record that is not there yet."""
    return RehearsalResults(tmp_path / "new" / "folder" / "results.jsonl")


def verdict(profile: str | None = "acme", *reasons: str) -> Readiness:
    """Return a verdict with reasons."""
    return Readiness(
        profile=profile,
        strategy="legacy_password",
        target="client_credentials",
        reasons=tuple(Reason(code="code", message=reason, hint="hint") for reason in reasons),
        notes=("a note, with ä",),
        found={"today": None, "next": {"company_id": 1}},
    )


def test_what_is_added_is_found_again(record: RehearsalResults) -> None:
    """A result is the same when another process reads it."""
    record.add("f1", 1000.0, verdict())
    record.add("f2", 1001.0, verdict(None, "a reason"))
    for reader in (record, RehearsalResults(record.path)):
        assert reader.find("f1") == (1000.0, verdict())
        assert reader.find("f2") == (1001.0, verdict(None, "a reason"))
        assert reader.find("f3") is None


def test_the_last_result_counts(record: RehearsalResults) -> None:
    """A later result for the same configuration replaces the earlier one, here and for others."""
    assert record.find("f1") is None
    record.add("f1", 1000.0, verdict("acme", "a reason"))
    record.add("f1", 1001.0, verdict())
    assert record.find("f1") == RehearsalResults(record.path).find("f1") == (1001.0, verdict())


def test_only_this_user_can_read_it(record: RehearsalResults) -> None:
    """The file and its folders are this user's alone, though no secret is in them: companies and users are."""
    record.add("f1", 1000.0, verdict())
    assert stat.S_IMODE(record.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "torn",
    [b"", b"\n", b"{", b"[]\n", b"null\n", b'{"fingerprint":"f1","at":1}\n', b"\xff\xfe\n", b'{"fingerprint":' * 5000],
)
def test_what_is_torn_is_skipped(record: RehearsalResults, torn: bytes) -> None:
    """A line that was cut off, or is somebody else's, costs neither the lines around it nor the next one."""
    record.add("f1", 1000.0, verdict())
    with record.path.open("ab") as file:
        file.write(torn)
    late = RehearsalResults(record.path)
    late.add("f2", 1001.0, verdict("beta"))
    again = RehearsalResults(record.path)
    assert again.find("f1") == (1000.0, verdict())
    assert again.find("f2") == (1001.0, verdict("beta"))


def test_a_folder_in_its_place_is_a_clear_error(record: RehearsalResults) -> None:
    """What can't be a file is named, with what to do."""
    record.path.mkdir(parents=True, mode=0o700)
    record.path.parent.chmod(0o700)
    with pytest.raises(StoreError, match=r"results\.jsonl, can't be used") as caught:
        record.add("f1", 1000.0, verdict())
    assert "--record" in caught.value.hint
    with pytest.raises(StoreError, match="can't be used"):
        RehearsalResults(record.path).find("f1")


def test_a_symlink_is_not_written_through(record: RehearsalResults, tmp_path: Path) -> None:
    """Nobody can make a rehearsal write into another file."""
    target = tmp_path / "precious"
    target.write_text("keep me")
    record.path.parent.mkdir(parents=True, mode=0o700)
    record.path.symlink_to(target)
    with pytest.raises(StoreError):
        record.add("f1", 1000.0, verdict())
    assert target.read_text() == "keep me"
