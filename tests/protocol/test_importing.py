"""An import that the process has no file descriptor left for."""

from __future__ import annotations

import errno
import os

import pytest

from procountor_auth.errors import ConnectionFailed
from procountor_auth.protocol.importing import importing


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_told_as_what_passes(number: int) -> None:
    """A module that can't be read for want of a file descriptor is an error of ours that may pass, with a hint."""
    with pytest.raises(ConnectionFailed, match="can't open another file") as caught, importing():
        raise OSError(number, os.strerror(number))
    assert (caught.value.retryable, caught.value.sent) == (True, False)
    assert "ulimit -n" in caught.value.hint


def test_another_error_stays_what_it_is() -> None:
    """An error that says nothing of limits is not taken for one."""
    with pytest.raises(PermissionError), importing():
        raise PermissionError(errno.EACCES, "no")
