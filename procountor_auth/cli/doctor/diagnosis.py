"""All checks of `procountor-auth doctor` in order: from versions and configuration to an API request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.settings.problems import variable_named
from procountor_auth.settings.profile import Profile
from procountor_auth.settings.profiles import Profiles
from procountor_auth.settings.secret_reference import scheme_of
from procountor_auth.strategies.deprecation import legacy_refusal
from procountor_auth.strategies.registry import find_strategy
from procountor_auth.tokens.pool import ProviderPool

from .check import Findings, collect_log_warnings
from .environment import check_access_rights, check_variables, check_versions
from .host import check_host
from .key import check_key
from .profile import add_unread_profile, check_profile
from .store import check_store
from .token import check_token
from .unread_variables import UnreadVariables, check_unread_variables

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.settings.settings import Settings
    from procountor_auth.tokens.provider import TokenProvider

    from .check import Check


class Diagnosis:
    """Checks one profile, or the only configuration, and stops where a failure makes further checks pointless.

    Args:
        profile: The profile; by default the one that `PROCOUNTOR_PROFILE` names.
        account: The program's name for the account of the token; by default the profile's.
        offline: Skip the checks that need Procountor.
        clock: The wall clock, in Unix seconds.

    Attributes:
        profile: The profile's name, once it is known.
    """

    def __init__(
        self,
        profile: str | None,
        *,
        account: str = "",
        offline: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.profile = profile
        self._findings = Findings()
        self._account = account
        self._offline = offline
        self._clock = clock
        self._unread = UnreadVariables()

    @property
    def checks(self) -> list[Check]:
        """The results."""
        return self._findings.checks

    @property
    def ready(self) -> bool:
        """Whether nothing has failed."""
        return not any(check.state == "failed" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return all results as JSON-ready values."""
        return {
            "profile": self.profile,
            "ready": self.ready,
            "reasons": [check.message for check in self.checks if check.state == "failed"],
            "checks": [check.as_dict() for check in self.checks],
        }

    def _is_about(self, profile: str | None) -> None:
        self.profile = profile
        self._findings.whose = Profile(profile)

    def run(self) -> None:
        """Run all checks.

        Raises:
            ConfigurationError: There is no such profile.
        """
        findings = self._findings
        with collect_log_warnings() as log:
            profiles = _profiles()
        if isinstance(profiles, ProcountorAuthError):
            add_unread_profile(findings, self.profile)
            check_versions(findings)
            findings.add_error("configuration", profiles)
            return
        self._is_about(check_profile(findings, profiles, self.profile))
        check_versions(findings)
        for line in log:
            findings.add("variables", "warning", line)
        provider = self._check_configuration(profiles)
        check_access_rights(findings, profiles)
        if provider is None:
            return
        allowed = self._check_strategy(provider)
        self._check_fallback(provider.settings)
        now = self._clock()
        check_key(findings, provider, now=now, offline=self._offline)
        usable = check_store(findings, provider, now=now, offline=self._offline)
        if not self._offline:
            responds = check_host(findings, provider.settings, self._unread, self._clock)
            if responds and allowed and usable:
                check_token(findings, provider)
        findings.add_announced_ends()

    def _check_configuration(self, profiles: Profiles) -> TokenProvider | None:
        """Return the settings and the strategy, or None if the configuration is wrong."""
        findings = self._findings
        with collect_log_warnings() as log:
            provider = self._provider(profiles)
        check_variables(findings, profiles, self.profile)
        for line in log:
            unreadable = "can't be read" in line
            hint = "Give this user the right to read it." if unreadable else "Correct its name, or remove it."
            findings.add("variables", "warning", line, hint)
        if isinstance(provider, ProcountorAuthError):
            findings.add_error("configuration", provider)
        else:
            settings = provider.settings
            self._unread = check_unread_variables(findings, settings)
            for name, reference in settings.references.items():
                message = f"{variable_named(name)} is a {scheme_of(reference)}: reference, and can be resolved"
                findings.add("secrets", "ok", message)
            findings.add("configuration", "ok", f"complete for {settings.strategy} at {settings.endpoints.host}")
            return provider
        return None

    def _provider(self, profiles: Profiles) -> TokenProvider | ProcountorAuthError:
        try:
            return ProviderPool(profiles, clock=self._clock).provider(self.profile, account=self._account)
        except ProcountorAuthError as error:
            return error

    def _check_strategy(self, provider: TokenProvider) -> bool:
        """Return whether programs may use the strategy."""
        settings = provider.settings
        strategy = settings.strategy
        refusal = legacy_refusal(settings.legacy_policy, strategy, settings.fallback_strategy)
        lifecycle = provider.strategy.lifecycle
        if refusal is not None:
            self._findings.add_error("strategy", refusal)
        elif lifecycle is not None:
            hint = f"{lifecycle.advice} `procountor-auth migrate check` shows what is missing for it."
            self._findings.add("strategy", "warning", f"{strategy} is deprecated: {lifecycle.removed}", hint)
        else:
            self._findings.add("strategy", "ok", f"{strategy} is not deprecated")
        return refusal is None

    def _check_fallback(self, settings: Settings) -> None:
        fallback = find_strategy(settings.fallback_strategy) if settings.fallback_strategy else None
        if fallback is None or fallback.name == settings.strategy:
            self._findings.add("fallback", "ok", "none: a rejected login is an error")
        else:
            message = f"{fallback.name}, up to {settings.fallback_limit} times in each program"
            hint = "When the new strategy works reliably, remove PROCOUNTOR_FALLBACK_STRATEGY."
            self._findings.add("fallback", "ok" if fallback.lifecycle is None else "warning", message, hint)


def _profiles() -> Profiles | ProcountorAuthError:
    try:
        return Profiles.search()
    except ProcountorAuthError as error:
        return error
