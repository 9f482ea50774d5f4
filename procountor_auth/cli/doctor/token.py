"""Checks of the token: gets one as a program would, and reads its user and company from `sessioninfo`."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from procountor_auth.cli.output import format_time
from procountor_auth.errors import CredentialsRefused, ProcountorAuthError
from procountor_auth.events import FellBack, SunsetAnnounced, TokenAcquired
from procountor_auth.protocol.sessioninfo import read_session
from procountor_auth.protocol.sunset import SunsetNotice
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.tokens.renewing_cache import RenewingCache
from procountor_auth.tokens.telemetry import Telemetry

from .check import collect_log_warnings
from .store import check_last_renewal, read_entry

if TYPE_CHECKING:
    from procountor_auth.events import Event
    from procountor_auth.protocol.token import Token

    from .check import Findings


def check_token(findings: Findings, looked_at: TokenProvider) -> None:
    """Get a token, from the store if there is a valid one, and call the API with it.

    Args:
        findings: Where the results go.
        looked_at: Where programs get their tokens.
    """
    events: list[Event] = []
    telemetry = Telemetry(events.append)
    with collect_log_warnings() as log:
        try:
            # As in a program, with the fallback, but without the warning about a deprecated strategy.
            provider = TokenProvider.from_settings(
                looked_at.settings,
                account=looked_at.account,
                on_fallback=telemetry.emit,
                clock=looked_at.clock,
                on_response=telemetry.on_response,
            )
            cache = RenewingCache(provider, telemetry, monotonic=time.monotonic, jitter=random.random)
            token = cache.token()
        except ProcountorAuthError as error:
            findings.add_error("token", error)
            return
        finally:
            _add_events(findings, events)
        from_server = any(isinstance(event, TokenAcquired) for event in events)
        origin = "new from Procountor" if from_server else "from the store"
        findings.add("token", "ok", f"{origin}, valid until {format_time(token.expires_at)}")
        if not provider.forgets:
            with suppress(ProcountorAuthError):
                check_last_renewal(findings, read_entry(provider))
        findings.add_sunset_notice(SunsetNotice(token.deprecated_at, token.sunset_at))
        events.clear()
        _check_session(findings, provider, cache, token)
        _add_events(findings, events)
    for line in log:
        findings.add("log", "warning", line)


def _check_session(findings: Findings, provider: TokenProvider, cache: RenewingCache, token: Token) -> None:
    """Ask the API which user and company the token is for."""
    renewed = ""
    try:
        try:
            session = provider.drive(read_session(provider.endpoints, token), provider.deadline())
        except CredentialsRefused:
            # It may have been revoked. A program's requests are retried with another token after a 401.
            token = cache.renew(token)
            session = provider.drive(read_session(provider.endpoints, token), provider.deadline())
            renewed = "; the previous token was rejected"
    except ProcountorAuthError as error:
        findings.add_error("sessioninfo", error)
        return
    name = f"{session.company_name}, " if session.company_name else ""
    user = "" if session.user_id is None else f", user {session.user_id}"
    message = f"the token is for {name}company {session.company_id}{user}{renewed}"
    findings.add("sessioninfo", "warning" if renewed else "ok", message)
    if provider.company.other_than(session.company_id):
        findings.add_error("company", provider.company.wrong_session(token.strategy, session.company_id))


def _add_events(findings: Findings, events: list[Event]) -> None:
    """Add what the token source has logged."""
    for event in events:
        if isinstance(event, FellBack):
            hint = "`procountor-auth migrate rehearse` shows why the chosen strategy is rejected."
            findings.add("fallback", "warning", event.message, hint)
        elif isinstance(event, SunsetAnnounced):
            findings.add_sunset_notice(SunsetNotice(event.deprecated_at, event.sunset_at, event.link))
