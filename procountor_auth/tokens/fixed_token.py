"""A token that a program has already, checked like one that comes from anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError
from procountor_auth.protocol.importing import importing

if TYPE_CHECKING:
    from procountor_auth.strategies.fixed_token import FixedTokenStrategy


def fixed_token_strategy(access_token: SecretStr, base_url: str) -> FixedTokenStrategy:
    """Return the strategy that provides one token.

    Args:
        access_token: The token.
        base_url: The host that it is for.

    Raises:
        ConfigurationError: One of them can't be it.
    """
    with importing():
        from procountor_auth.settings.base_url import without_api_path  # noqa: PLC0415 - for tests alone
        from procountor_auth.settings.validators import check_credential, check_host, plain  # noqa: PLC0415 - the same
        from procountor_auth.strategies.fixed_token import FixedTokenStrategy  # noqa: PLC0415 - the same

    problem = ""
    values, _ = without_api_path({"base_url": base_url})
    version = plain(values.get("api_version"))
    try:
        token, host = check_credential(access_token), check_host(plain(values["base_url"]))
        if token:
            return FixedTokenStrategy(SecretStr(token), host, str(version) if version else None)
        problem = "is empty"
    except ValueError as error:
        problem = str(error)
    raise ConfigurationError(
        f"The fixed token or its host can't be used: it {problem}.", hint="Give the bare access token, and a base URL."
    )
