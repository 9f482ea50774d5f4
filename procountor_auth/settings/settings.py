"""The configuration from `PROCOUNTOR_*` variables, validated once and immutable."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from pydantic import PrivateAttr, SecretStr, ValidationError, model_validator

from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.settings.base_url import without_api_path
from procountor_auth.settings.fields import Fields
from procountor_auth.settings.hosts import BY_ENVIRONMENT
from procountor_auth.settings.problems import (
    CHOOSE_A_PROFILE,
    HINT,
    hint_for,
    invalid_problem,
    is_staged,
    missing_problem,
    needed_names,
    setting_named,
    settings_of,
    variable_named,
)
from procountor_auth.settings.profile import Profile
from procountor_auth.settings.profiles import Profiles
from procountor_auth.settings.secret_reference import follow, is_reference, scheme_of
from procountor_auth.settings.unknown_names import did_you_mean, without_unknown
from procountor_auth.settings.validators import CHECKS, STORES, check_text, plain, secret, surrounded
from procountor_auth.settings.variables import PREFIX
from procountor_auth.strategies.registry import find_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import ModelWrapValidatorHandler

_USED_BY_ALL: Final = frozenset({"token_store", "token_store_key", "proxy", "company"})
"""The secrets that every strategy uses if they are set."""

_logger = logging.getLogger("procountor_auth")


class Settings(Fields, defer_build=False):
    """The configuration.

    Explicit arguments take precedence, then the chosen profile, the environment, `.env`, the secrets directory, and the
    common values of the profiles file.

    Only what the chosen strategy needs is required; the successor's variables may already be set. The names are those
    of the environment variables without `PROCOUNTOR_`, in lower case.

    Raises:
        ConfigurationError: Variables are missing, invalid or misspelt. The error names all of them, but no value.
    """

    _own: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    _references: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    def __init__(self, *, _profiles: Any = None, **explicit: Any) -> None:  # noqa: ANN401 - each is validated by its field
        # Wrapped first: from here on, a value that is logged or printed shows as asterisks.
        explicit = {name: SecretStr(value) if isinstance(value, str) else value for name, value in explicit.items()}
        refused: ConfigurationError | None = None
        profiles: Profiles | None = None
        unknown: set[str] = set()
        found: dict[str, Any] = {}
        try:
            file, profile = (plain(explicit.get(name)) for name in ("profiles_file", "profile"))
            searched: Profiles = _profiles or Profiles.search(None if file is None else str(file))
            profiles = searched
            values = searched.values_of(None if profile is None else str(profile))
            if profile is not None:
                explicit["profile"] = values["profile"]  # in the spelling of its definition
            whose = Profile(str(plain(values.get("profile")) or "") or None)
            if "company" not in values and searched.origin(None, "company"):
                whose.warning("it has no company, and does not inherit the common one")
            unknown = self._unknown(explicit, values)
            if not unknown:
                # Names with a leading underscore are options of pydantic-settings.
                found = {name: value for name, value in values.items() if not name.startswith("_")}
                with whose.named():
                    super().__init__(**found | explicit)
        except ConfigurationError as error:
            refused = error
        if refused is not None:
            # A new traceback, because the frames of the old one contain the values. This frame is cleared.
            explicit.clear()
            found.clear()
            values = {}
            if profiles is not None:
                _say_where(refused, profiles, in_list=_profiles is not None)
            raise refused.with_traceback(None)
        if unknown:
            names = ", ".join(sorted(unknown))
            meant = did_you_mean(unknown, type(self).model_fields)
            raise TypeError(f"Settings has no {names}{meant}; its names are those of the variables without {PREFIX}")

    @classmethod
    def _unknown(cls, explicit: dict[str, Any], values: dict[str, Any]) -> set[str]:
        """Return the names of arguments that are neither settings nor extra settings of the chosen strategies."""
        chosen = (str(plain((values | explicit).get(name)) or "") for name in ("strategy", "fallback_strategy"))
        return explicit.keys() - cls.model_fields.keys() - settings_of(*chosen)

    @classmethod
    def of_profile(cls, profiles: Profiles, name: str | None, strategy: str | None = None) -> Self:
        """Build the settings of one of the `profiles`, which have already been read.

        Args:
            profiles: The profiles and the common values.
            name: The profile; None for the common values, or the profile that they select.
            strategy: The strategy to use instead of the configured one.

        Raises:
            ConfigurationError: A setting is missing, invalid or misspelt, or there is no such profile.
        """
        explicit = {"profile": name, "strategy": strategy}
        return cls(_profiles=profiles, **{setting: value for setting, value in explicit.items() if value is not None})

    @model_validator(mode="wrap")
    @classmethod
    def _complete(cls, values: dict[str, Any], validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Validate the values, and raise one error for all problems. `__init__` knows where to correct them."""
        strategy = str(plain(values.get("strategy", cls.model_fields["strategy"].default)))
        fallback = str(plain(values.get("fallback_strategy")) or "")
        own_names = settings_of(strategy, fallback) - cls.model_fields.keys()
        own = {name: secret(values.pop(name)) for name in own_names & values.keys()}
        there = {name: name in own for name in own_names}
        values, unknown = without_unknown(values, cls.model_fields, there, needed_names(strategy, fallback))
        values, contradictions = without_api_path(values)
        missing = [
            missing_problem(name, needed_by)
            for name, needed_by in {
                **dict.fromkeys(cls._needed_by(fallback), fallback),
                **dict.fromkeys(cls._needed_by(strategy), strategy),
            }.items()
            if not plain(values.get(name) or own.get(name))
        ]
        settings, wrong = cls._try(values, validate)
        staged = [problem for problem in wrong if is_staged(problem, strategy, fallback)]
        if staged and len(staged) == len(wrong):
            # Invalid variables of the next strategy must not stop a program that uses the current one.
            for problem in staged:
                _logger.warning("%s; it is ignored, because %s does not need it", problem.message, strategy)
                del values[setting_named(problem.variable)]
            settings, wrong = cls._try(values, validate)
        problems = (*missing, *wrong, *contradictions, *unknown)
        if problems or settings is None:
            raise ConfigurationError.from_problems(problems, hint="", profile=plain(values.get("profile")))
        settings._own = own  # noqa: SLF001 - its own class
        for name in ("username", "password"):  # quotation marks are allowed in them, but unlikely
            value = getattr(settings, name)
            odd = surrounded(value.get_secret_value()) if value is not None else None
            if odd is not None:
                _logger.warning("%s %s, unless it is intended", variable_named(name), odd)
        return settings

    @classmethod
    def _needed_by(cls, strategy: str) -> tuple[str, ...]:
        """The names of the settings that a strategy requires; empty for an unknown strategy."""
        found = find_strategy(strategy)
        return found.required_settings if found else ()

    @classmethod
    def _used_by(cls, strategy: str, fallback: str) -> set[str]:
        """The names of the settings that two strategies use."""
        return needed_names(strategy, fallback)

    @property
    def references(self) -> Mapping[str, SecretStr]:
        """The references to secrets that the chosen strategies and the store use, by the settings' names."""
        used = self._used_by(self.strategy, self.fallback_strategy or "") | _USED_BY_ALL
        values = {name: getattr(self, name) for name in CHECKS} | self._own
        return self._references or {
            name: value
            for name, value in values.items()
            if name in used and is_reference(value) and not (name == "token_store" and scheme_of(value) in STORES)
        }

    def followed(self, follow: Callable[[str, SecretStr], SecretStr] = follow, *, again: bool = False) -> Self:
        """Return a copy of the settings with the references replaced by secrets, or `self` if there are none.

        Args:
            follow: Follows one reference, given its variable.
            again: Whether to follow references again that have already been followed.

        Raises:
            ConfigurationError: A reference can't be followed, or its target is not a valid value.
            StoreError: The keychain can't be used.
        """
        references = self.references
        if not references or (self._references and not again):
            return self
        found: dict[str, SecretStr] = {}
        refused: list[ConfigurationError] = []
        for name, reference in references.items():
            try:
                found[name] = self._checked(name, follow(variable_named(name), reference))
            except ConfigurationError as error:
                refused.append(error.with_traceback(None))
        if refused:
            found.clear()
            problems = tuple(problem for error in refused for problem in error.problems)
            hint = Profile(self.profile).hint(refused[0].hint)
            raise ConfigurationError.from_problems(problems, hint=hint, profile=self.profile)
        other = self.model_copy(update={name: value for name, value in found.items() if name in CHECKS})
        other._own = self._own | {name: value for name, value in found.items() if name not in CHECKS}  # noqa: SLF001 - its own class
        other._references = dict(references)  # noqa: SLF001 - its own class
        return other

    @staticmethod
    def _checked(name: str, value: SecretStr) -> SecretStr:
        """Validate the target of a reference, and return it in the setting's normalized form."""
        problem: Problem | None = None
        try:
            return SecretStr(CHECKS.get(name, check_text)(value))
        except ValueError as error:
            variable = variable_named(name)
            problem = Problem(variable, "invalid", f"{variable} refers to a value that can't be used: it {error}")
        raise ConfigurationError.from_problems((problem,), hint="Correct the value that the reference points to.")

    @property
    def own(self) -> Mapping[str, SecretStr]:
        """The values of the variables that only the chosen strategy uses (`Strategy.extra_settings`)."""
        return self._own

    @classmethod
    def _try(
        cls, values: dict[str, Any], validate: ModelWrapValidatorHandler[Self]
    ) -> tuple[Self | None, list[Problem]]:
        try:
            return validate(values), []
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)
            return None, [invalid_problem(detail) for detail in details]

    def __reduce__(self) -> NoReturn:
        raise TypeError("Settings hold secrets and are not pickled: call `Settings()` in each process.")

    @property
    def endpoints(self) -> Endpoints:
        """The URLs of the chosen host."""
        return Endpoints(self.base_url or BY_ENVIRONMENT[self.environment], self.api_version)

    @property
    def store_label(self) -> str:
        """`PROCOUNTOR_TOKEN_STORE` for display: only `redis` or the database for a URL, which may have a password."""
        described = self.token_store.get_secret_value()
        if (
            "token_store" not in self._references
            and is_reference(self.token_store)
            and not described.startswith("file:")
        ):
            return f"{scheme_of(self.token_store)}:…"  # not followed yet
        if described in {"memory", "file", "keyring"} or described.startswith("file:"):
            return described
        return next((kind for kind in ("postgresql", "sqlite") if described.startswith(kind)), "redis")

    @property
    def forgets(self) -> bool:
        """Whether tokens are lost when the process ends, because they are stored in its memory."""
        return self.store_label == "memory"

    @property
    def token_store_keys(self) -> tuple[SecretStr, ...]:
        """The keys that encrypt the stored tokens, the current one first."""
        keys = self.token_store_key.get_secret_value().split(",") if self.token_store_key else []
        return tuple(SecretStr(key) for key in keys if key)

    def oauth_client(self, clock: Callable[[], float] = time.time) -> OAuthClient:
        """Return the API client that the settings describe.

        Args:
            clock: The wall clock, in Unix seconds.
        """
        return OAuthClient(
            self.endpoints,
            client_id=self.client_id or "",
            client_secret=self.client_secret or SecretStr(""),  # other packages' strategies may need none
            redirect_uri=self.redirect_uri or "",
            pkce=self.pkce,
            clock=clock,
        )

    def required(self, name: str) -> SecretStr:
        """Return a secret that the chosen strategy needs, following its reference if that has not been done yet.

        Args:
            name: The name of the setting, in lower case and without `PROCOUNTOR_`.

        Raises:
            ConfigurationError: The setting is missing, because the settings were validated for another strategy; or its
                reference can't be followed, or its target is not a valid value.
            StoreError: The keychain can't be used.
        """
        value: SecretStr | None = getattr(self, name)
        with Profile(self.profile).named():
            if value is None:
                raise ConfigurationError.from_problems((missing_problem(name, self.strategy),), hint=HINT)
            if name in self._references or name not in CHECKS:
                return value
            return self._checked(name, follow(variable_named(name), value))


def _say_where(refused: ConfigurationError, profiles: Profiles, *, in_list: bool) -> None:
    """Say in an error where its problems can be corrected, and where missing values were looked for.

    Args:
        refused: The error; one that has a hint already keeps it.
        profiles: The profiles that were read.
        in_list: Whether the profile is one of many that are read one after the other.
    """
    if refused.hint:
        return
    missing = any(problem.kind == "missing" for problem in refused.problems)
    if missing and profiles and not refused.profile:
        refused.hint = CHOOSE_A_PROFILE.format(len(profiles))
    else:
        refused.hint = hint_for(refused.profile, refused.problems, has_file=profiles.file is not None)
    if missing and not in_list:
        refused.hint += f" Looked in {', '.join(profiles.looked)}."
