"""A world of one store, some servers and some hosts, in which one thing happens at a time.

The hosts run the real code (`RenewingCache`, `TokenProvider`, `Renewal`); what they ask of the world are its *steps*:
to read or lock or write the entry, to send a request, to take its answer, to wait. Each host is a greenlet that stops
at each step, and whoever explores the world chooses what happens next, and how it ends.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import (
    ConnectionFailed,
    InteractionRequired,
    ProcountorAuthError,
    StoreConflict,
    StoreError,
    StoreUnavailable,
)
from procountor_auth.protocol.token import Token
from procountor_auth.stores.transaction import check_unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.stores import Entry
    from tests.model.host import Host

LATER: Final = 31.0
"""Seconds after which every deadline has passed."""


class Window(enum.Enum):
    """What no client can make good, in the words of `docs/tokens.md`."""

    CRASHED = "crashes before the answer is stored"
    UNANSWERED = "the answer is lost"
    FROZEN = "frozen beyond its time"
    UNMARKED = "the mark can't be written, or the store loses it, and the lock is lost"
    UNSTORED = "the new token can't be stored"
    LOST_WRITE = "the store loses what was written"
    GONE = "nobody who knows the last token is alive"


@dataclass
class Server:
    """An authorization server with one user.

    Attributes:
        name: Its name, with which all its tokens begin.
        habit: What it does with refresh tokens: `keep` them; replace them and `refuse` the old ones; or end the login
            (the `family`) when it sees an old one again, as RFC 9700 says in section 4.14.2.
    """

    name: str
    habit: str
    logins: int = 0
    answers: int = 0
    current: str = ""
    dead: bool = False
    foreign: str = ""

    def log_in(self) -> Token:
        """Begin a login: the one before has ended."""
        self.logins += 1
        self.dead = False
        self.current = f"{self.name}-r{self.logins}.0"
        return self._token()

    def key(self) -> Token:
        """Give a token for an API key."""
        return self._token(refresh_token=None)

    def refresh(self, refresh_token: str) -> Token | ProcountorAuthError:
        """Give the next token for a refresh token."""
        if not refresh_token.startswith(self.name):
            self.foreign = refresh_token
        if self.dead or refresh_token != self.current:
            if self.habit == "family" and refresh_token.startswith(f"{self.name}-r{self.logins}."):
                self.dead = True
            needed = InteractionRequired("The login has ended.", hint="Log in.")
            needed.definite = True
            return needed
        if self.habit != "keep":
            self.current = f"{self.name}-r{self.logins}.{self.answers + 1}"
        return self._token()

    def _token(self, refresh_token: str | None = "") -> Token:
        self.answers += 1
        kept = self.current if refresh_token is not None else None
        return Token(f"{self.name}-a{self.answers}", 0.0, 1e9, "model", kept)


class Remembered:
    """What one machine, on which all hosts run, knows of spent refresh tokens."""

    def __init__(self) -> None:
        self.digests: set[str] = set()

    def has(self, digest: str) -> bool:
        """Whether it is known to be spent."""
        return digest in self.digests

    def add(self, digest: str) -> None:
        """Remember it."""
        self.digests.add(digest)

    def path(self, digest: str) -> Path:
        """Return the file that is named in a hint."""
        return Path(digest)


@dataclass(frozen=True)
class Step:
    """What a host asks of the world."""

    what: str
    key: str = ""
    argument: Any = None


@dataclass
class World:
    """Everything that is outside of the hosts.

    Attributes:
        servers: The servers, by name.
        faults: What may go wrong.
        budget: How often something may go wrong.
        windows: What has happened that no client can make good: see `docs/tokens.md`.
    """

    servers: dict[str, Server]
    faults: frozenset[str]
    budget: int
    hosts: list[Host] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    before: dict[str, Entry | None] = field(default_factory=dict)
    locks: dict[str, Host] = field(default_factory=dict)
    spent: Remembered = field(default_factory=Remembered)
    now: float = 0.0
    windows: set[Window] = field(default_factory=set)
    happened: list[str] = field(default_factory=list)
    names: int = 0
    at: str = ""
    unmarked: bool = False

    @property
    def happened_well(self) -> bool:
        """Whether nothing has gone wrong."""
        return self.budget == self.at_first

    def __post_init__(self) -> None:
        """Remember how much may go wrong."""
        self.at_first = self.budget

    def may(self, fault: str) -> bool:
        """Whether something may go wrong in this way now."""
        return self.budget > 0 and fault in self.faults

    def state(self) -> object:
        """Return all that decides what can happen from now on."""
        entries = tuple(sorted((key, _frozen(entry)) for key, entry in self.entries.items()))
        before = tuple(sorted((key, _frozen(entry)) for key, entry in self.before.items()))
        locks = tuple(sorted((key, host.name) for key, host in self.locks.items()))
        servers = tuple(
            (each.logins, each.answers, each.current, each.dead, each.foreign) for each in self.servers.values()
        )
        hosts = tuple(host.state() for host in self.hosts)
        rest = (
            self.budget,
            self.now,
            frozenset(self.windows),
            self.lost_writes,
            self.unmarked,
            frozenset(self.spent.digests),
            self.names,
        )
        return entries, before, locks, servers, hosts, rest

    def is_locked(self, key: str) -> bool:
        """Whether somebody has the lock of an entry."""
        return key in self.locks

    # -- what can happen --------------------------------------------------------------------------

    def choices(self) -> list[tuple[str, int, str]]:
        """Return what can happen next, as (kind, host, outcome): the usual first, then what goes wrong."""
        usual, wrong = [], []
        for number, host in enumerate(self.hosts):
            if not host.runs:
                continue
            usual += [("step", number, outcome) for outcome in self._outcomes(host)]
            wrong += [("step", number, fault) for fault in self._faults(host) if self.may(fault)]
            if host.has_begun:
                wrong += [("world", number, fault) for fault in ("crash", "steal", "reload") if self._fits(fault, host)]
        if any(self.entries.values()) and any(host.runs for host in self.hosts):
            wrong += [("world", 0, fault) for fault in ("empty", "roll back") if self.may(fault)]
        return usual + wrong

    def _fits(self, fault: str, host: Host) -> bool:
        if fault == "steal":
            return self.may(fault) and host in self.locks.values()
        if fault == "reload":
            return self.may(fault) and host.other is not None
        return self.may(fault)

    def _outcomes(self, host: Host) -> list[str]:
        step = host.step
        if step.what == "lock":
            # A holder that has died has no lock any more; one that is frozen is a fault.
            return [] if self.is_locked(step.key) else ["ok"]
        if step.what == "sleep":
            entry = self.entries.get(step.key)
            if entry is None or entry.use is None or entry.use != host.seen_use:
                return ["ok"]
            holder = next((each for each in self.hosts if each.name == entry.use.host), None)
            # Whoever waits for the dead waits until their time is over.
            return [] if holder is not None and holder.runs else ["later"]
        return ["ok"]

    def _faults(self, host: Host) -> list[str]:
        what = host.step.what
        if what == "lock" and host.step.key in self.locks:
            return ["frozen"]
        if what == "sleep":
            return ["late"]
        return {"read": ["down"], "lock": ["down"], "write": ["full"], "send": ["unreachable"], "answer": ["lost"]}.get(
            what, []
        )

    # -- what happens -----------------------------------------------------------------------------

    def happen(self, choice: tuple[str, int, str]) -> None:
        """Let one of the choices happen."""
        kind, number, outcome = choice
        host = self.hosts[number]
        self.happened.append(f"{host.name}: {host.step.what + ' ' if kind == 'step' else ''}{outcome}")
        if kind == "world" or outcome not in {"ok", "later"}:
            self.budget -= 1
        if kind == "world":
            self._strike(host, outcome)
        else:
            host.go_on(self._do(host, host.step, outcome))

    def _strike(self, host: Host, fault: str) -> None:
        if fault in {"crash", "steal"}:
            for key in [key for key, holder in self.locks.items() if holder is host]:
                del self.locks[key]
        if fault == "crash":
            if host.in_flight_spent:
                self.windows.add(Window.CRASHED)
            host.crash()
        elif fault == "reload":
            host.reload()
        elif fault in {"empty", "roll back"}:
            marked = {key for key, entry in self.entries.items() if entry.use is not None}
            if fault == "empty":
                self.entries.clear()
            else:
                self._roll_back()
            self.unmarked |= any(key not in self.entries or self.entries[key].use is None for key in marked)
        self._note_losses()

    def _roll_back(self) -> None:
        for key, entry in self.before.items():
            if entry is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = entry

    @property
    def lost_writes(self) -> bool:
        """Whether the store has lost what was written to it."""
        return any(each.endswith((": empty", ": roll back")) for each in self.happened)

    def _note_losses(self) -> None:
        """Note what no client can make good: see `docs/tokens.md`."""
        stolen = any(each.endswith("steal") for each in self.happened)
        if self.unmarked and stolen:
            self.windows.add(Window.UNMARKED)
        tokens = [entry.token for entry in self.entries.values()]
        tokens += [each.cache.cached.token for each in self.hosts if not each.dead and each.cache.cached]
        known = {token.refresh_token for token in tokens if token is not None}
        for server in self.servers.values():
            if server.answers and server.habit != "keep" and server.current not in known:
                self.windows.add(Window.GONE)

    def _do(self, host: Host, step: Step, outcome: str) -> object:
        if outcome in {"down", "frozen"}:
            if step.what == "lock" and host.has_unstored_login:
                self.windows.add(Window.UNSTORED)
            return StoreUnavailable("The store does not answer.", hint="Later.")
        if outcome == "full":
            if host.in_flight_spent:
                self.windows.add(Window.UNSTORED)
            self.unmarked |= step.argument[1].use is not None
            self._note_losses()
            return StoreError("The disk is full.", hint="Make room.")
        if outcome == "unreachable":
            return ConnectionFailed("There is no way there.", hint="Try again.")
        does: dict[str, Callable[[Host, Step, str], object]] = {
            "read": self._read,
            "lock": self._lock,
            "unlock": self._unlock,
            "write": self._write,
            "sleep": self._sleep,
            "send": self._send,
            "answer": self._answer,
        }
        return does[step.what](host, step, outcome)

    def _read(self, host: Host, step: Step, _: str) -> object:
        found = self.entries.get(step.key)
        host.seen_use = found.use if found is not None else None
        return found

    def _lock(self, host: Host, step: Step, outcome: str) -> object:
        self.locks[step.key] = host
        return self._read(host, step, outcome)

    def _unlock(self, host: Host, step: Step, _: str) -> None:
        if self.locks.get(step.key) is host:
            del self.locks[step.key]

    def _sleep(self, _: Host, __: Step, outcome: str) -> None:
        if outcome == "late":
            self.windows.add(Window.FROZEN)
        if outcome != "ok":
            self.now += LATER

    def _answer(self, host: Host, step: Step, outcome: str) -> object:
        if outcome == "ok":
            return step.argument
        host.in_flight_spent = False
        if self.servers[step.key].habit != "keep":
            self.windows.add(Window.UNANSWERED)
        return ConnectionFailed("No answer came.", hint="Try again.")

    def _write(self, host: Host, step: Step, _: str) -> object:
        read, entry = step.argument
        try:
            check_unchanged(read, self.entries.get(step.key))
        except StoreConflict as conflict:
            host.has_unstored_login = host.in_flight_spent and host.logs_in
            return conflict
        self.before[step.key] = self.entries.get(step.key)
        self.entries[step.key] = entry
        if entry.use is None:
            host.in_flight_spent = False
        return None

    def _send(self, host: Host, step: Step, _: str) -> object:
        server = self.servers[step.key]
        what, refresh_token = step.argument
        before = server.current
        cached = host.cache.cached
        knows = cached is not None and cached.token.refresh_token == before
        if what == "refresh" and refresh_token not in {before, host.initial} and self.lost_writes and not knows:
            self.windows.add(Window.LOST_WRITE)
        if what == "login":
            answer: object = server.log_in()
        elif what == "key":
            answer = server.key()
        else:
            answer = server.refresh(refresh_token)
        host.in_flight_spent = server.current != before
        host.logs_in = what == "login"
        return answer

    def name(self, _: int = 0) -> str:
        """Return a name that nobody else has, the same one each time that the same things happen."""
        self.names += 1
        return f"name-{self.names}"


def _frozen(entry: Entry | None) -> object:
    """Return an entry as what its future depends on."""
    return (
        None
        if entry is None
        else repr((entry.version, entry.token and entry.token.access_token, entry.failure, entry.lineage, entry.use))
    )
