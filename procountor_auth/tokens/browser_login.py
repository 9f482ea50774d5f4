"""The login of a source: begun here, or continued after another process has begun it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.errors import ConfigurationError
from procountor_auth.protocol.importing import importing

if TYPE_CHECKING:
    from pydantic import SecretStr

    from procountor_auth.login.login import Login
    from procountor_auth.tokens.renewing_cache import RenewingCache


def login_of(cache: RenewingCache, redirect_uri: str | None = None, saved: SecretStr | None = None) -> Login:
    """Return a login whose token the cache keeps.

    Args:
        cache: The cache.
        redirect_uri: The registered redirect URI with this login's port filled in; by default as it is.
        saved: What a login's `save` has returned, to go on with that one.

    Raises:
        ConfigurationError: Another strategy is chosen, or `redirect_uri` is not the registered one.
        RedirectError: `saved` is no saved login of this entry, or is over.
    """
    with importing():  # few programs have a person in front of them
        from procountor_auth.login.login import Login  # noqa: PLC0415 - see above
        from procountor_auth.login.saved_login import SavedLogins, key_from  # noqa: PLC0415 - the same
        from procountor_auth.strategies.authorization_code import AuthorizationCodeStrategy  # noqa: PLC0415 - the same

    provider = cache.provider
    strategy = provider.strategy
    with provider.whose.named():
        if not isinstance(strategy, AuthorizationCodeStrategy):
            raise ConfigurationError(
                f"The {strategy.name} strategy has no login page.",
                hint="Set PROCOUNTOR_STRATEGY=authorization_code to log in with a browser, or just call `token()`.",
            )
        last_key = key_from(strategy.client.client_secret)
        saves = SavedLogins(provider.store_keys, last_key, provider.key, provider.clock)
        return Login(strategy, cache.keep_result_of, redirect_uri, provider.whose, saves=saves, saved=saved)
