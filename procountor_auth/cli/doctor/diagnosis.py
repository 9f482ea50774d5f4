"""All checks of `procountor-auth doctor` in their order: from the versions over the configuration to an API request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.settings.profile import Profile
from procountor_auth.settings.profiles import Profiles
from procountor_auth.strategies.deprecation import legacy_refusal
from procountor_auth.strategies.registry import find_strategy
from procountor_auth.tokens.pool import ProviderPool

from .check import Findings, collect_log_warnings
from .environment import check_access_rights, check_variables, check_versions
from .host import check_host
from .store import check_store
from .token import check_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.settings.settings import Settings
    from procountor_auth.tokens.provider import TokenProvider

    from .check import Check


class Diagnosis:
    """Checks one profile, or the one configuration, and goes on as far as there is something to check.

    Args:
        profile: The profile; by default the one that `PROCOUNTOR_PROFILE` names.
        account: The program's own name for whose token it is; by default the profile's.
        offline: Leave out whatever needs Procountor.
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

    @property
    def checks(self) -> list[Check]:
        """What was found."""
        return self._findings.checks

    @property
    def ready(self) -> bool:
        """Whether nothing has failed."""
        return not any(check.state == "failed" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
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
        check_versions(findings)
        try:
            profiles = Profiles.read()
        except ProcountorAuthError as error:
            findings.add_error("configuration", error)
            return
        if self.profile is not None:
            self._is_about(profiles.spelt(self.profile))
        provider = self._check_configuration(profiles)
        check_access_rights(findings, profiles)
        if provider is None:
            return
        allowed = self._check_strategy(provider)
        self._check_fallback(provider.settings)
        usable = check_store(findings, provider, now=self._clock(), offline=self._offline)
        if not self._offline and check_host(findings, provider.settings, self._clock) and allowed and usable:
            check_token(findings, provider)
        findings.add_announced_ends()

    def _check_configuration(self, profiles: Profiles) -> TokenProvider | None:
        """Return the settings and the strategy, or None if the configuration is wrong."""
        findings = self._findings
        with collect_log_warnings() as log:
            try:
                provider: TokenProvider | None = ProviderPool(profiles, clock=self._clock).provider(
                    self.profile, account=self._account
                )
            except ProcountorAuthError as error:
                provider, refused = None, error
        if provider is not None:
            self._is_about(provider.settings.profile)
        if profiles:
            which = f"this is {self.profile}" if self.profile else "none is chosen"
            hint = "" if self.profile else "Choose one with --profile, or with PROCOUNTOR_PROFILE."
            findings.add("profiles", "ok" if self.profile else "warning", f"{len(profiles)}; {which}", hint)
        check_variables(findings, profiles, self.profile)
        for line in log:
            findings.add("variables", "warning", line, "Correct its name, or remove it.")
        if provider is None:
            findings.add_error("configuration", refused)
        else:
            settings = provider.settings
            findings.add("configuration", "ok", f"complete for {settings.strategy} at {settings.endpoints.host}")
        return provider

    def _check_strategy(self, provider: TokenProvider) -> bool:
        """Return whether programs may use the strategy."""
        settings = provider.settings
        strategy = settings.strategy
        refusal = legacy_refusal(settings.legacy_policy, strategy, settings.fallback_strategy)
        lifecycle = provider.strategy.lifecycle
        if refusal is not None:
            self._findings.add_error("strategy", refusal)
        elif lifecycle is not None:
            hint = f"{lifecycle.advice} `procountor-auth migrate check` says what is missing for it."
            self._findings.add("strategy", "warning", f"{strategy} is deprecated: {lifecycle.removed}", hint)
        else:
            self._findings.add("strategy", "ok", f"{strategy} is not deprecated")
        return refusal is None

    def _check_fallback(self, settings: Settings) -> None:
        fallback = find_strategy(settings.fallback_strategy) if settings.fallback_strategy else None
        if fallback is None or fallback.name == settings.strategy:
            self._findings.add("fallback", "ok", "none: a refusal is an error")
        else:
            message = f"{fallback.name}, up to {settings.fallback_limit} times in each program"
            hint = "When the new strategy has proved itself, remove PROCOUNTOR_FALLBACK_STRATEGY."
            self._findings.add("fallback", "ok" if fallback.lifecycle is None else "warning", message, hint)
