"""What rehearsals have found out, in a file."""

from __future__ import annotations

import json
import os
import stat
import sys
from errno import EISDIR
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, StoreError
from procountor_auth.migration.readiness import Readiness, Reason
from procountor_auth.migration.results import RehearsalResult, RehearsalResults, fingerprint
from procountor_auth.stores.private_folder import default_folder

if TYPE_CHECKING:
    from collections.abc import Callable


REACHED = {
    "company_id": 1,
    "company": "Acme Oy",
    "user_id": 2,
    "user": None,
    "expires_at": 4600.0,
    "refresh_expires_at": None,
    "announced": [],
}


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
        found={"today": None, "next": REACHED},
    )


def test_what_is_added_is_found_again(record: RehearsalResults) -> None:
    """A result is the same when another process reads it."""
    record.add("f1", 1000.0, verdict())
    record.add("f2", 1001.0, verdict(None, "a reason"))
    for reader in (record, RehearsalResults(record.path)):
        assert reader.find("f1") == (1000.0, verdict())
        assert reader.find("f2") == (1001.0, verdict(None, "a reason"))
        assert reader.find("f3") is None


def test_a_line_holds_all_of_a_result(record: RehearsalResults) -> None:
    """Other programs read it too: one line of compact JSON in ASCII, always with the same fields in the same order."""
    record.add("f1", 1000.5, verdict("acme", "a reason"))
    record.add("f2", 1001.0, verdict(None))
    assert record.path.read_bytes() == (
        b'{"at":1000.5,"fingerprint":"f1","profile":"acme","strategy":"legacy_password","target":"client_credentials",'
        b'"ready":false,"problems":[{"code":"code","message":"a reason","hint":"hint","variable":null}],'
        b'"notes":["a note, with \\u00e4"],"found":{"today":null,"next":{"company_id":1,"company":"Acme Oy",'
        b'"user_id":2,"user":null,"expires_at":4600.0,"refresh_expires_at":null,"announced":[]}}}\n'
        b'{"at":1001.0,"fingerprint":"f2","profile":null,"strategy":"legacy_password","target":"client_credentials",'
        b'"ready":true,"problems":[],"notes":["a note, with \\u00e4"],"found":{"today":null,"next":{"company_id":1,'
        b'"company":"Acme Oy","user_id":2,"user":null,"expires_at":4600.0,"refresh_expires_at":null,"announced":[]}}}\n'
    )


def test_the_last_result_counts(record: RehearsalResults) -> None:
    """A later result for the same configuration replaces the earlier one, here and for others."""
    assert record.find("f1") is None
    record.add("f1", 1000.0, verdict("acme", "a reason"))
    record.add("f1", 1001.0, verdict())
    assert record.find("f1") == RehearsalResults(record.path).find("f1") == (1001.0, verdict())


def test_only_this_user_can_read_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file and its folders are this user's alone, though no secret is in them: companies and users are."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    record = RehearsalResults.default()
    record.add("f1", 1000.0, verdict())
    assert stat.S_IMODE(record.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.path.parent.stat().st_mode) == 0o700


def test_the_default_is_not_in_a_folder_of_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that others may write to is refused before anything is sent, with a hint about the record."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    record = RehearsalResults.default()
    record.path.parent.mkdir(parents=True)
    record.path.parent.chmod(0o775)
    with pytest.raises(StoreError) as caught:
        record.prepare()
    assert caught.value.message == (
        f"The record of rehearsals can't be used: {record.path.parent} can be written by others (mode 0775)."
    )
    assert caught.value.hint == "Correct the access rights or the disk, or name another file with --record."
    assert not record.path.exists()


@pytest.mark.parametrize(("mask", "mode"), [(0o002, 0o664), (0o007, 0o660), (0o077, 0o600)])
def test_a_named_file_can_be_shared(tmp_path: Path, mask: int, mode: int) -> None:
    """A file that somebody names may be in a folder of many, and is created with the umask, as other files are."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o2775)
    before = os.umask(mask)
    try:
        RehearsalResults(folder / "results.jsonl").add("f1", 1000.0, verdict())
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "results.jsonl").stat().st_mode) == mode
    (folder / "results.jsonl").chmod(0o666)
    RehearsalResults(folder / "results.jsonl").add("f2", 1000.0, verdict())
    assert stat.S_IMODE((folder / "results.jsonl").stat().st_mode) == 0o666
    assert [each.name for each in folder.iterdir()] == ["results.jsonl"]


def test_preparing_writes_nothing(record: RehearsalResults) -> None:
    """A file that can be written is left as it is, and one that is not there is empty."""
    record.prepare()
    assert record.path.read_bytes() == b""
    record.add("f1", 1000.0, verdict())
    written = record.path.read_bytes()
    record.prepare()
    assert record.path.read_bytes() == written


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


def test_a_fresh_start_outdates_what_was_before(record: RehearsalResults) -> None:
    """For the profiles that it names, here and for others; the results themselves are still found."""
    record.add("f1", 1000.0, verdict())
    record.start_afresh(1001.0, ["acme", None])
    assert record.path.read_bytes().splitlines()[1] == b'{"at":1001.0,"fresh":["acme",null]}'
    for reader in (record, RehearsalResults(record.path)):
        found = reader.find("f1")
        assert found == (1000.0, verdict())
        assert [reader.is_outdated(name, found) for name in ("acme", None, "beta")] == [True, True, False]
        assert not reader.is_outdated("acme", found._replace(at=1001.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": "1000"},
        {"at": float("nan")},
        {"at": float("inf")},
        {"at": True},
        {"fingerprint": 1},
        {"profile": 5},
        {"strategy": []},
        {"target": {}},
        {"ready": False},
        {"ready": "true"},
        {"problems": {}},
        {"problems": [{"code": 1, "message": "m", "hint": "", "variable": None}], "ready": False},
        {"problems": [{"code": "c", "message": "m", "hint": "", "variable": None}]},
        {"notes": [3]},
        {"notes": "note"},
        {"found": []},
        {"found": {"today": 1}},
        {"found": {"next": {"company_id": 1}}},
        {"found": {"next": REACHED | {"company_id": "1"}}},
        {"found": {"next": REACHED | {"announced": [1]}}},
        {"found": {"next": REACHED | {"expires_at": float("inf")}}},
    ],
)
def test_a_line_with_wrong_types_is_skipped(record: RehearsalResults, wrong: dict[str, Any]) -> None:
    """A line of JSON whose fields are not a result's is nobody's result, and least of all a GO."""
    record.add("f1", 1000.0, verdict())
    line = json.loads(record.path.read_bytes())
    record.path.write_text(json.dumps(line | wrong) + "\n")
    late = RehearsalResults(record.path)
    assert (late.find("f1"), late.find("1")) == (None, None)


def test_what_a_later_version_has_added_is_left_out(record: RehearsalResults) -> None:
    """Fields that are not known here change nothing, wherever they are."""
    record.add("f1", 1000.0, verdict())
    line = json.loads(record.path.read_bytes())
    found = {"today": None, "next": REACHED | {"new": 1}, "profile": 9}
    record.path.write_text(json.dumps(line | {"found": found, "new": 2}) + "\n")
    assert RehearsalResults(record.path).find("f1") == (1000.0, verdict())


@pytest.mark.parametrize(("ahead", "counts"), [(60.0, True), (86_400.0, False), (1e300, False)])
def test_a_go_from_the_future_does_not_count_for_ever(ahead: float, *, counts: bool) -> None:
    """Another machine's clock may be ahead, but not by a day."""
    assert RehearsalResult(1000.0 + ahead, verdict()).counts(1000.0) == counts


def test_a_folder_in_its_place_is_a_clear_error(record: RehearsalResults) -> None:
    """What can't be a file is named, with what to do."""
    record.path.mkdir(parents=True, mode=0o700)
    record.path.parent.chmod(0o700)
    late = RehearsalResults(record.path)
    uses: list[Callable[[], object]] = [lambda: record.add("f1", 1000.0, verdict()), lambda: late.find("f1")]
    for use in uses:
        with pytest.raises(StoreError) as caught:
            use()
        assert caught.value.message == f"The record of rehearsals, {record.path}, can't be used: {os.strerror(EISDIR)}."
        assert caught.value.hint == "Correct the access rights or the disk, or name another file with --record."
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_never_ends_is_a_clear_error(kind: str, tmp_path: Path) -> None:
    """Neither a pipe nor a device is waited for, or read without end: the error says that it is no regular file."""
    path = tmp_path / "pipe"
    if kind == "pipe":
        os.mkfifo(path, 0o600)
    else:
        path = Path("/dev/full")
    with pytest.raises(StoreError) as caught:
        RehearsalResults(path).find("f1")
    assert caught.value.message == f"The record of rehearsals, {path}, can't be used: it is not a regular file."
    assert caught.value.hint == "Correct the access rights or the disk, or name another file with --record."


def test_a_result_is_not_written_to_a_pipe(tmp_path: Path) -> None:
    """A result that a pipe would swallow is not taken for a recorded one."""
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o600)
    with pytest.raises(StoreError, match="it is not a regular file"):
        RehearsalResults(path).add("f1", 1000.0, verdict())


@pytest.mark.parametrize("use", ["find", "prepare", "add"])
@pytest.mark.parametrize("there", [True, False])
def test_a_symlink_is_neither_read_nor_written_through(
    record: RehearsalResults, tmp_path: Path, use: str, *, there: bool
) -> None:
    """Nobody can make a rehearsal write into another file, and all commands say alike that it is a symbolic link."""
    target = tmp_path / "precious"
    if there:
        target.write_text("keep me")
    record.path.parent.mkdir(parents=True, mode=0o700)
    record.path.symlink_to(target)
    uses: dict[str, Callable[[], object]] = {
        "find": lambda: record.find("f1"),
        "prepare": record.prepare,
        "add": lambda: record.add("f1", 1000.0, verdict()),
    }
    with pytest.raises(StoreError) as caught:
        uses[use]()
    assert caught.value.message == f"The record of rehearsals, {record.path}, can't be used: it is a symbolic link."
    assert target.exists() == there
    assert not there or target.read_text() == "keep me"


def test_a_record_that_is_too_large_is_not_read(record: RehearsalResults, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that no rehearsal can have written would fill the memory: it counts as empty."""
    record.add("f1", 1000.0, verdict())
    size = record.path.stat().st_size
    for limit, known in ((size, True), (size - 1, False)):
        monkeypatch.setattr("procountor_auth.migration.results._MAX_SIZE", limit)
        assert (RehearsalResults(record.path).find("f1") is not None) == known


def test_the_default_is_among_this_user_s_state() -> None:
    """Without another name, the record is where the system keeps what programs remember."""
    assert RehearsalResults.default().path == default_folder("rehearsals") / "results.jsonl"


@pytest.mark.parametrize("package", ["filelock", "platformdirs"])
def test_the_default_needs_packages(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder's packages are not installed, the error says what for, which, and how to install them."""
    monkeypatch.delitem(sys.modules, "procountor_auth.stores.private_folder", raising=False)
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError) as caught:
        RehearsalResults.default()
    assert caught.value.message == "The record of rehearsals needs filelock and platformdirs."
    assert caught.value.hint == "Run: pip install 'procountor-auth[file]'"
    assert caught.value.__context__ is None


def provider(key: str, secret: str | None = "s", redirect_uri: str | None = "urn:a", company: int | None = None) -> Any:  # noqa: ANN401 - a double
    """Return what a fingerprint looks at."""
    settings = SimpleNamespace(client_secret=SecretStr(secret) if secret else None, redirect_uri=redirect_uri)
    return SimpleNamespace(key=key, settings=settings, company=SimpleNamespace(number=company))


def test_a_fingerprint_is_of_all_that_matters() -> None:
    """Whatever a rehearsal's result depends on changes it; the order of the resources does not, nor can it be read."""
    old, new = provider("old"), provider("new")
    plain = fingerprint(old, new)
    others = [
        fingerprint(new, new),
        fingerprint(old, old),
        fingerprint(old, provider("new", secret="t")),
        fingerprint(old, provider("new", secret=None)),
        fingerprint(old, provider("new", redirect_uri="urn:b")),
        fingerprint(old, provider("new", redirect_uri=None)),
        fingerprint(old, provider("new", company=1)),
        fingerprint(old, provider("new", company=2)),
        fingerprint(old, new, ["users"]),
        fingerprint(old, new, ["users", "invoices"]),
        fingerprint(old, new, target_only=True),
    ]
    assert len({plain, *others}) == 1 + len(others)
    assert fingerprint(old, new, ["invoices", "users"]) == fingerprint(old, new, ("users", "invoices"))
    assert plain == fingerprint(provider("old", secret="another", redirect_uri=None), new, target_only=False)
    # A record outlives the version that has written it.
    assert plain == "ccca29ff2c300a71fdee5e62387bd29a7b73aca3"
    assert fingerprint(old, provider("new", secret=None)) == "9c3c9c75769b8c252ebc3230e55be7694f11857c"
