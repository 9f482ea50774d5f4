"""The runner of documents: what it does, and that it fails where a document is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .differences import applied
from .document import blocks_of
from .session import DocumentError

if TYPE_CHECKING:
    from pathlib import Path

    from .session import Session


def write(folder: Path, text: str) -> Path:
    """Write a document; `~~~` stands for the fences."""
    document = folder / "page.md"
    document.write_text(text.replace("~~~", "```"), "utf-8")
    return document


def test_a_right_document_passes(session: Session, tmp_path: Path) -> None:
    """Files, differences, commands with their output, and programs, in their order; `…` stands for what varies."""
    session.run(
        write(
            tmp_path,
            """# Page
~~~dotenv
# .env
PROCOUNTOR_STRATEGY=legacy_password
PROCOUNTOR_CLIENT_SECRET=<client secret>
~~~
~~~diff
--- .env
+++ .env
-PROCOUNTOR_STRATEGY=legacy_password
+PROCOUNTOR_STRATEGY=client_credentials
~~~
~~~python
# program.py
print("one"); print("two"); print("three")
~~~
~~~console
$ grep STRATEGY .env; echo \\
  again
PROCOUNTOR_STRATEGY=client_credentials
again
$ python program.py
o…
…
three
$ echo <client secret> >&2; exit 3
<client secret>
[exit 3]
~~~
~~~python
import os

assert sorted(os.listdir()) == [".env", "program.py"]
assert not [name for name in os.environ if name.startswith("PROCOUNTOR_")]
assert os.listdir(os.environ["HOME"]) == []
~~~
~~~sh
this is only shown
~~~
""",
        )
    )
    assert session.executed == [("page.md", line) for line in (3, 8, 14, 18, 31)]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("~~~console\n$ echo right\nwrong\n~~~", ["page.md:4: $ echo right", "-wrong", "+right"]),
        ("~~~console\n$ echo a\na\n$ printf 'a\\nb\\n'\na\n~~~", ["page.md:6: ", "+b"]),
        ("~~~console\n$ echo a\na\nb\n~~~", ["page.md:4: ", "-b"]),
        ("~~~console\n$ echo a\n~~~", ["page.md:4: ", "+a"]),
        ("~~~console\n$ echo 'ab'\na…c\n~~~", ["page.md:4: ", "-a…c", "+ab"]),
        ("~~~console\n$ exit 1\n~~~", ["exit status 1, expected 0"]),
        ("~~~console\n$ true\n[exit 2]\n~~~", ["exit status 0, expected 2"]),
        ("~~~console\necho a\n~~~", ["page.md:4: output without a command"]),
        ("~~~console\n$ echo <API key>\nother\n~~~", ["+<API key>"]),
        ("~~~console\n$ echo <new API key>\n…\n~~~", ["page.md:4: <new API key> has no value yet"]),
        ("~~~diff\n--- .env\n+++ .env\n-A=1\n+A=2\n~~~", ["page.md:4: is not in the file:\nA=1"]),
        ("~~~diff\n-A=1\n+A=2\n~~~", ["page.md:4: the difference begins with no file"]),
        ("~~~dotenv\nA=1\n~~~", ["page.md:4: the block names no file"]),
        ("~~~shell\necho a\n~~~", ["page.md:4: the block names no file"]),
        ("~~~python\nraise SystemExit('broken')\n~~~", ["page.md:4: the program has failed", "broken"]),
    ],
    ids=lambda value: None if isinstance(value, list) else value.replace("\n", " "),
)
def test_a_wrong_document_fails(session: Session, tmp_path: Path, block: str, said: list[str]) -> None:
    """The message has the document, the line, and the difference; no secret of the sandbox is in it."""
    with pytest.raises(DocumentError) as wrong:
        session.run(write(tmp_path, f"# Page\n\n{block}\n"))
    for part in said:
        assert part in str(wrong.value)
    assert session.placeholders.values["<API key>"] not in str(wrong.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("~~~console\n$ true\n", "page.md:1: the block has no end"),
        ("~~~cosnole\n$ true\n~~~\n", "page.md:1: the block's language, 'cosnole', is not known"),
        ("~~~\n$ true\n~~~\n", "page.md:1: the block's language, '', is not known"),
    ],
)
def test_a_block_that_nobody_would_run_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    """A misspelt language or a forgotten fence does not make a block disappear."""
    with pytest.raises(ValueError, match=said):
        blocks_of(write(tmp_path, text))


def test_ctrl_c_stops_the_server_that_was_started_last(session: Session, tmp_path: Path) -> None:
    """Ctrl-C ends it before the next line is executed; a second one has nothing to stop."""
    session.run(
        write(
            tmp_path,
            """~~~console
$ procountor-auth sandbox --port 0
…
Press Ctrl-C to stop.
^C
$ echo on
on
~~~
""",
        )
    )
    with pytest.raises(DocumentError, match="nothing is running"):
        session.run(write(tmp_path, "~~~console\n^C\n~~~\n"))


def test_a_difference_is_applied_in_its_place() -> None:
    """Lines around it say where; parts follow each other; without any line around, it goes to the end."""
    head = ["--- a", "+++ a"]
    assert applied("x\na\ny\na\n", [*head, " y", "-a", "+b", "+c", "@@", "-x"]) == "a\ny\nb\nc\n"
    assert applied("x\n", [*head, "+y"]) == "x\ny\n"
    with pytest.raises(ValueError, match="more than once"):
        applied("a\na\n", [*head, "-a"])
    with pytest.raises(ValueError, match="neither added"):
        applied("a\n", [*head, "a"])


def test_what_a_command_prints_is_learnt(session: Session, tmp_path: Path) -> None:
    """A new secret is whatever stands in its place the first time, and that from then on."""
    session.run(
        write(
            tmp_path,
            """~~~console
$ echo KEY=abc
KEY=<new API key>
$ echo <new API key> twice abc
abc twice <new API key>
~~~
""",
        )
    )
    with pytest.raises(DocumentError):
        session.run(write(tmp_path, "~~~console\n$ echo other\n<new API key>\n~~~\n"))
