"""The token source, in every order in which anything can happen, loses nothing and crosses nothing.

Small in `make check`; `make model` lets more go wrong on each way.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from procountor_auth.errors import StoreConflict
from procountor_auth.stores.lineage import Lineage
from procountor_auth.stores.use import Use
from procountor_auth.tokens import renewal, stored
from procountor_auth.tokens.renewal import Renewal
from procountor_auth.tokens.renewing_cache import RenewingCache
from procountor_auth.tokens.token_request import TokenRequest
from tests.model.explorer import Search, Violation
from tests.model.host import Host, KeyStrategy, LoginStrategy
from tests.model.world import Server, Window, World
from tests.sizes import size

if TYPE_CHECKING:
    from collections.abc import Callable

FAULTS: Final = int(os.environ.get("PROCOUNTOR_AUTH_FAULTS", "2"))
"""How much may go wrong on each way, in the long run."""

HABITS: Final = size(("family",), ("keep", "refuse", "family"))
"""What servers do with a refresh token that comes twice: `family` ends the login, so it misses the least."""

STORE: Final = frozenset({"down", "full", "empty", "roll back"})
NETWORK: Final = frozenset({"unreachable", "lost"})
PROCESS: Final = frozenset({"crash", "steal", "late", "frozen"})
EVERYTHING: Final = STORE | NETWORK | PROCESS

Scripts: TypeAlias = tuple[tuple[str, ...], ...]

ONE: Final[Scripts] = (("get", "401", "401"),)
TWO: Final[Scripts] = (("get", "401"), ("get", "401"))
SMALL: Final[Scripts] = (("get", "401"), ("get",))


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The log of a million ways is nobody's."""
    caplog.set_level(logging.CRITICAL + 1, logger="procountor_auth")


def world(
    habit: str,
    scripts: Scripts,
    faults: frozenset[str] = frozenset(),
    budget: int = 0,
    *,
    kind: type[LoginStrategy] = LoginStrategy,
    other: str | None = None,
) -> Callable[[], World]:
    """Return what makes a world: two servers at each of which somebody has logged in, and a host for each script."""

    def make() -> World:
        servers = {name: Server(name, habit) for name in ("a", "b")}
        for server in servers.values():
            server.log_in()
            server.answers = 0
        made = World(servers, faults, budget)
        made.hosts = [Host(made, f"h{number}", each, kind=kind, other=other) for number, each in enumerate(scripts)]
        return made

    return make


@pytest.mark.parametrize("habit", HABITS)
def test_where_nothing_goes_wrong_one_request_serves_all(habit: str) -> None:
    """Hosts in any order: no more requests than rejected tokens, each host is served, nothing is lost."""
    others: Scripts = size((("get",),), TWO)
    assert Search(world(habit, (("get", "401"), *others))).run().ways > 10


@pytest.mark.parametrize("habit", HABITS)
def test_whatever_goes_wrong_nothing_is_lost(habit: str) -> None:
    """Crashes, freezes, lost locks, answers and writes, at every step: only the named windows lose a login."""
    assert Search(world(habit, size(SMALL, TWO), EVERYTHING, size(1, FAULTS))).run().ways > 100


@pytest.mark.parametrize("habit", HABITS)
def test_a_process_alone_survives_what_the_store_loses(habit: str) -> None:
    """One host, and fault after fault: it goes on with what it knows, whatever the store has."""
    assert Search(world(habit, ONE, EVERYTHING, size(2, FAULTS + 1))).run().ways > 100


@pytest.mark.parametrize("habit", HABITS)
def test_a_login_and_an_invalidation_count(habit: str) -> None:
    """While others renew, a person logs in, and an operator forgets: what is newer wins, and there is a way on."""
    for script in (("login", "401"), ("forget", "login")):
        Search(world(habit, (("get", "401"), script), PROCESS, size(1, FAULTS))).run()


@pytest.mark.parametrize("habit", HABITS)
def test_a_reload_at_any_moment_crosses_nothing(habit: str) -> None:
    """Each operation ends with the server that it began with, and no token goes to the other one."""
    faults = frozenset({"reload", "steal", "down"})
    assert Search(world(habit, size(SMALL, TWO), faults, size(1, FAULTS), other="b")).run().ways > 100


def test_an_api_key_always_gets_on() -> None:
    """Where no person is needed, no fault ends in anything but a token or an error that may pass."""
    assert Search(world("keep", size(SMALL, TWO), EVERYTHING, size(1, FAULTS), kind=KeyStrategy)).run().ways > 100


def test_each_window_is_named_where_users_read() -> None:
    """What no client can make good stands in docs/tokens.md, in the model's own words."""
    page = " ".join((Path(__file__).parents[2] / "docs" / "tokens.md").read_text("utf-8").split())
    assert [each.value for each in Window if each.value not in page] == []


# -- each rule, taken out: the search finds what it is there for -------------------------------------


def _no_lineage(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Lineage, "follows", lambda *_: False)


def _no_mark(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Use, "is_pending", lambda *_: False)


def _no_late_write(patch: pytest.MonkeyPatch) -> None:
    def discard(*_: object) -> None:
        raise StoreConflict("Discarded.", hint="None.")

    patch.setattr(renewal, "store_late", discard)


def _no_spent_memory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TokenRequest, "_check_unspent", lambda *_: None)


def _no_lock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "is_locked", lambda *_: False)


def _no_binding(patch: pytest.MonkeyPatch) -> None:
    def successor(self: RenewingCache, provider: object) -> RenewingCache:
        self.provider = provider  # type: ignore[assignment]
        return self

    patch.setattr(RenewingCache, "successor", successor)


def _failures_replace(patch: pytest.MonkeyPatch) -> None:
    write = Renewal._write_failure

    def forgetful(self: Renewal, transaction: object, base: object, *rest: object) -> None:
        nothing = base._replace(token=None)  # type: ignore[attr-defined]
        write(self, transaction, nothing, *rest)  # type: ignore[arg-type]

    patch.setattr(Renewal, "_write_failure", forgetful)


def _conflicts_discard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stored, "MAX_ATTEMPTS", 0)


@pytest.mark.parametrize(
    ("take_out", "habit", "faults", "scripts", "other"),
    [
        (_no_lineage, "family", STORE, ONE, None),
        (_no_mark, "family", PROCESS, TWO, None),
        (_no_late_write, "refuse", STORE, ONE, None),
        (_conflicts_discard, "refuse", STORE, ONE, None),
        (_no_spent_memory, "family", frozenset({"empty"}), TWO, None),
        (_no_lock, "keep", frozenset(), TWO, None),
        (_no_binding, "keep", frozenset({"reload"}), TWO, "b"),
        (_failures_replace, "refuse", NETWORK, TWO, None),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else None,
)
def test_without_a_rule_the_loss_is_found(
    monkeypatch: pytest.MonkeyPatch,
    take_out: Callable[[pytest.MonkeyPatch], None],
    habit: str,
    faults: frozenset[str],
    scripts: Scripts,
    other: str | None,
) -> None:
    """Each rule has a fault that it alone makes good: taken out, the search ends with what is lost, and how."""
    take_out(monkeypatch)
    # An API key needs no mark, so the lock is all that it has.
    kind = KeyStrategy if take_out is _no_lock else LoginStrategy
    with pytest.raises(Violation):
        Search(world(habit, scripts, faults, 2, other=other, kind=kind)).run()
