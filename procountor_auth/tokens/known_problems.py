"""Problems that keep a configuration from getting tokens, as far as they show without a request."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.protocol.token import Token
from procountor_auth.stores.lineage import refresh_digest
from procountor_auth.strategies.guarded import owns
from procountor_auth.strategies.registry import build

if TYPE_CHECKING:
    from procountor_auth.errors import WrongCompany
    from procountor_auth.settings.settings import Settings
    from procountor_auth.strategies.base import Strategy
    from procountor_auth.tokens.provider import TokenProvider


def needs_login(provider: TokenProvider, token: Token | None, now: float) -> bool:
    """Return whether there is nothing to get a token from, so that a user has to log in.

    Args:
        provider: The configuration.
        token: The stored token, if any.
        now: The time, in Unix seconds.
    """
    if provider.unattended:
        return False
    if token is not None and now < token.usable_until:
        return False
    strategy = provider.strategy
    known = [token] if token is not None and owns(strategy, token) and provider.owns(token) else []
    configured, spent = strategy.initial_refresh_token, provider.backends.spent
    if configured is not None and not (spent and spent.has(refresh_digest(configured))):
        known.append(Token("", 0.0, 0.0, strategy.name, configured.get_secret_value()))
    return not any(each.refresh_token is not None and not each.refresh_ended(now) for each in known)


def find_wrong_fallback(provider: TokenProvider) -> WrongCompany | None:
    """Return the error that what is fallen back with is another company's, as far as it says so of itself.

    A provider that was built without its fallback is asked as well: the settings name it.
    """
    fallback = provider.fallback.strategy if provider.fallback else _named_fallback(provider.settings)
    stranger = provider.company.stranger_of(fallback) if fallback else None
    return provider.company.wrong_credential(fallback, stranger) if fallback and stranger is not None else None


def _named_fallback(settings: Settings) -> Strategy | None:
    if settings.fallback_strategy in {None, settings.strategy}:
        return None
    with suppress(ProcountorAuthError):  # its key is in a keychain that does not answer
        return build(settings, settings.fallback_strategy)
    return None


def find_wrong_company(provider: TokenProvider, token: Token | None, now: float) -> WrongCompany | None:
    """Return the error that what is configured or stored is another company's, as far as it says so of itself.

    Args:
        provider: The configuration.
        token: The stored token, if any.
        now: The time, in Unix seconds.
    """
    if (stranger := provider.company.stranger_of(provider.strategy)) is not None:
        return provider.company.wrong_credential(provider.strategy, stranger)
    if (wrong := find_wrong_fallback(provider)) is not None:
        return wrong
    if token is not None and provider.company.keeps(provider.strategy, token, now):
        return provider.company.kept_login(token)
    return None
