"""The rehearsal: a token with today's strategy and one with the next, and `sessioninfo` with both.

Nothing is switched. Tokens go through the configured store, where the program will find them; the old one stays valid.
The server decides, not what a key says about itself.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from procountor_auth.errors import CredentialsRefused, ProcountorAuthError
from procountor_auth.migration.check import strategy_of
from procountor_auth.migration.record import fingerprint
from procountor_auth.migration.side import Connections, Side
from procountor_auth.migration.verdict import Reason, Verdict, reasons_of
from procountor_auth.protocol.ending import read_ending
from procountor_auth.protocol.session import may_get, read_session
from procountor_auth.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from procountor_auth.migration.record import Record
    from procountor_auth.profiles import Profiles
    from procountor_auth.protocol.ending import Ending
    from procountor_auth.protocol.flow import Response
    from procountor_auth.protocol.session import Session
    from procountor_auth.token import Token

AT_ONCE: Final = 8
"""How many profiles are tried at the same time, unless somebody says otherwise."""

KEPT: Final = 86_400.0
"""Seconds for which a good result is taken over by a rehearsal that goes on."""

_EARLIER: Final = "not asked again: an earlier rehearsal has found that out, and --fresh tries once more"

_PAUSES: Final = 10
"""How often one profile waits because the server said so."""

_LONGEST_PAUSE: Final = 900.0
"""Seconds of one such wait at most: a server that asks for more has the profile reported as it is."""


class Rehearsal:
    """Tries a strategy for many profiles.

    Args:
        profiles: What all places said.
        target: The strategy to try.
        at_once: How many profiles to try at the same time.
        resources: Resources of the API, such as `users`, that the next strategy's user must be able to read if
            today's can.
        target_only: Don't ask for a token with today's strategy: where that does not work any more. The company is
            then the one in `PROCOUNTOR_COMPANY`.
        record: Where results are kept, if anywhere.
        fresh: Try also what has a good result in the record.
        clock: The wall clock, in Unix seconds.
        monotonic: The clock for pauses, in seconds.
        sleep: How to wait, in seconds.
    """

    def __init__(
        self,
        profiles: Profiles,
        target: str,
        *,
        at_once: int = AT_ONCE,
        resources: Sequence[str] = (),
        target_only: bool = False,
        record: Record | None = None,
        fresh: bool = False,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._profiles = profiles
        self._target = target
        self._at_once = at_once
        self._resources = tuple(resources)
        self._target_only = target_only
        self._record = record
        self._fresh = fresh
        self._clock = clock
        self._pause = _Pause(monotonic, sleep)

    def run(self, names: Iterable[str | None]) -> Generator[Verdict, None, None]:
        """Yield the verdict on each profile as soon as it is there, in no certain order.

        Whoever stops to listen stops the rehearsal: profiles that were not begun are left alone.

        Raises:
            StoreError: The record can't be read or written.
        """
        connections = Connections()
        workers = ThreadPoolExecutor(self._at_once, thread_name_prefix="procountor-auth-rehearsal")
        pending: set[Future[Verdict]] = set()
        try:
            for name in names:
                pending.add(workers.submit(self._rehearse, connections, name))
                if len(pending) >= 2 * self._at_once:  # never more in the queue than there is use for
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            self._pause.give_up()
            workers.shutdown(cancel_futures=True)
            connections.close()

    def _rehearse(self, connections: Connections, profile: str | None) -> Verdict:
        strategy = strategy_of(self._profiles, profile)
        if strategy == self._target:
            return self._verdict(profile, strategy, notes=["it has switched already: nothing was tried"])
        sides, reasons = self._sides(profile)
        if sides is None:
            return self._verdict(profile, strategy, reasons)
        today, target = sides
        stands_for = fingerprint(today or target, target, self._resources, target_only=self._target_only)
        known = None if self._record is None or self._fresh else self._record.find(stands_for)
        if known is not None and known.verdict.ready and self._clock() - known.at < KEPT:
            return replace(known.verdict, notes=(*known.verdict.notes, _EARLIER))
        verdict = self._tried(connections, profile, strategy, (today, target))
        if self._record is not None:
            plain = fingerprint(today or target, target, target_only=self._target_only)
            for each in dict.fromkeys((stands_for, plain)):  # whoever looks later names no resources
                self._record.add(each, self._clock(), verdict)
        return verdict

    def _sides(self, profile: str | None) -> tuple[tuple[Side | None, Side] | None, list[Reason]]:
        """Return today's side and the next one, or what is wrong with their configuration."""
        reasons: list[Reason] = []
        found: list[Side] = []
        for strategy in (self._target,) if self._target_only else (self._target, None):
            try:
                found.append(Side.of(self._profiles, profile, strategy, clock=self._clock))
            except ProcountorAuthError as error:
                reasons += [reason for reason in reasons_of(error) if reason not in reasons]
        reasons += [reason for side in found for reason in _unfit(side)]
        if reasons:
            return None, reasons
        return (None if self._target_only else found[1], found[0]), []

    def _tried(
        self,
        connections: Connections,
        profile: str | None,
        strategy: str | None,
        sides: tuple[Side | None, Side],
    ) -> Verdict:
        reasons: list[Reason] = []
        reached: list[_Reached | None] = []
        for side in sides:
            if side is None:
                reached.append(None)
                continue
            try:
                reached.append(self._reach(connections, side))
            except ProcountorAuthError as error:
                reached.append(None)
                reasons += reasons_of(error, f"{side.strategy.name}: ")
        old, new = reached
        notes: list[str] = []
        if new is not None and not reasons:
            company = old.session.company_id if old else _configured_company(sides[1])
            reasons += _compared(company, new, by_server=old is not None)
            reasons += self._lost_rights(old, new)
            if old and old.session.user_id != new.session.user_id:
                notes.append(f"another user: {_user(old.session)} today, {_user(new.session)} with {self._target}")
        found = {"today": old and old.as_dict(), "next": new and new.as_dict()}
        return self._verdict(profile, strategy, reasons, notes, found)

    def _reach(self, connections: Connections, side: Side) -> _Reached:
        """Get a token and ask the API whom it is for, waiting where the server says so."""
        pauses, again = 0, True
        while True:
            self._pause.take()
            try:
                return self._ask(connections, side)
            except ProcountorAuthError as error:
                failed = error
            asked = getattr(failed, "retry_after", None)
            if self._pause.over:
                raise failed.with_traceback(None)
            if asked is not None and asked <= _LONGEST_PAUSE and pauses < _PAUSES:
                # What one has been told counts for all.
                pauses += 1
                self._pause.ask(asked)
            elif failed.retryable and asked is None and again:
                again = False
            else:
                raise failed.with_traceback(None)

    def _ask(self, connections: Connections, side: Side) -> _Reached:
        endings: list[Ending] = []

        def look(response: Response, _path: str) -> None:
            ending = read_ending(response.combined)
            if ending is not None and ending not in endings:
                endings.append(ending)

        supply = Supply(side.strategy, connections.wiring(side), account=side.account, look=look)
        endpoints = side.strategy.client.endpoints
        token, asked = supply.renewed(None, None)
        try:
            session = supply.drive(read_session(endpoints, token), supply.deadline())
        except CredentialsRefused:
            if asked:
                raise
            # A token from the store may have been revoked since.
            token = supply.renewed(token, token).token
            session = supply.drive(read_session(endpoints, token), supply.deadline())
        allowed = {path: supply.drive(may_get(endpoints, token, path), supply.deadline()) for path in self._resources}
        return _Reached(session, token, allowed, tuple(endings))

    def _lost_rights(self, old: _Reached | None, new: _Reached) -> list[Reason]:
        lost = [path for path, may in new.allowed.items() if not may and (old is None or old.allowed[path])]
        return [
            Reason(
                code="no_rights",
                message=f"{_user(new.session)} may not read {path} with {self._target}"
                + ("" if old is None else f", and {_user(old.session)} may today"),
                hint="Give the user the right in Procountor, or make the key as another user.",
            )
            for path in lost
        ]

    def _verdict(
        self,
        profile: str | None,
        strategy: str | None,
        reasons: Iterable[Reason] = (),
        notes: Iterable[str] = (),
        found: dict[str, Any] | None = None,
    ) -> Verdict:
        return Verdict(
            profile=profile,
            strategy=strategy,
            target=self._target,
            reasons=tuple(reasons),
            notes=tuple(notes),
            found=found or {},
        )


class _Reached(NamedTuple):
    session: Session
    token: Token
    allowed: dict[str, bool]
    endings: tuple[Ending, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "company_id": self.session.company_id,
            "company": self.session.company_name,
            "user_id": self.session.user_id,
            "user": self.session.user_name,
            "expires_at": self.token.expires_at,
            "refresh_expires_at": self.token.refresh_expires_at,
            "announced": [str(ending) for ending in self.endings],
        }


class _Pause:
    """A wait that the server has asked one for, and that all take."""

    def __init__(self, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._until = float("-inf")
        self._lock = threading.Lock()
        self.over = False

    def ask(self, seconds: float) -> None:
        with self._lock:
            self._until = max(self._until, self._monotonic() + seconds)

    def take(self) -> None:
        while not self.over and (left := self._until - self._monotonic()) > 0:
            self._sleep(min(left, 1.0))  # in turns: the rehearsal may be given up meanwhile

    def give_up(self) -> None:
        self.over = True


def _unfit(side: Side) -> list[Reason]:
    """Return what forbids to try a side: it could do harm, or the program itself would be refused."""
    reasons = []
    if side.settings.legacy_policy == "error" and side.strategy.lifecycle is not None:
        reasons.append(
            Reason(
                code="legacy_not_allowed",
                message=f"PROCOUNTOR_LEGACY_POLICY=error refuses {side.strategy.name}",
                hint="Set PROCOUNTOR_LEGACY_POLICY=warn for the rehearsal, or rehearse with --target-only.",
                variable="PROCOUNTOR_LEGACY_POLICY",
            )
        )
    if not side.strategy.alone and side.forgets:
        reasons.append(
            Reason(
                code="token_store",
                message=f"{side.strategy.name} is not tried with PROCOUNTOR_TOKEN_STORE=memory: a refresh token that "
                "the server replaces would be lost",
                hint="Set PROCOUNTOR_TOKEN_STORE=file, keyring or redis://….",
                variable="PROCOUNTOR_TOKEN_STORE",
            )
        )
    return reasons


def _compared(company: int | None, new: _Reached, *, by_server: bool) -> list[Reason]:
    if company == new.session.company_id:
        return []
    reached = f"{new.token.strategy} reaches company {new.session.company_id}"
    if company is None:
        return [
            Reason(
                code="company_unknown",
                message=f"{reached}; whether that is the right one can't be told without PROCOUNTOR_COMPANY",
                hint="Set PROCOUNTOR_COMPANY, or rehearse without --target-only.",
                variable="PROCOUNTOR_COMPANY",
            )
        ]
    return [
        Reason(
            code="other_company",
            message=f"{reached}, and today's strategy company {company}"
            if by_server
            else f"{reached}, and PROCOUNTOR_COMPANY is {company}",
            hint="Take the key of this company, or log in to it.",
        )
    ]


def _configured_company(side: Side) -> int | None:
    company = side.settings.company
    return int(company.get_secret_value()) if company else None


def _user(session: Session) -> str:
    return f"user {session.user_id}" if session.user_id is not None else "an unknown user"
