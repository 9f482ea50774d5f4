"""What can be said about profiles without a request to Procountor: their configuration, and what the store has."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from procountor_auth.errors import InteractionRequired, LegacyNotAllowed, ProcountorAuthError, StoreUnavailable
from procountor_auth.migration.policy import apply_legacy_policy
from procountor_auth.migration.side import Side
from procountor_auth.migration.verdict import Reason, reasons_of
from procountor_auth.stores import open_store
from procountor_auth.stores.key import entry_key
from procountor_auth.strategies.registry import find_strategy
from procountor_auth.token import Token

from .output import store_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from procountor_auth.profiles import Profiles
    from procountor_auth.settings import Settings
    from procountor_auth.stores.base import Entry, Store
    from procountor_auth.stores.failure import Failure

AT_ONCE: Final = 16
"""How many entries are read at the same time: a store may be far away."""

_DAY: Final = 86_400.0


class Overview(NamedTuple):
    """One profile, as its configuration and the store have it.

    Attributes:
        profile: Its name, or None where there are no profiles.
        now: When this was found out, in Unix seconds.
        side: The settings and the strategy; None if the configuration is wrong.
        token: The stored token, if there is one.
        failure: What the last renewal ended with, if not with a token.
        reasons: What keeps programs from getting tokens; empty if nothing is known to.
    """

    profile: str | None
    now: float
    side: Side | None
    token: Token | None = None
    failure: Failure | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing is known to keep programs from getting tokens."""
        return not self.reasons

    @property
    def deprecated(self) -> bool:
        """Whether the strategy is."""
        return self.side is not None and self.side.strategy.lifecycle is not None

    @property
    def token_state(self) -> str:
        """`fresh`, `stale`, `expired`, or `none`."""
        return self.token.state(self.now).value if self.token else "none"

    @property
    def refresh_days(self) -> int | None:
        """Whole days until the stored refresh token ends, if it says when."""
        ends = self.token.refresh_expires_at if self.token else None
        return None if ends is None else max(0, int((ends - self.now) // _DAY))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values; times are Unix seconds. No secret is in it."""
        settings = self.side.settings if self.side else None
        token = self.token
        return {
            "profile": self.profile,
            "ready": self.ready,
            "reasons": [reason.message for reason in self.reasons],
            "problems": [reason.as_dict() for reason in self.reasons],
            "strategy": settings and settings.strategy,
            "deprecated": self.deprecated,
            "fallback_strategy": settings and settings.fallback_strategy,
            "host": settings and settings.endpoints.host,
            "client_id": settings and settings.client_id,
            "store": settings and store_name(settings),
            "token_state": self.token_state,
            "token_strategy": token and token.strategy,
            "token_expires_at": token and token.expires_at,
            "company_id": token and token.company_id,
            "user_id": token and token.user_id,
            "refresh_token_expires_at": token and token.refresh_expires_at,
            "refresh_token_days": self.refresh_days,
            "deprecated_at": token and token.deprecated_at,
            "sunset_at": token and token.sunset_at,
            "last_failure": self.failure and {"code": self.failure.error().code, "message": self.failure.message},
        }


def overviews(
    profiles: Profiles, names: Sequence[str | None], *, account: str = "", clock: Callable[[], float] = time.time
) -> list[Overview]:
    """Look at profiles. Nothing is sent to Procountor; the token stores are read, many entries at a time.

    Args:
        profiles: What all places said.
        names: The profiles; None where there are none.
        account: The program's own name for whose tokens they are; by default each profile's.
        clock: The wall clock, in Unix seconds.
    """
    stores = _Stores()
    found = [_configured(profiles, name, clock) for name in names]
    with ThreadPoolExecutor(min(AT_ONCE, max(1, len(found))), thread_name_prefix="procountor-auth") as pool:
        return list(pool.map(lambda each: _with_entry(each, stores, account), found))


def forbidden(settings: Settings) -> LegacyNotAllowed | None:
    """Return why programs may not use these settings, if `PROCOUNTOR_LEGACY_POLICY` forbids their strategies."""
    if "legacy_password" in {settings.strategy, settings.fallback_strategy} and settings.legacy_policy == "error":
        try:
            apply_legacy_policy("error")
        except LegacyNotAllowed as error:
            return error
    return None


def login_hint(profile: str | None) -> str:
    """Return what a person does who has to log in."""
    return f"Run `procountor-auth login{f' --profile {profile}' if profile else ''}`, or set PROCOUNTOR_REFRESH_TOKEN."


def needs_login(side: Side, token: Token | None, now: float) -> bool:
    """Whether there is nothing to get a token from, so that a person has to log in.

    Args:
        side: The settings and the strategy.
        token: The stored token, if any.
        now: The time, in Unix seconds.
    """
    settings = side.settings
    fallback = find_strategy(settings.fallback_strategy) if settings.fallback_strategy else None
    if side.strategy.alone or (fallback is not None and fallback.alone):
        return False
    if token is not None and now < token.usable_until:
        return False
    known = [token] if token is not None and side.strategy.serves(token) else []
    if settings.refresh_token is not None:
        known.append(Token("", 0.0, 0.0, settings.strategy, settings.refresh_token.get_secret_value()))
    return not any(each.refresh_token is not None and not each.refresh_ended(now) for each in known)


class _Stores:
    """One store for each configuration of one, and which of them can't be reached: that is waited for once."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Store] = {}
        self._down: dict[int, StoreUnavailable] = {}

    def read(self, settings: Settings, key: str) -> Entry | None:
        """Read an entry. Raises what `open_store` and `Store.read` raise."""
        sealed = settings.token_store_key.get_secret_value() if settings.token_store_key else ""
        place = (settings.token_store.get_secret_value(), sealed)
        store = self._open.get(place)
        if store is None:
            store = self._open.setdefault(place, open_store(settings.token_store, settings.token_store_keys))
        down = self._down.get(id(store))
        if down is None:
            try:
                return store.read(key)
            except StoreUnavailable as error:
                down = self._down[id(store)] = error
        raise StoreUnavailable(down.message, hint=down.hint)


def _configured(profiles: Profiles, name: str | None, clock: Callable[[], float]) -> Overview:
    try:
        side = Side.of(profiles, name, clock=clock)
    except ProcountorAuthError as error:
        return Overview(name, clock(), None, reasons=reasons_of(error))
    # None may have become the profile that PROCOUNTOR_PROFILE names.
    refused = forbidden(side.settings)
    return Overview(side.settings.profile, clock(), side, reasons=reasons_of(refused) if refused else ())


def _with_entry(found: Overview, stores: _Stores, account: str) -> Overview:
    side = found.side
    if side is None:
        return found
    entry: Entry | None = None
    reasons = list(found.reasons)
    try:
        if not side.forgets:
            entry = stores.read(side.settings, entry_key(side.strategy, account or side.account))
    except ProcountorAuthError as error:
        reasons += reasons_of(error)
    else:
        if needs_login(side, entry.token if entry else None, found.now):
            message, hint = "a person has to log in", login_hint(found.profile)
            reasons.append(Reason(code=InteractionRequired.code, message=message, hint=hint))
        elif entry is not None and entry.failure is not None and not entry.failure.retryable:
            reasons += reasons_of(entry.failure.error(), "the last renewal failed: ")
    if entry is not None:
        found = found._replace(token=entry.token, failure=entry.failure)
    return found._replace(reasons=tuple(dict.fromkeys(reasons)))
