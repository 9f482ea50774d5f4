"""Standard output and error of a command, guarded: only a result that can't be written stops it."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from typing import TextIO


class OutputError(Exception):
    """A result can't be written to standard output. It is no `OSError`: those come from files and sockets, too.

    Attributes:
        cause: What the system says.
    """

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class OutputStream(io.RawIOBase):
    """What is below the buffer of a standard stream.

    After a failure, the rest of a result is discarded: it would only fail again. A message that can't be written is
    discarded, and the next one is tried: a disk that is full need not remain so.

    Args:
        stream: The standard stream that is guarded. It is kept open, and has to be flushed.
        raw: Its file.
        is_result: Whether results are written to it, not messages.
    """

    def __init__(self, stream: TextIO, raw: io.RawIOBase, *, is_result: bool) -> None:
        super().__init__()
        self._stream = stream  # its end would close the file
        self._raw = raw
        self._is_result = is_result
        self._has_failed = False

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer, which has no type before Python 3.12
        """Write all of the data.

        Raises:
            OutputError: It is part of a result, and can't be written.
        """
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest and not self._has_failed:
            try:
                rest = rest[self._written(rest) :]
            except OSError as error:
                if not self._is_result:
                    break
                self._has_failed = True
                raise OutputError(error) from None
        return size

    def _written(self, data: memoryview) -> int:
        written = self._raw.write(data)
        if not written:  # a stream that does not wait
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return written

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def seekable(self) -> bool:
        """Whether it has a position."""
        return self._raw.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Change the position."""
        return self._raw.seek(offset, whence)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._raw.isatty()

    def fileno(self) -> int:
        """Return its file descriptor."""
        return self._raw.fileno()

    @property
    def name(self) -> str:
        """The name of the standard stream, as Python has it."""
        return self._stream.name


def guard_output() -> None:
    """Put guarded streams in the place of standard output and error, which accept any text.

    Characters that their encoding lacks are escaped.
    """
    sys.stdout = _guarded(sys.stdout, is_result=True)
    sys.stderr = _guarded(sys.stderr, is_result=False)


def _guarded(stream: TextIO, *, is_result: bool) -> TextIO:
    given: object = stream
    if not isinstance(given, io.TextIOWrapper):  # it is closed, or replaced by a program
        return stream
    text = cast("io.TextIOWrapper", given)
    text.reconfigure(errors="backslashreplace")
    buffer: object = text.buffer
    raw = buffer if isinstance(buffer, io.RawIOBase) else getattr(buffer, "raw", None)
    if not isinstance(raw, io.RawIOBase):
        return stream
    guard = OutputStream(stream, raw, is_result=is_result)
    return io.TextIOWrapper(
        guard if raw is buffer else io.BufferedWriter(guard),  # there is no buffer with `python -u`
        encoding=text.encoding,
        errors=text.errors,
        line_buffering=text.line_buffering,
        write_through=text.write_through,
    )
