"""One request for the next token: which refresh token it sends, whether that may be sent, and the mark in the store."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pydantic import SecretStr

from procountor_auth.errors import StoreConflict, StoreError
from procountor_auth.stores.lineage import Lineage, refresh_digest
from procountor_auth.stores.use import Use
from procountor_auth.strategies.guarded import initial_refresh_token, owns, token_flow
from procountor_auth.tokens import interaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.stores.base import Transaction
    from procountor_auth.stores.spent_tokens import SpentTokens
    from procountor_auth.strategies.base import Strategy
    from procountor_auth.tokens.company import Company

_logger = logging.getLogger("procountor_auth")


class Base(NamedTuple):
    """What a renewal begins with."""

    token: Token | None
    lineage: Lineage


@dataclass(frozen=True)
class TokenRequest:
    """Requests tokens of one configuration, before one deadline.

    Attributes:
        strategy: How they are requested; its client's clock says when they expire.
        company: The company that is configured.
        spent: Configured refresh tokens that are known to be replaced, if that is remembered.
        drive: Drives a flow to its result.
        seconds_left: Says how much time there is until the deadline.
    """

    strategy: Strategy
    company: Company
    spent: SpentTokens | None
    drive: Callable[[Flow[Token]], Token]
    seconds_left: Callable[[], float]

    def previous(self, token: Token | None) -> Token | None:
        """Return the token to renew, if the strategy can.

        Raises:
            WrongCompany: It is another company's login, which only a person can get back: nothing is written over it.
        """
        if token is None or not owns(self.strategy, token):
            return None
        if self.company.keeps(self.strategy, token, self._now()):
            raise self.company.kept_login(token)
        return token if self.company.stranger(token) is None else None

    def ask(self, transaction: Transaction, base: Base, previous: Token | None) -> tuple[Token, Lineage]:
        """Request a token with the strategy: the next one after `previous`, or a first one.

        Raises:
            InteractionRequired: The configured refresh token would be sent, and is known to be spent.
            WrongCompany: It would be sent, and is another company's.
            StoreConflict: The lock is lost; nothing was sent.
            ProcountorAuthError: Whatever the request ends with.
        """
        sent = self.sent(previous)
        begins = previous is None or sent is None or sent.get_secret_value() != previous.refresh_token
        if begins and sent is not None:
            self.company.check_credential(self.strategy)
            self._check_unspent(sent, base.lineage)
        flow = token_flow(
            self.strategy, self.strategy.acquire if previous is None else partial(self.strategy.renew, previous)
        )
        if sent is None or self.strategy.unattended:
            token = self.drive(flow)
        else:
            token = self._drive_marked(transaction, base, flow, sent, begins=begins)
        lineage = base.lineage.next(sent, token, begins=begins)
        if begins and sent is not None and lineage.has_spent(sent) and self.spent is not None:
            self.spent.add(refresh_digest(sent))
        return token, lineage

    def _drive_marked(
        self, transaction: Transaction, base: Base, flow: Flow[Token], refresh_token: SecretStr, *, begins: bool
    ) -> Token:
        use = Use.here(refresh_digest(refresh_token), self._now(), self.seconds_left())
        try:
            transaction.write(base.token, lineage=base.lineage, use=use)
        except StoreConflict:
            raise
        except StoreError as error:
            _logger.debug("the use of the refresh token is not marked: %s", error.message)
        if begins:
            self._check_unspent(refresh_token, base.lineage)  # once more: somebody may have been faster
        with use.under_way():
            return self.drive(flow)

    def sent(self, previous: Token | None) -> SecretStr | None:
        """Return the refresh token that the strategy sends, if it sends one."""
        if previous is None or previous.refresh_token is None or previous.refresh_ended(self._now()):
            return initial_refresh_token(self.strategy)
        return SecretStr(previous.refresh_token)

    def _check_unspent(self, refresh_token: SecretStr, lineage: Lineage) -> None:
        digest = refresh_digest(refresh_token)
        remembered = self.spent is not None and self.spent.has(digest)
        if remembered or lineage.has_spent(refresh_token):
            raise interaction.spent(self.spent.path(digest) if remembered and self.spent is not None else None)

    def _now(self) -> float:
        return self.strategy.client.clock()
