"""`file:/path`: a secret that stands in a file."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

import pytest
from pydantic import SecretStr

from procountor_auth.settings.secret_file import MAX_SIZE, read_secret_file
from procountor_auth.settings.unfollowed import Unfollowed

if TYPE_CHECKING:
    from pathlib import Path


def read(path: object) -> str | Unfollowed:
    """Return the secret of a file, or why there is none."""
    found = read_secret_file(SecretStr(str(path)))
    return found.get_secret_value() if isinstance(found, SecretStr) else found


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"\xef\xbb\xbfs3cret", "s3cret"),
        (b" s3 cret ", " s3 cret "),
    ],
)
def test_the_content_less_line_ends_is_the_secret(tmp_path: Path, content: bytes, secret: str) -> None:
    """Spaces stay; a byte order mark, and line ends at the end, go."""
    (tmp_path / "secret").write_bytes(content)
    assert read(tmp_path / "secret") == secret


def test_the_home_directory_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is this user's home directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret").write_text("s3cret")
    assert read("~/secret") == "s3cret"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_a_pipe_brings_a_secret_as_well(tmp_path: Path) -> None:
    """A secrets manager may put a pipe where a file is expected."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("s3cret\n",))
    writer.start()
    assert read(tmp_path / "pipe") == "s3cret"
    writer.join()


_HINT: Final = "Write file:/path with the path of a file that this user can read and that contains only the secret."
_UTF_8: Final = "Save it as UTF-8."


@pytest.mark.parametrize(
    ("content", "said", "hint"),
    [
        (b"", "is empty", _HINT),
        (b"\r\n", "is empty", _HINT),
        ("n0t4u".encode("utf-16"), "is UTF-16 or not text", _UTF_8),
        ("n0t4u-ä".encode("cp1252"), "is not UTF-8 (it may be Windows-1252, also called ANSI)", _UTF_8),
        (b"n0t4u" * MAX_SIZE, "can't be read (it is larger than 64 KiB)", _HINT),
    ],
)
def test_what_is_no_secret_says_why(tmp_path: Path, content: bytes, said: str, hint: str) -> None:
    """A file that can't be one secret is told what it is, without what it has, and with what to do."""
    (tmp_path / "secret").write_bytes(content)
    assert read(tmp_path / "secret") == Unfollowed(f"names a file that {said}", hint)


def test_a_secret_may_have_the_largest_size(tmp_path: Path) -> None:
    """The limit itself is within the limit."""
    (tmp_path / "secret").write_bytes(b"x" * MAX_SIZE)
    assert read(tmp_path / "secret") == "x" * MAX_SIZE


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nothing-here", "a file that does not exist"),
        (".", "a file that can't be read (it is a directory)"),
        ("~no-such-user/secret", "the home directory of a user that does not exist"),
        ("a\0b", "a file that can't exist"),
        ("x" * 5_000, "a file that can't be read (File name too long)"),
    ],
)
def test_what_is_no_file_says_why(path: str, said: str) -> None:
    """A path that leads to no file is told what is wrong with it, and is not shown."""
    assert read(path) == Unfollowed(f"names {said}", _HINT)
