"""Checks of the token store: whether it can be read and locked, who can read the tokens, and which one is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from procountor_auth.cli.output import format_time, login_hint
from procountor_auth.errors import ProcountorAuthError, UnreadableEntry
from procountor_auth.protocol.pages import STORES
from procountor_auth.protocol.sunset import SunsetNotice
from procountor_auth.settings.hosts import is_loopback
from procountor_auth.tokens.known_problems import find_wrong_company, needs_login

from .check import collect_log_warnings

if TYPE_CHECKING:
    from procountor_auth.settings.settings import Settings
    from procountor_auth.stores.base import Entry
    from procountor_auth.tokens.provider import TokenProvider

    from .check import Findings, State

_LOCK_SECONDS: Final = 10.0
"""Seconds to wait for the lock of the stored token."""


def read_entry(provider: TokenProvider) -> Entry | None:
    """Read and lock the entry as a renewal does.

    Raises:
        ProcountorAuthError: The store can't be opened, read or locked.
    """
    return provider.locked_entry(min(_LOCK_SECONDS, provider.settings.timeout))


def check_store(findings: Findings, provider: TokenProvider, *, now: float, offline: bool) -> bool:
    """Check the store; return whether it can be used.

    Args:
        findings: Where the results go.
        provider: Where programs get their tokens.
        now: The time, in Unix seconds.
        offline: Check the stored token too, as nothing else will.
    """
    if provider.forgets:
        _check_memory_store(findings, provider, now=now, offline=offline)
        return True
    settings = provider.settings
    with collect_log_warnings() as log:
        try:
            entry = read_entry(provider)
        except UnreadableEntry as error:
            # A strategy without a login page works without the store.
            findings.add(
                "token store", "warning" if provider.strategy.unattended else "failed", error.message, error.hint
            )
            return provider.strategy.unattended
        except ProcountorAuthError as error:
            findings.add_error("token store", error)
            return False
    label = settings.store_label
    users = "every host that can reach it" if provider.store.remote else "every process of this user"
    message = f"{label} can be read and locked, and is shared by {users}"
    findings.add("token store", "ok", message)
    for line in log:
        findings.add("token store", "warning", line)
    _check_encryption(findings, settings)
    if offline:
        _check_stored_token(findings, provider, entry, now)
    return True


def check_last_renewal(findings: Findings, entry: Entry | None) -> None:
    """Report a failure of the last renewal, which a stored token hides."""
    if entry is not None and entry.failure is not None:
        state: State = "warning" if entry.failure.retryable else "failed"
        findings.add("last renewal", state, f"it failed: {entry.failure.message}", entry.failure.hint)


def _check_memory_store(findings: Findings, provider: TokenProvider, *, now: float, offline: bool) -> None:
    message = "memory: each program gets its own token when it starts"
    if provider.strategy.unattended:
        findings.add("token store", "ok", message)
    else:
        hint = "Set PROCOUNTOR_TOKEN_STORE=file, keyring or redis://…, so that a replaced refresh token is kept."
        findings.add("token store", "warning", message, hint)
    if offline and needs_login(provider, None, now):
        findings.add("token", "failed", "a user has to log in", "Set PROCOUNTOR_REFRESH_TOKEN.")


def _check_encryption(findings: Findings, settings: Settings) -> None:
    url = settings.token_store.get_secret_value()
    label = settings.store_label
    if url.startswith("redis://") and not is_loopback(urlsplit(url).hostname or ""):
        hint = "Use rediss:// (TLS): tokens and the password are sent in plain text."
        findings.add("encryption", "warning", "the connection to redis:// is not encrypted", hint)
    if settings.token_store_keys:
        findings.add("encryption", "ok", "stored tokens are sealed with PROCOUNTOR_TOKEN_STORE_KEY")
    elif label == "keyring":
        findings.add("encryption", "ok", "the keychain encrypts stored tokens")
    elif label in {"redis", "postgresql"}:
        hint = f"Set PROCOUNTOR_TOKEN_STORE_KEY to seal them; {STORES} says how to make a key."
        place = {"redis": "Redis", "postgresql": "database"}[label]
        findings.add("encryption", "warning", f"whoever can read this {place} can read the tokens", hint)
    else:
        findings.add("encryption", "ok", "stored tokens are not sealed; only this user can access the files")


def _check_stored_token(findings: Findings, provider: TokenProvider, entry: Entry | None, now: float) -> None:
    token = entry.token if entry else None
    wrong = find_wrong_company(provider, token, now)
    if wrong is not None and wrong.variable != "PROCOUNTOR_API_KEY":  # the key's claims have their own check
        findings.add_error("company", wrong)
    elif needs_login(provider, token, now):
        findings.add("token", "failed", "a user has to log in", login_hint(provider.settings.profile))
    elif token is None:
        findings.add("token", "ok", "none is stored; the next program requests one")
    else:
        message = f"the stored one is {token.state(now).value}, and expires {format_time(token.expires_at)}"
        findings.add("token", "ok", message)
    if token is not None:
        findings.add_sunset_notice(SunsetNotice(token.deprecated_at, token.sunset_at))
    check_last_renewal(findings, entry)
