"""What is known about profiles without a request to Procountor: their configurations and stored tokens."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from procountor_auth.cli.output import login_hint
from procountor_auth.errors import InteractionRequired, ProcountorAuthError
from procountor_auth.migration.readiness import Reason, for_profile, key_reasons, reasons_of
from procountor_auth.strategies.deprecation import legacy_refusal
from procountor_auth.tokens.known_problems import find_wrong_company, needs_login
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.stores.base import Entry
    from procountor_auth.stores.failure import Failure
    from procountor_auth.tokens.provider import TokenProvider

_MAX_CONCURRENT_READS: Final = 16
"""How many entries are read at the same time: a remote store may be slow."""

_DAY_SECONDS: Final = 86_400.0


class Report(NamedTuple):
    """A profile's configuration and stored token.

    Attributes:
        profile: Its name, or None where there are no profiles.
        now: The time of the report, in Unix seconds.
        provider: The settings and the strategy; None if the configuration is wrong.
        token: The stored token, if there is one.
        failure: The error of the last renewal, if it failed.
        reasons: The known problems that prevent programs from getting tokens.
    """

    profile: str | None
    now: float
    provider: TokenProvider | None
    token: Token | None = None
    failure: Failure | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether no known problem prevents programs from getting tokens."""
        return not self.reasons

    @property
    def deprecated(self) -> bool:
        """Whether the strategy is deprecated."""
        return self.provider is not None and self.provider.strategy.lifecycle is not None

    @property
    def token_state(self) -> str:
        """`fresh`, `stale`, `expired`, or `none`."""
        return self.token.state(self.now).value if self.token else "none"

    @property
    def refresh_days(self) -> int | None:
        """Whole days until the stored refresh token expires, if that is known."""
        expires_at = self.token.refresh_expires_at if self.token else None
        return None if expires_at is None else max(0, int((expires_at - self.now) // _DAY_SECONDS))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values, without secrets; times are Unix seconds."""
        settings = self.provider.settings if self.provider else None
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
            "store": settings and settings.store_label,
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


def make_reports(
    profiles: Profiles, names: Sequence[str | None], *, account: str = "", clock: Callable[[], float] = time.time
) -> list[Report]:
    """Report on profiles. Nothing is sent to Procountor; the token stores are read, many entries at a time.

    Args:
        profiles: The profiles, with their variables from all places.
        names: The profiles; None where there are none.
        account: The program's name for the account of the tokens; by default each profile's.
        clock: The wall clock, in Unix seconds.
    """
    providers = ProviderPool(profiles, clock=clock)
    reports = [_report_on_configuration(providers, name, account) for name in names]
    workers = min(_MAX_CONCURRENT_READS, max(1, len(reports)))
    if workers == 1:  # needs no thread, which some host may not have
        return [_add_entry(report, providers=providers) for report in reports]
    with ThreadPoolExecutor(workers, thread_name_prefix="procountor-auth") as pool:
        return list(pool.map(partial(_add_entry, providers=providers), reports))


def _report_on_configuration(providers: ProviderPool, name: str | None, account: str) -> Report:
    try:
        provider = providers.provider(name, account=account)
    except ProcountorAuthError as error:
        return Report(name, providers.clock(), None, reasons=for_profile(name, reasons_of(error)))
    settings = provider.settings
    refusal = legacy_refusal(settings.legacy_policy, settings.strategy, settings.fallback_strategy)
    now = providers.clock()
    reasons, _ = key_reasons(provider, now)
    if refusal:
        reasons += reasons_of(refusal)
    # None may have been resolved to the profile in PROCOUNTOR_PROFILE.
    return Report(settings.profile, now, provider, reasons=tuple(reasons))


def _add_entry(report: Report, providers: ProviderPool) -> Report:
    """Return a report with the stored token."""
    provider = report.provider
    if provider is None:
        return report
    entry: Entry | None = None
    reasons = list(report.reasons)
    try:
        if not provider.forgets:
            entry = providers.entry(provider)
    except ProcountorAuthError as error:
        reasons += reasons_of(error)
    else:
        token = entry.token if entry else None
        wrong = find_wrong_company(provider, token, report.now)
        if wrong is not None:
            reasons += reasons_of(wrong)
        elif needs_login(provider, token, report.now):
            message, hint = "a user has to log in", login_hint(report.profile)
            reasons.append(Reason(code=InteractionRequired.code, message=message, hint=hint))
        elif entry is not None and entry.failure is not None and not entry.failure.retryable:
            reasons += reasons_of(entry.failure.error(), "the last renewal failed: ")
    if entry is not None:
        report = report._replace(token=entry.token, failure=entry.failure)
    return report._replace(reasons=for_profile(report.profile, dict.fromkeys(reasons)))
