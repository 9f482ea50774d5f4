"""Standard streams that can't be written: a message is dropped, and a result that is lost is told, with status 1."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth.cli import app, main
from procountor_auth.cli.exit_status import exit_on_error

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from procountor_auth.sandbox import Sandbox

_FULL: Final = "procountor-auth: the output can't be written: No space left on device\n"


class Failing(io.RawIOBase):
    """A file that fails, or takes a few bytes at a time.

    Args:
        failures: The number of each error, by the number of the write; 0 is none.
        room: How many bytes a write takes.
    """

    def __init__(self, *failures: int, room: int = 1_000_000) -> None:
        super().__init__()
        self.written = b""
        self._failures = list(failures)
        self._room = room

    def write(self, data: ReadableBuffer, /) -> int | None:
        """Write what there is room for."""
        failure = self._failures.pop(0) if self._failures else 0
        if failure == errno.EAGAIN:
            return None
        if failure:
            raise OSError(failure, os.strerror(failure))
        part = bytes(data)[: self._room]
        self.written += part
        return len(part)

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True


def ends(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command in this process, and then do what an interpreter does at its end; return the status."""
    monkeypatch.setattr(sys, "argv", ["procountor-auth", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    return int(ended.value.code or 0)


def puts(monkeypatch: pytest.MonkeyPatch, name: str, raw: io.RawIOBase, *, is_buffered: bool = True) -> None:
    """Make a file a standard stream of this process."""
    if is_buffered:
        stream: io.TextIOWrapper[Any] = io.TextIOWrapper(io.BufferedWriter(raw), "utf-8")
    else:
        stream = io.TextIOWrapper(raw, "utf-8", write_through=True)
    stream.reconfigure(line_buffering=name == "stderr")
    monkeypatch.setattr(sys, name, stream)


@pytest.mark.parametrize("is_buffered", [True, False])
@pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EFBIG, errno.EBADF, errno.EIO, errno.EDQUOT, errno.EAGAIN])
@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["init"], ["status", "--json"]])
def test_a_result_that_is_lost_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    failure: int,
    is_buffered: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Whatever the error of the output, one sentence says so, and the status is 1."""
    raw = Failing(failure)
    puts(monkeypatch, "stdout", raw, is_buffered=is_buffered)
    assert ends(monkeypatch, *arguments) == 1
    assert capsys.readouterr().err == f"procountor-auth: the output can't be written: {os.strerror(failure)}\n"
    assert raw.written == b""


def test_nothing_follows_what_is_lost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """After a failure, the rest of a result is not written: a result has no holes."""
    raw = Failing(0, errno.EIO, room=10)
    puts(monkeypatch, "stdout", raw)
    assert ends(monkeypatch, "--help") == 1
    assert len(raw.written) == 10
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("is_buffered", [True, False])
def test_a_result_is_written_in_parts(
    monkeypatch: pytest.MonkeyPatch,
    is_buffered: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """A file that takes a few bytes at a time gets all of them, with and without a buffer."""
    raw, whole = Failing(room=7), Failing()
    for file in (raw, whole):
        puts(monkeypatch, "stdout", file, is_buffered=is_buffered)
        assert ends(monkeypatch, "--help") == 0
    assert raw.written == whole.written
    assert raw.written.endswith(b"Ctrl-C.\n")


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--version"], 0), (["nonsense"], 2), (["token"], 2), (["migrate", "status"], 1)]
)
def test_a_message_that_is_lost_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int
) -> None:
    """If only messages can't be written, the result and the status are those of any other run."""
    results = []
    for failures in ([], [errno.ENOSPC] * 1000):
        out = Failing()
        puts(monkeypatch, "stdout", out)
        puts(monkeypatch, "stderr", Failing(*failures))
        assert ends(monkeypatch, *arguments) == status
        results.append(out.written)
    assert results[0] == results[1]


def test_a_later_message_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure to write one message does not silence those that follow: a full disk need not remain full."""
    raw = Failing(errno.ENOSPC)
    puts(monkeypatch, "stderr", raw)
    assert ends(monkeypatch, "--version") == 0
    sys.stderr.write("lost\n")
    sys.stderr.write("kept\n")
    assert raw.written == b"kept\n"


@pytest.mark.parametrize("arguments", [["token", "--nope", "--json"], ["token", "--json"]])
def test_an_error_that_is_lost_keeps_its_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """If the JSON document of an error can't be written, the status is still the error's, and a sentence says so."""
    puts(monkeypatch, "stdout", Failing(errno.ENOSPC))
    assert ends(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err == _FULL


def test_a_reader_that_has_seen_enough_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe that is closed is no sentence, whichever write meets it: the status is 1."""
    for arguments in (["--version"], ["init"], ["--help"]):
        puts(monkeypatch, "stdout", Failing(errno.EPIPE))
        assert ends(monkeypatch, *arguments) == 1
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EPIPE, errno.EBADF])
def test_an_error_from_elsewhere_is_not_the_output_s(failure: int) -> None:
    """An error of a file or a socket is not taken for one of the output, whatever its number."""
    with pytest.raises(OSError, match=os.strerror(failure)), exit_on_error():
        raise OSError(failure, os.strerror(failure))


def test_an_extra_that_is_missing_is_told_with_no_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without standard error, a package that is missing has its status too."""
    monkeypatch.setattr(sys, "stderr", None)

    def build(*_: object, **__: object) -> None:
        raise ModuleNotFoundError(name="typer")

    monkeypatch.setattr(app, "build_app", build)
    monkeypatch.setattr("procountor_auth.cli.run.build_app", build)
    monkeypatch.setattr(sys, "argv", ["procountor-auth"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "full", "status"),
    [
        ("--version", "stdout", 1),
        ("logout", "stdout", 1),
        ("token", "stderr", 0),
        ("token --nope", "stderr", 2),
        ("token --nope --json", "stdout", 2),
        ("migrate plan", "stdout", 1),
        ("status", "stdout stderr", 1),
    ],
)
def test_a_full_disk_has_a_documented_status(sandbox: Sandbox, command: str, full: str, status: int) -> None:
    """An interpreter whose streams are full ends with one of our statuses, and no word of its own."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PROCOUNTOR_", "PYTHONUNB"))}
    variables |= sandbox.environment("client_credentials") | sandbox.environment("legacy_password")
    with ExitStack() as stack:
        device = stack.enter_context(open("/dev/full", "w"))  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-m", "procountor_auth", *command.split()],
            stdout=device if "stdout" in full else subprocess.PIPE,
            stderr=device if "stderr" in full else subprocess.PIPE,
            text=True,
            timeout=60,
            env=variables,
            check=False,
        )
    assert done.returncode == status
    if "stderr" not in full:
        assert done.stderr.endswith(_FULL)
    if command == "token":
        assert done.stdout.startswith("eyJ")
