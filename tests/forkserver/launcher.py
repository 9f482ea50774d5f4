"""Stands where an interpreter or the command `procountor-auth` would: asks the fork server to run the program.

It starts without `site` and imports built-in modules only, so that it takes about ten milliseconds. Signals are passed
on, the program's end is its own end. What the fork server can't do as an interpreter would, an interpreter does.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # it has no annotations
import _socket
import marshal
import posix
import sys

folder, _, name = sys.argv[0].rpartition("/")
arguments = ["-m", "procountor_auth", *sys.argv[1:]] if name == "procountor-auth" else sys.argv[1:]
known = (b"PYTHONPATH", b"PYTHONUNBUFFERED", b"PYTHONDONTWRITEBYTECODE", b"PYTHON_KEYRING_BACKEND")
changes_the_interpreter = [name for name in posix.environ if name.startswith(b"PYTHON") and name not in known]
locale = posix.environ.get(b"LC_ALL") or posix.environ.get(b"LC_CTYPE") or posix.environ.get(b"LANG") or b"C.UTF-8"
is_plain = arguments and (arguments[0] in ("-c", "-m") or not arguments[0].startswith("-"))
if not is_plain or changes_the_interpreter or not locale.upper().replace(b"-", b"").endswith((b"UTF8", b"C", b"POSIX")):
    posix.execv(sys.executable, [sys.executable, *arguments])

child = 0
waiting: list[int] = []


def pass_on(number: int, _frame: object) -> None:
    """Give the program a signal that is meant for it."""
    if child:
        posix.kill(child, number)
    else:
        waiting.append(number)


for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
    if _signal.getsignal(number) is not _signal.SIG_IGN:
        _signal.signal(number, pass_on)
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect(f"{folder}/socket")
data = marshal.dumps((arguments, dict(posix.environ), posix.getcwd()))
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
data = len(data).to_bytes(4, "big") + data
sent = server.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
server.sendall(data[sent:])
for number in (0, 1, 2):
    posix.close(number)  # a reader of these waits for the program only


def said() -> int:
    """Return the next number that the server says."""
    number = b""
    while len(number) < 4:
        number += server.recv(4 - len(number)) or posix._exit(70)
    return int.from_bytes(number, "big", signed=True)


child = said()
for number in waiting:
    posix.kill(child, number)
status = said()
if status < 0:
    if -status not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(-status, _signal.SIG_DFL)
    posix.kill(posix.getpid(), -status)
posix._exit(status)
