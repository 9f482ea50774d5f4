"""Everything that can happen in a world, to the end of each way, with what must hold on each."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from procountor_auth import Token
from procountor_auth.errors import InteractionRequired
from procountor_auth.transport import background
from tests.model.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.model.world import World

Choice = tuple[str, int, str]

MAX_STEPS: Final = 400
"""A way that is longer goes round in a circle."""


class Violation(AssertionError):
    """Something that must hold does not. Its text has all that happened before."""


@dataclass
class Search:
    """A search through all that can happen.

    Attributes:
        make: Makes the world at its beginning.
        ways: How many ways to an end were gone.
        states: The states that were seen.
    """

    make: Callable[[], World]
    ways: int = 0
    states: set[int] = field(default_factory=set)

    def run(self) -> Search:
        """Go every way once: each state that was seen before is left, as what follows is known.

        Raises:
            Violation: Something does not hold on one of them.
        """
        # Threads would be choices of the operating system; names must be the same each time.
        with patch.object(background, "_is_ending", lambda: True):
            waiting: list[tuple[Choice, ...]] = [()]
            while waiting:
                waiting.extend(self._go(waiting.pop()))
        return self

    def _go(self, prefix: tuple[Choice, ...]) -> Iterator[tuple[Choice, ...]]:
        world = self.make()
        with (
            patch.object(secrets, "token_hex", world.name),
            patch("procountor_auth.stores.use.platform.node", lambda: _current(world)),
        ):
            for host in world.hosts:
                _at(world, host)
                host.begin()
            for choice in prefix:
                self._happen(world, choice)
            gone = list(prefix)
            while True:
                choices = world.choices()
                if not any(host.runs for host in world.hosts):
                    self.ways += 1
                    check_end(world)
                    break
                if not choices:
                    raise _violation(world, "nobody can go on")
                state = hash(world.state())
                if state in self.states:
                    break
                self.states.add(state)
                for other in choices[1:]:
                    yield (*gone, other)
                if len(gone) > MAX_STEPS:
                    raise _violation(world, "it does not end")
                self._happen(world, choices[0])
                gone.append(choices[0])
            _put_away(world)

    def _happen(self, world: World, choice: Choice) -> None:
        _at(world, world.hosts[choice[1]])
        world.happen(choice)
        check_now(world)


def check_now(world: World) -> None:
    """Hold what must hold at each moment.

    Raises:
        Violation: A token is at, or has been sent to, another configuration than its own.
    """
    for server in world.servers.values():
        if server.foreign:
            raise _violation(world, f"{server.name} was sent {server.foreign}")
    for host in world.hosts:
        cached = host.cache.cached
        if cached is not None and not cached.token.access_token.startswith(f"{_server_of(host)}-"):
            raise _violation(world, f"{host.name} keeps {cached.token.access_token} for {_server_of(host)}")
        for each in host.outcomes:
            if isinstance(each.result, Token) and not each.result.access_token.startswith(f"{each.server}-"):
                raise _violation(world, f"{host.name} got {each.result.access_token} by {each.what} at {each.server}")


def check_end(world: World) -> None:
    """Hold what must hold when all hosts have come to their end.

    Raises:
        Violation: A live refresh token is lost outside of the named windows; a user is asked to log in without need;
            more was asked than there were expiries; or there is no way on.
    """
    forgotten = any("forget" in host.script for host in world.hosts)
    excused = bool(world.windows) or forgotten
    if not world.windows:
        _check_logins(world)
    if not excused:
        _check_losses(world)
    if world.happened_well:
        _check_counts(world)
    _check_recovery(world, excused=excused)
    if not world.windows:
        _check_logins(world)


def _check_logins(world: World) -> None:
    for server in world.servers.values():
        if server.dead:
            raise _violation(world, f"the login at {server.name} was ended by a spent refresh token")


def _check_losses(world: World) -> None:
    for host in world.hosts:
        for each in host.outcomes:
            # A login ends the one before it, and may not be stored yet.
            needless = world.servers[each.server].logins == 1 and (each.had_token or not world.lost_writes)
            if isinstance(each.result, InteractionRequired) and needless:
                raise _violation(world, f"{host.name} was asked to log in at {each.server} ({each.what}) without need")
    for server in world.servers.values():
        if server.habit != "keep" and server.answers and not _is_kept(world, server.current):
            raise _violation(world, f"{server.current} is lost, and works")


def _check_counts(world: World) -> None:
    done = [each for host in world.hosts for each in host.outcomes]
    for server in world.servers.values():
        rejected = {
            token
            for host in world.hosts
            for token, each in zip(_tokens(host), host.outcomes[1:], strict=False)
            if each.what == "401" and each.server == server.name and token is not None
        }
        others = sum(each.what in {"login", "forget"} for each in done)
        if server.answers > 1 + len(rejected) + others:
            raise _violation(world, f"{server.answers} tokens for {len(rejected)} that were rejected")


def _tokens(host: Host) -> list[str | None]:
    results = [each.result for each in host.outcomes]
    return [each.access_token if isinstance(each, Token) else None for each in results]


def _check_recovery(world: World, *, excused: bool) -> None:
    """See that whoever is alive, and somebody new, gets a token now that nothing goes wrong any more."""
    world.budget = 0
    alive = [host for host in world.hosts if not host.dead]
    kind = world.hosts[0].kind
    for host in alive:
        again = Host(world, f"{host.name} again", ("401",), server=_server_of(host), kind=kind)
        again.cache.cached, again.cache._acquired = host.cache.cached, host.cache._acquired
        again.cache._rejected = host.cache._rejected
        _finish(world, again, excused=excused)
    new = Host(world, "somebody new", ("get",), kind=kind)
    _finish(world, new, excused=excused)


def _finish(world: World, host: Host, *, excused: bool) -> None:
    outcome = _run_alone(world, host)
    if isinstance(outcome, Token):
        return
    # Whoever comes to an emptied store has nothing to start from, if the configured refresh token is spent.
    excused = excused or (world.lost_writes and not host.outcomes[-1].had_token)
    excused = excused or bool(world.windows)
    if not isinstance(outcome, InteractionRequired) or not excused:
        raise _violation(world, f"{host.name} does not recover: {outcome}")
    login = Host(world, "whoever logs in", ("login", "401"), server=_server_of(host), kind=host.kind)
    if not isinstance(_run_alone(world, login), Token):
        raise _violation(world, f"no login helps: {login.outcomes}")


def _run_alone(world: World, host: Host) -> object:
    world.hosts.append(host)
    _at(world, host)
    host.begin()
    steps = 0
    while host.runs:
        number = world.hosts.index(host)
        usual = [choice for choice in world.choices() if choice[:2] == ("step", number)]
        if not usual or steps > MAX_STEPS:
            raise _violation(world, f"{host.name} can't go on at {host.step}")
        _at(world, host)
        world.happen(usual[0])
        check_now(world)
        steps += 1
    return host.outcomes[-1].result


def _is_kept(world: World, refresh_token: str) -> bool:
    tokens = [entry.token for entry in world.entries.values()]
    tokens += [host.cache.cached.token for host in world.hosts if not host.dead and host.cache.cached is not None]
    return any(token is not None and token.refresh_token == refresh_token for token in tokens)


def _server_of(host: Host) -> str:
    return host.cache.provider.strategy.client.client_id


def _at(world: World, host: Host) -> None:
    world.at = host.name


def _current(world: World) -> str:
    return world.at


def _put_away(world: World) -> None:
    for host in world.hosts:
        if host.runs:
            host.crash()


def _violation(world: World, what: str) -> Violation:
    windows = f"\nwindows: {', '.join(sorted(each.value for each in world.windows))}" if world.windows else ""
    return Violation(f"{what}\n  " + "\n  ".join(world.happened) + windows)
