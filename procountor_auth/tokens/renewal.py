"""One renewal: one transaction of the store, one request, and what is tried after a refusal.

Getting a token is a transaction of the store (`stores/base.py`): take its lock, read again, request, write, release. So
of many processes or hosts one asks the server and the others find its token. Locks can be lost, though: the lease of a
frozen process runs out, a cleaner deletes a file. So that no refresh token is lost with them:

- Which token is the newest is told by its lineage (`stores/lineage.py`), and by no clock.
- A refresh token that nobody can replace is marked in the store before it is sent (`stores/use.py`). Whoever finds the
  mark of somebody who is still at it waits.
- What the server gave is stored, unless the entry has a later token of the same login, or of a newer one.
- A failure is written beside the token. After a refusal the entry is looked at again, and only then anything else is
  tried: another refresh token that is configured, the fallback.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import (
    CredentialsRefused,
    InteractionRequired,
    InvalidGrant,
    ProcountorAuthError,
    StoreConflict,
    StoreError,
    StoreUnavailable,
    UnreadableEntry,
    WrongCompany,
)
from procountor_auth.stores.base import Entry
from procountor_auth.stores.failure import Failure
from procountor_auth.stores.lineage import NO_LINEAGE, Lineage
from procountor_auth.stores.use import Use
from procountor_auth.strategies.guarded import initial_refresh_token
from procountor_auth.tokens import interaction
from procountor_auth.tokens.stored import Acquired, Patience, store_late, write_token
from procountor_auth.tokens.token_request import Base

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token
    from procountor_auth.stores.base import Store, Transaction
    from procountor_auth.strategies.base import Strategy
    from procountor_auth.tokens.fallback import Fallback, Refusal
    from procountor_auth.tokens.token_request import TokenRequest

_MAX_CONFLICTS: Final = 3
"""How often a renewal starts over because of another write in between."""

_PATIENCE: Final = 0.75
"""The share of its time for which a renewal that can do without a lock waits for it."""

_POLL: Final = 0.25
"""Seconds between two checks of a refresh token that another process is using."""

_logger = logging.getLogger("procountor_auth")


@dataclass(frozen=True)
class Renewal:
    """Gets the next token of one configuration, once.

    Attributes:
        fallback: What is tried where the server refuses the strategy.
        key: The entry in the store.
        profile: The profile whose tokens these are, if there are profiles.
        known: The token that the caller has, if any, with its lineage.
        rejected: The token that the API has rejected, if any.
        credentials: A digest of the credentials, if there is one.
        pauses: Whether credentials that were refused a moment ago are not sent again.
        superseded: Says whether there are other credentials by now: they are tried before the fallback.
        owns: Says whether a stored token is one of this configuration's own.
        request: Requests a token with the strategy.
        sleep: Waits for some seconds.
    """

    fallback: Fallback | None
    key: str
    profile: str | None
    known: Acquired | None
    rejected: Token | None
    credentials: str | None
    pauses: bool
    superseded: Callable[[], bool]
    owns: Callable[[Token], bool]
    request: TokenRequest
    sleep: Callable[[float], None]

    def run(self, store: Store, stand_ins: Callable[[], tuple[Store, Store]]) -> Acquired:
        """Get the token.

        Args:
            store: Where tokens are shared with others.
            stand_ins: Gives the store to go on with while `store` can't be used, and one that never fails.

        Raises:
            ProcountorAuthError: Whatever keeps it from getting one.
        """
        down: StoreUnavailable | UnreadableEntry | None = None
        conflicts = 0
        while down is None and conflicts < _MAX_CONFLICTS:
            try:
                found = self._transact(store)
            except StoreConflict:
                conflicts += 1
            except (StoreUnavailable, UnreadableEntry) as error:
                down = error
            else:
                if isinstance(found, Acquired):
                    return found
                self._wait_for(found)
        if down is None:
            raise StoreConflict("The token store keeps changing under the renewal.", hint="Try again.")
        return self._run_alone(down, stand_ins)

    def _run_alone(
        self, down: StoreUnavailable | UnreadableEntry, stand_ins: Callable[[], tuple[Store, Store]]
    ) -> Acquired:
        """Get the token without the shared store, if the strategy can."""
        if not self.strategy.unattended and isinstance(down, StoreUnavailable):
            raise StoreUnavailable(
                f"{down.message} Without it, a refresh token that others share must not be used.", hint=down.hint
            )
        if not self.strategy.unattended or self.request.seconds_left() <= 0:
            raise down.with_traceback(None)
        _logger.warning("%s This host continues by itself, strategy %s", down.message, self.strategy.name)
        stand_in, private = stand_ins()
        try:
            found = self._transact(stand_in, alone=True)
        except StoreConflict:
            raise
        except StoreError as error:
            failed = error
        else:
            return self._own(found, down)
        if self.request.seconds_left() <= 0:
            raise failed.with_traceback(None)
        _logger.warning("%s This process continues by itself, strategy %s", failed.message, self.strategy.name)
        return self._own(self._transact(private, alone=True), down)

    @staticmethod
    def _own(found: Acquired | Use, down: StoreError) -> Acquired:
        """Return what was got alone: only a strategy that can't go on by itself marks what it sends."""
        if isinstance(found, Use):
            raise down.with_traceback(None)
        return found

    def _transact(self, store: Store, *, alone: bool = False) -> Acquired | Use:
        """Get the token in one transaction, or return who is using the refresh token that would be sent.

        Args:
            store: The store.
            alone: Whether others may be renewing the shared token: its refresh token is left to them.
        """
        found = store.read(self.key)
        stored = self._wanted(found)
        if stored is not None:
            return stored
        share = _PATIENCE if self.strategy.unattended else 1.0
        timeout = max(0.0, share * self.request.seconds_left())
        with store.transaction_unless(self.key, lambda entry: self._wanted(entry) is not None, timeout=timeout) as turn:
            entry = turn if isinstance(turn, Entry) else turn.entry
            stored = self._wanted(entry)
            if stored is not None:
                return stored
            if isinstance(turn, Entry):  # it has expired just now
                return self._transact(store, alone=alone)
            transaction = turn
            if entry is not None and entry.use is not None and entry.use.is_pending(self._now()):
                return entry.use
            base = self._base(entry, alone=alone)
            if entry is not None and entry.lineage == base.lineage:
                self._check_failure(entry, seen=found.version if found is not None else 0)
            fetched: tuple[Token, Lineage] | ProcountorAuthError
            try:
                fetched = self._request(store, transaction, base, alone=alone)
            except ProcountorAuthError as error:
                fetched = error
            except BaseException:
                # Nobody waits for somebody who has gone.
                self._write_failure(transaction, base, None, None)
                raise
            if isinstance(fetched, ProcountorAuthError):
                if not isinstance(fetched, StoreConflict):
                    self._write_failure(transaction, base, entry.failure if entry else None, fetched)
                raise fetched.with_traceback(None)
            token, lineage = fetched
            patience = Patience(self.sleep, self.request.seconds_left)
            with suppress(StoreConflict):
                return write_token(transaction, token, lineage, patience)
        acquired = Acquired(token, from_server=True, lineage=lineage)
        return store_late(store, self.key, acquired, base.lineage, patience)

    def _base(self, entry: Entry | None, *, alone: bool) -> Base:
        """Return the token to renew: what is stored, unless the known one follows on it and could not be stored."""
        known = None if alone else self.known
        if known is not None and (entry is None or known.lineage.follows(entry.lineage)):
            return Base(known.token, known.lineage)
        return Base(None, NO_LINEAGE) if entry is None else Base(entry.token, entry.lineage)

    def _wanted(self, entry: Entry | None) -> Acquired | None:
        """Return what is stored, if it is newer than the known token, and not the rejected one."""
        token = entry.token if entry is not None else None
        if entry is None or token is None or not self.owns(token):
            return None
        # A process that has just started is served at once, even if it has to renew behind its next call.
        good = self._now() < (token.usable_until if self.known is None else token.stale_from())
        if self.rejected is not None:
            good = good and token.access_token != self.rejected.access_token
        if self.known is not None:
            good = good and token.access_token != self.known.token.access_token
            good = good and not self.known.lineage.follows(entry.lineage)
        return Acquired(token, from_server=False, lineage=entry.lineage) if good else None

    def _check_failure(self, entry: Entry, *, seen: int) -> None:
        """Raise what another renewal of the same token has failed with, if this one would fail alike.

        Args:
            entry: What was found under the lock.
            seen: The version that was there before the lock was waited for.
        """
        failure = entry.failure
        if failure is None or not failure.concerns(self.credentials):
            return
        pause = failure.pause(self.credentials, self._now()) if self.pauses else 0.0
        if entry.version > seen or pause > 0:
            # It failed while this renewal waited for the lock (another request would be one for each waiter), or the
            # server has refused just this a moment ago.
            raise failure.error(pause)

    def _write_failure(
        self, transaction: Transaction, base: Base, last: Failure | None, failed: ProcountorAuthError | None
    ) -> None:
        """Write a failure beside the token; a refresh token that may have reached the server stays marked."""
        entry = transaction.entry
        use = entry.use if entry is not None else None
        if isinstance(failed, CredentialsRefused | InteractionRequired | WrongCompany):
            use = None
        elif use is not None:
            use = use.ended(self._now())
        failure = Failure.of(failed, self.credentials, at=self._now(), last=last) if failed is not None else None
        with suppress(StoreError):
            transaction.write(base.token, failure, lineage=base.lineage, use=use)

    def _request(self, store: Store, transaction: Transaction, base: Base, *, alone: bool) -> tuple[Token, Lineage]:
        """Request a token. After a refusal look into the store, then try what is configured, then the fallback."""
        before = transaction.entry
        doubt = before.use if before is not None else None
        previous = self.request.previous(base.token)
        try:
            return self.request.ask(transaction, base, previous)
        except (CredentialsRefused, InteractionRequired) as error:
            refusal: Refusal = error
        if isinstance(refusal, InvalidGrant | InteractionRequired):
            again = store.read(self.key)
            if again is not None and again.lineage not in {base.lineage, before.lineage if before else base.lineage}:
                raise StoreConflict("Somebody else has stored another token meanwhile.", hint="Try again.")
        initial = initial_refresh_token(self.strategy)
        sent = self.request.sent(previous)
        if isinstance(refusal, InteractionRequired) and previous is not None and initial not in {None, sent}:
            with suppress(InteractionRequired):
                return self.request.ask(transaction, base, None)
        if doubt is not None and isinstance(refusal, InteractionRequired) and refusal.definite:
            refusal = interaction.in_doubt(refusal, doubt)
        if self.fallback is None or refusal.definite is False or self.superseded():
            raise refusal.with_traceback(None)
        if alone and not self.fallback.strategy.unattended:  # others may be using its refresh token
            raise refusal.with_traceback(None)
        self.fallback.begin(self.strategy, refusal, self.profile)
        return self._fall_back(self.fallback.strategy, transaction, base)

    def _fall_back(self, strategy: Strategy, transaction: Transaction, base: Base) -> tuple[Token, Lineage]:
        """Request a token with the strategy to fall back to: one that needs a person goes on with its last token."""
        request = replace(self.request, strategy=strategy)
        previous = None if strategy.unattended else request.previous(base.token)
        try:
            return request.ask(transaction, base, previous)
        except InteractionRequired as error:
            refusal = error
        if previous is not None and initial_refresh_token(strategy) not in {None, request.sent(previous)}:
            with suppress(InteractionRequired):
                return request.ask(transaction, base, None)
        refusal.hint = (
            f"The chosen strategy, {self.strategy.name}, is refused as well: correct its credentials. Or set "
            f"PROCOUNTOR_STRATEGY={strategy.name}, and log in."
        )
        raise refusal.with_traceback(None)

    def _wait_for(self, use: Use) -> None:
        """Wait a moment for the answer to another process's request.

        Raises:
            StoreUnavailable: There is no time left.
        """
        if self.request.seconds_left() <= _POLL:
            raise StoreUnavailable(
                f"The refresh token is in use: by {use}.", hint="Nothing needs to be changed here; try again later."
            )
        self.sleep(_POLL)

    @property
    def strategy(self) -> Strategy:
        """How tokens are requested; its client's clock says when they expire."""
        return self.request.strategy

    def _now(self) -> float:
        return self.strategy.client.clock()
