"""The hosts, as data: what is different there from the developer's machine."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Final

YEAR: Final = 365 * 86_400.0
FREEZE: Final = 1.6
"""Seconds that a frozen process stands still: longer than the `PROCOUNTOR_TIMEOUT` of these cases."""

MOMENTS: Final = ("start", "lock", "connect", "sent", "answered", "write")
"""When something happens to a process: at the first one of each in its run."""


@dataclass(frozen=True)
class Host:
    """A host.

    Attributes:
        id: Its name in the tables.
        become: How a process becomes such a host (`tests/hosts/inside.py`), and its arguments.
        environment: Variables that are set there, or not set (None). `{home}` is the home folder.
        fresh: Whether an interpreter is started there: it has imported nothing yet, and reads the locale.
    """

    id: str
    become: tuple[object, ...] = ("",)
    environment: dict[str, str | None] = field(default_factory=dict)
    fresh: bool = False

    @property
    def kind(self) -> str:
        """What it has in common with others: its name up to the colon."""
        return self.id.partition(":")[0]


_FOREIGN: Final = {
    "harmless": {"COMPANY_ID": "14159", "API_TIMEOUT": "20", "VERSION": "3", "STATE_KEY": "x", "BANK_ACCOUNT": "x"},
    "kubernetes": {"SERVICE_HOST": "10.0.0.1", "PORT": "tcp://10.0.0.1:80", "PORT_80_TCP_ADDR": "10.0.0.1"},
    "another host": {"API_URL": "https://pts-api.procountor.com/api", "ENV": "test", "HOST": "x"},
}

_LOCALES: Final = {
    "C": {"LC_ALL": "C"},
    "posix": {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "missing": {"LC_ALL": "xx_XX.UTF-8"},
    "turkish": {"LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr"},
    "latin-1": {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}

_CLOCKS: Final[dict[str, tuple[float, ...]]] = {
    "a day ahead": (86_400.0,),
    "a year ahead": (YEAR,),
    "a day behind": (-86_400.0,),
    "of 1970": (-1_790_000_000.0,),
    "of 2050": (24 * YEAR,),
    "jumps ahead": (0.0, YEAR),
    "jumps back": (0.0, -YEAR),
}

HOSTS: Final = (
    Host("usual"),
    Host("no HOME", ("user", 65_534), {"HOME": None}),
    Host("no HOME and no passwd entry", ("user",), {"HOME": None}),
    Host("no passwd entry", ("user",)),
    Host("HOME: empty", ("user",), {"HOME": ""}),
    Host("HOME: relative", (), {"HOME": "home"}),
    Host("HOME: /dev/null", (), {"HOME": "/dev/null"}),
    Host("HOME: missing", ("user",), {"HOME": "/no/such/home"}),
    Host("HOME: unwritable", ("unwritable",)),
    Host("HOME: full", ("full",)),
    Host("file system: read-only", ("read_only",)),
    Host("working directory: removed", ("no_folder",)),
    Host("working directory: closed", ("closed_folder",)),
    *(
        Host(f"variables: {name}", (), {f"PROCOUNTOR_{key}": value for key, value in variables.items()})
        for name, variables in _FOREIGN.items()
    ),
    *(Host(f"locale: {name}", (), dict(variables), fresh=True) for name, variables in _LOCALES.items()),
    Host("threads: none", ("no_threads",)),
    *(Host(f"file descriptors: {left} left", ("no_files", left)) for left in (0, 1, 2, 4)),
    *(Host(f"file descriptors: {left} left at the start", ("no_files", left), fresh=True) for left in (1, 2, 3)),
    *(Host(f"flock: {name}", ("no_flock", name)) for name in ("EPERM", "ENOSYS", "ENOLCK", "EOPNOTSUPP")),
    *(Host(f"clock: {name}", ("clock", *values), fresh=True) for name, values in _CLOCKS.items()),
    Host("fork from C", ("forked",)),
    *(Host(f"frozen: {moment}", ("freeze", moment, FREEZE), {"PROCOUNTOR_TIMEOUT": "1"}) for moment in MOMENTS),
    *(
        Host(f"{name}: {moment}", ("signal", moment, int(number)), fresh=moment == "import")
        for name, number in (("SIGINT", signal.SIGINT), ("SIGTERM", signal.SIGTERM))
        for moment in ("import", *MOMENTS[1:])
    ),
)
