"""Sources for programs that have their secrets from elsewhere, such as a vault, and not in the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

from procountor_auth.protocol.importing import importing
from procountor_auth.tokens.source import TokenSource

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

_Secret = TypeVar("_Secret")


class OtherSettings(TypedDict, total=False):
    """Settings that every strategy has. Those that are not given come from the environment, as usual."""

    environment: Literal["production", "test"]
    base_url: str
    api_version: str
    token_store: str | SecretStr
    token_store_key: str | SecretStr
    timeout: float
    proxy: str | SecretStr
    ca_bundle: str | Path


def wrapped(secret: _Secret) -> _Secret | SecretStr:
    """Return a secret so that a traceback with local variables does not show it.

    What is no text is returned as it is: the setting says what is wrong with it.
    """
    if not isinstance(secret, str):
        return secret
    from pydantic import SecretStr  # noqa: PLC0415 - only a program with secrets at hand waits for it

    return SecretStr(secret)


def hide(others: OtherSettings) -> None:
    """Wrap the secrets among further settings, in place: the caller's frame holds them as well."""
    names: tuple[Literal["token_store", "token_store_key", "proxy"], ...] = ("token_store", "token_store_key", "proxy")
    for name in names:
        secret = others.get(name)
        if secret is not None:
            others[name] = wrapped(secret)


def explicit_source(strategy: str, library: str | None, /, **values: Any) -> TokenSource:  # noqa: ANN401 - each is validated by its setting
    """Return the source of a strategy with these settings, and those of the environment for the rest.

    Args:
        strategy: The strategy's name.
        library: Which HTTP library fetches tokens.
        values: The settings by their names; None for one that is not given.

    Raises:
        ConfigurationError: Something is missing or wrong.
        LegacyNotAllowed: The strategy is the legacy one, and forbidden.
        TypeError: There is a value that is no setting.
    """
    for name in ("strategy", "library"):
        if name in values:
            raise TypeError(f"{strategy}() has its {name} already: leave {name}= out")
    with importing():
        from procountor_auth.settings.settings import Settings  # noqa: PLC0415 - it brings pydantic-settings

    given = {name: value for name, value in values.items() if value is not None}
    return TokenSource.from_settings(Settings(strategy=strategy, **given), library=library)


def check_source(source: object, library: str) -> TokenSource | None:
    """Return what was given as a source, if it is one or None.

    Raises:
        TypeError: It is something else. Says what to write; it is not shown, as it may be a token.
    """
    if source is None or isinstance(source, TokenSource):
        return source
    way = "ProcountorAuth(source) takes a TokenSource"
    if isinstance(source, str):
        meant = "ProcountorAuth(profile=…) for a profile, or ProcountorAuth.client_credentials(api_key=…, …) for a key"
    elif type(source).__name__.endswith("Settings"):
        meant = "ProcountorAuth(TokenSource.from_settings(settings))"
    else:
        meant = "ProcountorAuth() for what the environment describes"
    raise TypeError(f"{way}, not a {type(source).__name__}: write {meant} (procountor_auth.{library})")
