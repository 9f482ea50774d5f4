"""The rehearsal: gets a token with the current strategy and one with the target, and calls `sessioninfo` with both.

Nothing is switched. Tokens are kept in the configured store, where programs find them; the old one stays valid.
The server's response decides, not a key's claims.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.migration.check import check
from procountor_auth.migration.probe import Probe, Reached
from procountor_auth.migration.readiness import Readiness, Reason, reasons_of
from procountor_auth.migration.results import fingerprint
from procountor_auth.migration.target import strategy_of, target_of
from procountor_auth.strategies.deprecation import legacy_refusal
from procountor_auth.tokens.known_problems import find_wrong_fallback
from procountor_auth.tokens.pool import ProviderPool
from procountor_auth.transport.background import INTERRUPTED_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from procountor_auth.migration.results import RehearsalResult, RehearsalResults
    from procountor_auth.protocol.sessioninfo import Session
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.tokens.provider import TokenProvider

AT_ONCE: Final = 8
"""How many profiles are tried at the same time by default."""

_EARLIER: Final = "not tried again: this is the result of an earlier rehearsal; --fresh repeats it"


class Rehearsal:
    """Tries a strategy for many profiles.

    Args:
        profiles: The profiles, with their variables from all places.
        target: The strategy to try; None for `target_of` each profile.
        at_once: How many profiles to rehearse at the same time.
        resources: Resources of the API, such as `users`, that the target strategy's user must be able to read if
            the current one's can.
        target_only: Don't request a token with the current strategy, if that no longer works. The company is
            then the one in `PROCOUNTOR_COMPANY`.
        results: Where results are stored, if anywhere.
        fresh: Also try profiles that have a good result there. If it is interrupted, the next rehearsal of the same
            profiles tries those again that this one has not reached.
        clock: The wall clock, in Unix seconds.
        monotonic: The clock for pauses, in seconds.
        sleep: Waits for a number of seconds.

    Attributes:
        completed: How many profiles have been rehearsed. After an interruption that may be more than `run` has yielded.
    """

    def __init__(
        self,
        profiles: Profiles,
        target: str | None,
        *,
        at_once: int = AT_ONCE,
        resources: Sequence[str] = (),
        target_only: bool = False,
        results: RehearsalResults | None = None,
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
        self._results = results
        self._fresh = fresh
        self._clock = clock
        self._probe = Probe(self._resources, monotonic=monotonic, sleep=sleep)
        self.completed: int = 0
        self._counting = threading.Lock()

    def run(self, names: Iterable[str | None]) -> Generator[Readiness, None, None]:
        """Yield the readiness of each profile as soon as it is known, in no particular order.

        Closing the iterator stops the rehearsal: no further profiles are tried. So does Ctrl-C, which gives the
        profiles in progress a moment to finish.

        Raises:
            StoreError: The results can't be read or written.
        """
        if self._results is not None and self._fresh:
            names = list(names)
            self._results.start_afresh(self._clock(), names)
        pool = ProviderPool(self._profiles, clock=self._clock)
        workers = ThreadPoolExecutor(self._at_once, thread_name_prefix="procountor-auth-rehearsal")
        pending: set[Future[Readiness]] = set()
        unfinished: set[Future[Readiness]] = set()
        try:
            for name in names:
                pending.add(workers.submit(self._complete, pool, name))
                if len(pending) >= 2 * self._at_once:  # never queue more than the workers can take
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except KeyboardInterrupt:
            self._probe.give_up()
            workers.shutdown(wait=False, cancel_futures=True)
            begun = [future for future in pending if not future.cancelled()]
            unfinished = wait(begun, timeout=INTERRUPTED_WAIT).not_done
            raise
        finally:
            self._probe.give_up()
            workers.shutdown(wait=not unfinished, cancel_futures=True)
            if not unfinished:
                pool.close()

    def _complete(self, pool: ProviderPool, profile: str | None) -> Readiness:
        readiness = self._rehearse(pool, profile)
        if not self._was_cut_off(readiness):
            with self._counting:
                self.completed += 1
        return readiness

    def _rehearse(self, pool: ProviderPool, profile: str | None) -> Readiness:
        target_name = target_of(self._profiles, profile, self._target)
        begun = Readiness(profile=profile, strategy=strategy_of(self._profiles, profile), target=target_name)
        if begun.done and not self._target_only:
            found = check(self._profiles, profile, target_name, pool=pool, clock=self._clock)
            return replace(begun, reasons=found.reasons, notes=("it has already switched: nothing was tried",))
        providers, reasons = self._providers(pool, begun)
        if providers is None:
            return replace(begun, reasons=tuple(reasons))
        today, target = providers
        stands_for = fingerprint(today or target, target, self._resources, target_only=self._target_only)
        known = self._known(profile, stands_for)
        if known is not None:
            found = check(self._profiles, profile, target_name, pool=pool, clock=self._clock)
            if found.ready:  # a login may have been removed since
                return replace(known.told_of(begun), notes=(*known.readiness.notes, _EARLIER))
        if self._results is not None:
            self._results.prepare()
        readiness = self._tried(begun, (today, target))
        if self._results is not None and not self._was_cut_off(readiness):
            plain = fingerprint(today or target, target, target_only=self._target_only)
            for each in dict.fromkeys((stands_for, plain)):  # later lookups name no resources
                self._results.add(each, self._clock(), readiness)
        return readiness

    def _known(self, profile: str | None, stands_for: str) -> RehearsalResult | None:
        """Return an earlier GO that still counts."""
        if self._results is None or self._fresh:
            return None
        known = self._results.find(stands_for)
        if known is None or not known.readiness.ready or self._results.is_outdated(profile, known):
            return None
        return known if known.counts(self._clock()) else None

    def _was_cut_off(self, readiness: Readiness) -> bool:
        """Whether a failure may be due to an interruption: the profile is rehearsed again next time."""
        return self._probe.is_given_up and not readiness.ready

    def _providers(
        self, pool: ProviderPool, begun: Readiness
    ) -> tuple[tuple[TokenProvider | None, TokenProvider] | None, list[Reason]]:
        """Return the current provider and the target's, or the problems of their configuration."""
        reasons: list[Reason] = []
        found: list[TokenProvider] = []
        for strategy in (begun.target,) if self._target_only else (begun.target, None):
            try:
                found.append(pool.provider(begun.profile, strategy))
            except ProcountorAuthError as error:
                reasons += [reason for reason in reasons_of(error) if reason not in reasons]
        for provider in found:
            wrong = find_wrong_fallback(provider)
            unfit = [*_unfit(provider), *(reasons_of(wrong) if wrong else ())]
            reasons += [reason for reason in unfit if reason not in reasons]  # both name the same fallback
        if reasons:
            return None, reasons
        return (None if self._target_only else found[1], found[0]), []

    def _tried(self, begun: Readiness, providers: tuple[TokenProvider | None, TokenProvider]) -> Readiness:
        reasons: list[Reason] = []
        reached: list[Reached | None] = []
        for provider in providers:
            if provider is None:
                reached.append(None)
                continue
            try:
                reached.append(self._probe.reach(provider))
            except ProcountorAuthError as error:
                reached.append(None)
                reasons += reasons_of(error, f"{provider.strategy.name}: ")
        old, new = reached
        notes: list[str] = []
        for each in (old, new):
            reasons += _configured_is_reached(providers[1], each) if each else []
        if new is not None and not reasons:
            company = old.session.company_id if old else providers[1].company.number
            reasons += _compared(company, new)
            reasons += _lost_rights(old, new, begun.target)
            if old and old.session.user_id != new.session.user_id:
                notes.append(f"another user: {_user(old.session)} today, {_user(new.session)} with {begun.target}")
        found = {"today": old and old.as_dict(), "next": new and new.as_dict()}
        return replace(begun, reasons=tuple(reasons), notes=tuple(notes), found=found)


def _lost_rights(old: Reached | None, new: Reached, target: str) -> list[Reason]:
    lost = [path for path, may in new.allowed.items() if not may and (old is None or old.allowed[path])]
    return [
        Reason(
            code="no_rights",
            message=f"{_user(new.session)} can't read {path} with {target}"
            + ("" if old is None else f", but {_user(old.session)} can today"),
            hint="Grant the user the right in Procountor, or create the key as another user.",
        )
        for path in lost
    ]


def _unfit(provider: TokenProvider) -> list[Reason]:
    """Return why a provider must not be tried: it could do harm, or the program itself would be refused."""
    reasons: list[Reason] = []
    settings = provider.settings
    if settings.legacy_policy == "error" and provider.strategy.lifecycle is not None:
        reasons.append(
            Reason(
                code="legacy_not_allowed",
                message=f"PROCOUNTOR_LEGACY_POLICY=error refuses {provider.strategy.name}",
                hint="Set PROCOUNTOR_LEGACY_POLICY=warn for the rehearsal, or rehearse with --target-only.",
                variable="PROCOUNTOR_LEGACY_POLICY",
            )
        )
    elif (refusal := legacy_refusal(settings.legacy_policy, None, settings.fallback_strategy)) is not None:
        reasons += reasons_of(refusal)
    if not provider.strategy.unattended and provider.forgets:
        reasons.append(
            Reason(
                code="token_store",
                message=f"{provider.strategy.name} is not tried with PROCOUNTOR_TOKEN_STORE=memory: a refresh token "
                "that the server replaces would be lost",
                hint="Set PROCOUNTOR_TOKEN_STORE=file, keyring or redis://….",
                variable="PROCOUNTOR_TOKEN_STORE",
            )
        )
    return reasons


def _configured_is_reached(provider: TokenProvider, reached: Reached) -> list[Reason]:
    """Compare the server's company with the configured one: a token may not have the claim."""
    if not provider.company.other_than(reached.session.company_id):
        return []
    name = reached.token.strategy
    return list(reasons_of(provider.company.wrong_session(name, reached.session.company_id), f"{name}: "))


def _compared(company: int | None, new: Reached) -> list[Reason]:
    if company == new.session.company_id:
        return []
    reached = f"{new.token.strategy} reaches company {new.session.company_id}"
    if company is None:
        return [
            Reason(
                code="company_unknown",
                message=f"{reached}; without PROCOUNTOR_COMPANY, it is unknown whether that is the right one",
                hint="Set PROCOUNTOR_COMPANY, or rehearse without --target-only.",
                variable="PROCOUNTOR_COMPANY",
            )
        ]
    return [
        Reason(
            code="other_company",
            message=f"{reached}, but the current strategy reaches company {company}",
            hint="Use a key of the right company, or log in to it.",
        )
    ]


def _user(session: Session) -> str:
    return f"user {session.user_id}" if session.user_id is not None else "an unknown user"
