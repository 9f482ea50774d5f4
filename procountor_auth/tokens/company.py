"""Checks that a token is for the configured company. A token of another company is neither returned nor stored."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import WrongCompany, printable
from procountor_auth.protocol.claims import read_id, unverified_claims
from procountor_auth.strategies.guarded import ask, owns

if TYPE_CHECKING:
    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.settings import Settings
    from procountor_auth.stores.base import Entry
    from procountor_auth.strategies.base import Strategy

_logger = logging.getLogger("procountor_auth")


@dataclass(frozen=True, slots=True)
class Company:
    """The company that is configured.

    What a token says of itself is not verified. It can only forbid here: nothing is allowed because a token says so.

    Attributes:
        number: Its number, or None if none is configured.
    """

    number: int | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings | None) -> Company:
        """Return the company that settings name."""
        configured = settings.company if settings else None
        return cls(read_id(configured.get_secret_value()) if configured else None)

    def other_than(self, company: int | None) -> bool:
        """Whether this is certainly another company than the configured one."""
        return self.number is not None and company is not None and company != self.number

    def stranger(self, token: Token) -> int | None:
        """Return the other company that a token, or its refresh token, says it is for; or None."""
        if self.number is None:
            return None  # so that no token is decoded for nothing
        refresh = read_id(unverified_claims(token.refresh_token or "").get("cid"))
        return next((each for each in (token.company_id, refresh) if self.other_than(each)), None)

    def check_received(self, token: Token) -> None:
        """Refuse a new token of another company.

        Raises:
            WrongCompany: It is another company's.
        """
        other = self.stranger(token)
        if other is not None:
            hint = _TAKE.get(token.strategy, _TAKE_OTHER)
            raise self._wrong(f"The token from {token.strategy} is for company {other}", hint)

    def check_credential(self, strategy: Strategy) -> None:
        """Refuse to send a refresh token of another company: the server may replace it, and it would be lost.

        Raises:
            WrongCompany: It says that it is another company's.
        """
        other = self.stranger_of(strategy)
        if other is not None and not strategy.unattended:
            raise self.wrong_credential(strategy, other)

    def stranger_of(self, strategy: Strategy) -> int | None:
        """Return the other company that a strategy's credential says it is for, if it does."""
        claimed = read_id(ask(strategy, lambda: strategy.credential_claims().get("cid")))
        return claimed if self.other_than(claimed) else None

    def wrong_credential(self, strategy: Strategy, other: int) -> WrongCompany:
        """Return the error that the credential of a strategy says it is for another company."""
        variable = _VARIABLES.get(strategy.name)
        what = variable or f"The credential of {printable(strategy.name)}"
        error = self._wrong(f"{what} is for company {other}", _TAKE.get(strategy.name, _TAKE_OTHER))
        error.variable = variable
        return error

    def wrong_session(self, strategy: str, company: int) -> WrongCompany:
        """Return the error that the server says that a strategy's token is for another company."""
        return self._wrong(f"The token of {strategy} reaches company {company}", _TAKE.get(strategy, _TAKE_OTHER))

    def keeps(self, strategy: Strategy, token: Token, now: float) -> bool:
        """Whether a stored token is another company's login, which only a person can get back, and so is kept."""
        return (
            owns(strategy, token)
            and self.stranger(token) is not None
            and token.refresh_token is not None
            and not (strategy.unattended or token.refresh_ended(now))
        )

    def kept_login(self, stored: Token) -> WrongCompany:
        """Return the error that the store has a login to another company, which nothing replaces but a login."""
        return self._wrong(
            f"The stored login is for company {self.stranger(stored)}, and is kept, but not used",
            "Run `procountor-auth login` and choose the company, which replaces it; `procountor-auth logout` ends it. "
            "Or correct PROCOUNTOR_COMPANY.",
        )

    def tell_of_replaced(self, entry: Entry | None) -> None:
        """Log that a login takes the place of another company's."""
        if entry is not None and entry.token is not None and self.stranger(entry.token) is not None:
            _logger.warning("a login to PROCOUNTOR_COMPANY replaces the stored one, which was to another company")

    def _wrong(self, what: str, hint: str) -> WrongCompany:
        return WrongCompany(f"{what}; PROCOUNTOR_COMPANY is {self.number}.", hint=hint)


def check_same_company(known: Token, received: Token) -> None:
    """Refuse the token of another company where its predecessor's is known, and none is configured.

    Raises:
        WrongCompany: Both say whose they are, and differ.
    """
    if None not in {known.company_id, received.company_id} and known.company_id != received.company_id:
        raise WrongCompany(
            f"The secret that is configured is of company {received.company_id} by now; it was of company "
            f"{known.company_id} before.",
            hint="Call `reload()`, or restart the program, to go on with the other company.",
        )


_VARIABLES: Final = {"client_credentials": "PROCOUNTOR_API_KEY", "authorization_code": "PROCOUNTOR_REFRESH_TOKEN"}

_LOG_IN: Final = (
    "Set PROCOUNTOR_REFRESH_TOKEN to one of this company, or take it out, run `procountor-auth login`, and choose the "
    "company. Or correct PROCOUNTOR_COMPANY."
)

_TAKE: Final = {
    "client_credentials": "Set PROCOUNTOR_API_KEY to a key of this company: `procountor-auth key create` makes one. Or "
    "correct PROCOUNTOR_COMPANY.",
    "authorization_code": _LOG_IN,
}
"""What to do where the token of a strategy is another company's."""

_TAKE_OTHER: Final = "Take the credentials of this company, or correct PROCOUNTOR_COMPANY."
