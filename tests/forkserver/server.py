"""A Python that has imported the package, and forks a child for each program that it is asked to run.

Usage: server.py SOCKET. It ends when its standard input does. `launcher.py` is what asks; to whoever starts that, a
program behaves as in an interpreter of its own: its arguments, environment, directory, standard streams, signals and
exit status are its own. What it does not have is an interpreter's start, which takes longer than most programs.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import io
import marshal
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final, NoReturn

_LATE: Final = ("encodings.utf_8_sig", "importlib_metadata._adapters", "typer._adapters", "zipp.glob")
"""What others import when they are first called."""

_NOT_IMPORTED: Final = frozenset({"__main__", "pytest_plugin"})

_LENGTH: Final = 4
_FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Program:
    """What a child runs.

    Attributes:
        arguments: As an interpreter gets them: `-c PROGRAM …`, `-m MODULE …` or `SCRIPT …`.
        environment: All of its variables.
        folder: Its working directory.
        streams: The file descriptors of its standard input, output and error.
    """

    arguments: list[str]
    environment: dict[str, str]
    folder: str
    streams: list[int]

    def begin(self) -> None:
        """Become the program's process, just forked."""
        for number, stream in enumerate(self.streams):
            os.dup2(stream, number)
        for stream in self.streams:
            os.close(stream)
        for number in (*_FORWARDED, signal.SIGCHLD):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        time.tzset()
        sys.path[:0] = [path for path in self.environment.get("PYTHONPATH", "").split(os.pathsep) if path]
        sys.stdin = _stream(0, "r")
        sys.stdout = _stream(1, "w")
        sys.stderr = _stream(2, "w", errors="backslashreplace", line_buffering=True)

    def run(self) -> None:
        """Run it, as the last thing that this interpreter does."""
        first, *rest = self.arguments
        if first == "-m":
            sys.argv = ["-m", *rest[1:]]
            sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as Python itself does
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif first == "-c":
            sys.argv = ["-c", *rest[1:]]
            sys.path.insert(0, "")
            main = sys.modules["__main__"] = ModuleType("__main__")
            exec(compile(rest[0], "<string>", "exec"), vars(main))  # noqa: S102 - that is what `python -c` does
        else:
            sys.argv = [first, *rest]
            sys.path.insert(0, os.path.dirname(os.path.abspath(first)))  # noqa: PTH100, PTH120 - as Python itself does
            runpy.run_path(first, run_name="__main__")


@dataclass
class Server:
    """Forks children, tells who asked how each of them has ended, and kills those whose launcher is gone."""

    path: str
    _children: dict[int, socket.socket] = field(default_factory=dict)

    def serve(self) -> Program | None:
        """Serve until standard input ends. In a child, return what it has to run."""
        woken, waker = socket.socketpair()
        for end in (woken, waker):
            end.settimeout(0)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # at a terminal it is for the programs
        with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
            listener.bind(self.path)
            listener.listen(128)
            for each in (listener, woken, 0):
                selector.register(each, selectors.EVENT_READ)
            print("ready", flush=True)  # noqa: T201 - whoever has started it waits for that
            while True:
                for key, _ in selector.select():
                    if key.fileobj == 0:
                        return None
                    if key.fileobj is woken:
                        woken.recv(4096)
                        self._reap(selector)
                    elif key.fileobj is listener:
                        launcher = listener.accept()[0]
                        program = self._fork(launcher, selector)
                        if program is not None:
                            signal.set_wakeup_fd(-1)
                            woken.close()
                            waker.close()
                            return program
                    elif isinstance(key.fileobj, socket.socket):
                        self._kill(key.fileobj)

    def _fork(self, launcher: socket.socket, selector: selectors.BaseSelector) -> Program | None:
        program = _received(launcher)
        if program is None:
            launcher.close()
            return None
        child = os.fork()
        if child == 0:
            launcher.close()
            for other in self._children.values():
                other.close()
            return program
        for stream in program.streams:
            os.close(stream)
        self._children[child] = launcher
        selector.register(launcher, selectors.EVENT_READ)
        self._tell(launcher, child)
        return None

    def _reap(self, selector: selectors.BaseSelector) -> None:
        while self._children:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            launcher = self._children.pop(child)
            selector.unregister(launcher)
            self._tell(launcher, os.waitstatus_to_exitcode(status))
            launcher.close()

    def _kill(self, launcher: socket.socket) -> None:
        """The launcher says nothing more: that it can be read means that it is gone."""
        for child, each in self._children.items():
            if each is launcher:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

    def _tell(self, launcher: socket.socket, number: int) -> None:
        with suppress(OSError):
            launcher.sendall(number.to_bytes(_LENGTH, "big", signed=True))


def _received(launcher: socket.socket) -> Program | None:
    streams = array.array("i")
    data, ancillary, _, _ = launcher.recvmsg(65_536, socket.CMSG_SPACE(3 * streams.itemsize))
    for level, kind, sent in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            streams.frombytes(sent)
    while data and len(data) < _LENGTH + int.from_bytes(data[:_LENGTH], "big"):
        more = launcher.recv(65_536)
        if not more:
            return None
        data += more
    if len(data) < _LENGTH:
        return None
    arguments, environment, folder = marshal.loads(data[_LENGTH:])  # noqa: S302 - sent by our own launcher
    variables = {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
    return Program(arguments, variables, folder, list(streams))


def _stream(number: int, mode: str, **how: Any) -> io.TextIOWrapper | None:  # noqa: ANN401 - the wrapper's own
    try:
        raw = open(number, f"{mode}b", -1 if mode == "r" else io.DEFAULT_BUFFER_SIZE, closefd=False)  # noqa: SIM115 - it stays open
    except OSError:  # it is closed
        return None
    how.setdefault("line_buffering", raw.isatty())
    how.setdefault("write_through", mode == "w" and bool(os.environ.get("PYTHONUNBUFFERED")))
    return io.TextIOWrapper(raw, "utf-8", **how)


def end(error: BaseException | None) -> NoReturn:
    """End as an interpreter does, but leave it to the system to take the memory back."""
    status = 0
    if isinstance(error, SystemExit):
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")
    elif error is not None:
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if isinstance(error, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status & 0xFF)


def main(path: str) -> None:
    """Import, serve; in a child, run the program."""
    del sys.path[0]  # this file's folder is nobody's
    package = importlib.import_module("procountor_auth")
    for module in pkgutil.walk_packages(package.__path__, "procountor_auth.", onerror=lambda _: None):
        if module.name.rpartition(".")[2] not in _NOT_IMPORTED:
            with suppress(
                ImportError
            ):  # of an HTTP library, say: what is not installed is missing in the children, too
                importlib.import_module(module.name)
    for name in _LATE:
        with suppress(ImportError):
            importlib.import_module(name)
    with suppress(ImportError):
        package.cli.app.build_app()
    gc.collect()
    gc.freeze()
    program = Server(path).serve()
    if program is None:
        os._exit(0)
    program.begin()
    try:
        program.run()
    except BaseException as error:  # noqa: BLE001 - the interpreter's own last resort
        end(error)
    end(None)


if __name__ == "__main__":
    main(sys.argv[1])
