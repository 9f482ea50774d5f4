"""Builds are reproducible, and the source distribution is the source: nothing less, nothing stray."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from .conftest import build

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.once

ROOT: Final = Path(__file__).parents[2]

LEFT_BEHIND: Final = shutil.ignore_patterns(
    ".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "dist", "build", ".coverage*", "htmlcov"
)
"""What tools leave in a working folder, and copying need not take along."""

TOP: Final = {
    ".ci",
    ".dockerignore",
    ".github",
    ".gitignore",
    ".readthedocs.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "MIGRATION.md",
    "Makefile",
    "zensical.toml",
    "PKG-INFO",
    "README.md",
    "SECURITY.md",
    "benchmarks",
    "docker",
    "docs",
    "examples",
    "procountor_auth",
    "pyproject.toml",
    "strategies",
    "tests",
}
"""What is at the top of the source distribution, and all of it is needed: `make check` looks at each of them."""

STRAY: Final = (
    ".hypothesis",
    "*_cache",
    "__pycache__",
    ".venv*",
    "*.py[cod]",
    ".env",
    ".coverage*",
    "*.log",
    "*.tmp",
    "node_modules",
)


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.iterdir())


def test_two_builds_are_the_same(built: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build in another folder, of files with other times and rights, under another umask and clock, is the same."""
    copy = tmp_path / "another place"
    shutil.copytree(ROOT, copy, ignore=LEFT_BEHIND)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (copy / ".hypothesis").mkdir()
    (copy / ".hypothesis" / "stray").touch()
    (copy / "scratch" / "tests").mkdir(parents=True)
    (copy / "scratch" / "tests" / "stray.py").touch()
    (copy / ".env").write_text("PROCOUNTOR_API_KEY=not-for-others\n", "utf-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    again = build(copy, tmp_path / "dist", umask=0o077)
    assert hashes(again) == hashes(built)


def test_a_change_changes_the_hash(built: list[Path], tmp_path: Path) -> None:
    """The comparison above tells builds apart: one more line in one file, and both are other ones."""
    copy = tmp_path / "changed"
    shutil.copytree(ROOT, copy, ignore=LEFT_BEHIND)
    with (copy / "procountor_auth" / "backend.py").open("a", encoding="utf-8") as file:
        file.write("# one more line\n")
    again = hashes(build(copy, tmp_path / "dist"))
    assert [again[name] == found for name, found in hashes(built).items()] == [False, False]


def test_the_source_distribution_builds_the_same_wheel(unpacked: Path, wheel: Path, tmp_path: Path) -> None:
    """The wheel that is built from the source distribution is the one that is built from the tree."""
    assert hashes(build(unpacked, tmp_path / "dist", "-t", "wheel")) == hashes([wheel])


def test_nothing_is_stray(unpacked: Path) -> None:
    """At its top the source distribution has what it should, and nowhere what tools and machines leave behind."""
    assert {path.name for path in unpacked.iterdir()} == TOP
    assert [path for path in unpacked.rglob("*") if any(fnmatch(path.name, stray) for stray in STRAY)] == []
    here = f"{ROOT}{os.sep}".encode()
    assert [path for path in unpacked.rglob("*") if path.is_file() and here in path.read_bytes()] == []


def test_it_is_what_git_has(unpacked: Path) -> None:
    """Whatever git keeps, and what is new and not ignored, is in the source distribution, and nothing else."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git is on the PATH
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no checkout")
    kept = {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}
    packed = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert packed - {"PKG-INFO"} == {name for name in kept if name.partition("/")[0] in TOP}
    assert {name.partition("/")[0] for name in kept} <= TOP


def test_rights_and_owners_are_nobody_s(sdist: Path) -> None:
    """Entries belong to nobody in particular, and are readable by all and writable by their owner alone."""
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert {member.mode & 0o777 for member in members} <= {0o644, 0o755}
    assert len({member.mtime for member in members}) == 1


def hashes(files: Iterable[Path]) -> dict[str, str]:
    """Return the hashes of files by their names."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
