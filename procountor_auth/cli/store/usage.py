"""Which entries the configured profiles use, or would use after a switch: derived from keys, without a store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from procountor_auth.bridge.login_key import entry_of
from procountor_auth.bridge.records import STRATEGY as BRIDGE
from procountor_auth.errors import ConfigurationError, ProcountorAuthError
from procountor_auth.settings.problems import is_merely_absent
from procountor_auth.strategies.registry import build, strategy_names
from procountor_auth.tokens.entry_key import entry_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from procountor_auth.strategies.base import Strategy
    from procountor_auth.tokens.pool import ProviderPool
    from procountor_auth.tokens.provider import TokenProvider

Role: TypeAlias = Literal["chosen", "fallback", "possible", "bridge"]

_MAX_NAMED: Final = 5
"""How many profiles an error names."""


class User(NamedTuple):
    """A profile that uses an entry.

    Attributes:
        profile: The profile, or None if there are no profiles.
        account: The account, if the program names one.
        strategy: The strategy of the entry; `bridge` for the bridge's tokens.
        role: Whether that strategy is `chosen`, the `fallback`, or `possible`: the profile has its variables, and may
            switch to it, or back; or `bridge`: programs log in there with the profile's login.
    """

    profile: str | None
    account: str
    strategy: str
    role: Role

    def as_dict(self) -> dict[str, Any]:
        """Return the user as JSON-ready values."""
        return self._asdict()


@dataclass
class Usage:
    """The entries that all profiles use.

    Attributes:
        users: The users of each key.
        unread: Why a profile could not be read, so that its entries are unknown.
        providers: The provider of each profile that could be read.
    """

    users: dict[str, dict[User, None]] = field(default_factory=dict[str, "dict[User, None]"])
    unread: dict[str | None, ProcountorAuthError] = field(default_factory=dict[str | None, ProcountorAuthError])
    providers: list[TokenProvider] = field(default_factory=list["TokenProvider"])

    def refuse_if_incomplete(self) -> None:
        """Check that the entries of every profile are known.

        Raises:
            ProcountorAuthError: A profile could not be read.
        """
        if None in self.unread:
            raise self.unread[None]
        if not self.unread:
            return
        names = [str(name) for name in self.unread]
        more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
        first = self.unread[names[0]].message
        raise ConfigurationError(
            f"Nothing was removed: what looks unused may belong to a profile that can't be read: "
            f"{', '.join(names[:_MAX_NAMED])}{more}. {first}",
            hint="Correct or remove the profile, and prune again; `procountor-auth status` shows what is wrong.",
        )


def find_usage(pool: ProviderPool, accounts: Sequence[str] = ()) -> Usage:
    """Return the entries of a pool's profiles: for the strategy of each, its fallback, and possible strategies.

    Args:
        pool: The pool of the profiles' providers.
        accounts: The program's names for further accounts, besides each profile's.
    """
    usage = Usage()
    strategies = strategy_names()  # it looks through all installed packages
    for name in (None, *pool.profiles):
        # With profiles, the common values may be incomplete; if they are complete, a program may use them.
        required = name is not None or not pool.profiles
        try:
            provider = pool.provider(name)
        except ProcountorAuthError as error:
            if required or not is_merely_absent(error):
                usage.unread[name] = error
            continue
        usage.providers.append(provider)
        _add(usage, provider, accounts, "chosen")
        _add_bridge(usage, provider)
        for strategy in strategies:
            if strategy == provider.strategy.name:
                continue
            try:
                other = pool.provider(name, strategy)
            except ProcountorAuthError as error:
                if not is_merely_absent(error):
                    usage.unread[name] = error
            else:
                is_fallback = strategy == provider.settings.fallback_strategy
                _add(usage, other, accounts, "fallback" if is_fallback else "possible")
    return usage


def _add(usage: Usage, provider: TokenProvider, accounts: Sequence[str], role: Role) -> None:
    settings = provider.settings
    strategies: list[tuple[Strategy, Role]] = [(provider.strategy, role)]
    if settings.refresh_token is not None and not provider.strategy.unattended:
        # The browser login that the configured refresh token replaced, and that would be used again without it.
        without = settings.model_copy(update={"refresh_token": None})
        with suppress(ProcountorAuthError):  # another package's strategy may need it
            strategies.append((build(without, provider.strategy.name, clock=provider.clock), "possible"))
    for strategy, its_role in strategies:
        for account in ("", *accounts):
            key = entry_key(strategy, account or provider.account)
            user = User(settings.profile, account, strategy.name, its_role)
            usage.users.setdefault(key, {})[user] = None


def _add_bridge(usage: Usage, provider: TokenProvider) -> None:
    settings = provider.settings
    try:
        key = entry_of(settings)
    except ProcountorAuthError as error:
        usage.unread[settings.profile] = error
        return
    if key is not None:
        usage.users.setdefault(key, {})[User(settings.profile, "", BRIDGE, "bridge")] = None
