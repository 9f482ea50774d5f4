"""Everything that the environment decides: `PROCOUNTOR_*`, validated once, frozen."""

from __future__ import annotations

import logging
import time
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, Self

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from procountor_auth.errors import ConfigurationError
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
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
)
from procountor_auth.settings.profile import Profile
from procountor_auth.settings.profiles import Profiles
from procountor_auth.settings.secret_reference import resolve
from procountor_auth.settings.unknown_names import without_unknown
from procountor_auth.settings.validators import (
    Credential,
    SecretText,
    SecretWord,
    StrategyName,
    Word,
    check_api_key,
    check_digits,
    check_host,
    check_redirect_uri,
    check_token_store,
    check_version,
    expand_home,
    plain,
    secret,
)
from procountor_auth.settings.variables import PREFIX
from procountor_auth.strategies.deprecation import LegacyPolicy  # noqa: TC001 - pydantic reads the annotations
from procountor_auth.strategies.registry import find_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import ModelWrapValidatorHandler

    from procountor_auth.errors import Problem

_logger = logging.getLogger("procountor_auth")


class Settings(BaseSettings):
    """The configuration.

    Explicit arguments come first, then the chosen profile, the environment, `.env`, the secrets directory, and the
    common values of the profiles file.

    Only what the chosen strategy needs is required; the successor's variables may already be there. Names are those
    of the environment without `PROCOUNTOR_`, in lower case.

    Raises:
        ConfigurationError: Names every missing, wrong or misspelt variable at once, and shows no value.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    strategy: StrategyName = Field(description="How to authenticate: the one variable that a migration changes.")
    profile: Word | None = Field(
        default=None, description="Which profile to use, where the configuration has one for each company."
    )
    profiles_file: Annotated[Path, BeforeValidator(plain)] | None = Field(
        default=None, description="A TOML file with common values and a table [profiles.NAME] for each profile."
    )
    environment: Annotated[Literal["production", "test"], BeforeValidator(plain)] = Field(
        default="production", description="Which of the vendor's hosts to use."
    )
    base_url: Annotated[str, BeforeValidator(check_host)] | None = Field(
        default=None, description="The host, such as https://api.procountor.com; wins over `environment`."
    )
    api_version: Annotated[str, BeforeValidator(check_version)] | None = Field(
        default=None, description="The version segment of the API's path: `latest`, `supported` or `vYYMM`."
    )
    client_id: Word | None = Field(default=None, description="The API client's ID.")
    client_secret: SecretWord | None = Field(default=None, description="The API client's secret.")
    redirect_uri: Annotated[str, BeforeValidator(check_redirect_uri)] | None = Field(
        default=None, description="The API client's redirect URI: a URL, or a word such as redirect-uri-placeholder."
    )
    username: SecretText | None = Field(default=None, description="The user's name (legacy_password).")
    password: SecretText | None = Field(default=None, description="The user's password (legacy_password).")
    company: Annotated[SecretStr, BeforeValidator(check_digits)] | None = Field(
        default=None,
        description="The numeric company ID: no token of another company is used (legacy_password needs it).",
    )
    api_key: Annotated[SecretStr, BeforeValidator(check_api_key)] | None = Field(
        default=None,
        description="The API key, or `keyring:NAME` where it is in the keychain (client_credentials).",
    )
    refresh_token: Credential | None = Field(
        default=None, description="A refresh token to start from where no browser is (authorization_code)."
    )
    token_store: Annotated[SecretStr, BeforeValidator(check_token_store)] = Field(
        default=SecretStr("memory"),
        description="Where tokens are kept: `memory`, `file`, `file:PATH`, `keyring`, or a `redis://…` URL.",
    )
    token_store_key: Credential | None = Field(
        default=None,
        description="Fernet keys that seal the stored tokens, separated by commas: the first seals, all open.",
    )
    legacy_policy: Annotated[LegacyPolicy, BeforeValidator(plain)] = Field(
        default="warn", description="When legacy_password is chosen: `warn`, refuse with an `error`, or `allow`."
    )
    fallback_strategy: StrategyName | None = Field(
        default=None,
        description="The strategy to go back to whenever the chosen one, if it is another, is definitely refused.",
    )
    fallback_limit: Annotated[int, BeforeValidator(plain), Field(ge=1, le=1_000_000)] = Field(
        default=24, description="How often one source falls back; after that the refusal stands."
    )
    allow_missing_state: Annotated[bool, BeforeValidator(plain)] = Field(
        default=False, description="Accept a legacy redirect with no state in it. A wrong state never is."
    )
    pkce: Annotated[bool, BeforeValidator(plain)] = Field(
        default=False, description="Send a PKCE challenge (S256) with logins in a browser."
    )
    timeout: Annotated[float, BeforeValidator(plain), Field(gt=0, le=600)] = Field(
        default=30.0, description="Seconds that getting a token may take in all."
    )
    proxy: SecretWord | None = Field(default=None, description="The URL of a proxy to reach the host through.")
    ca_bundle: Annotated[Path, BeforeValidator(plain), AfterValidator(expand_home)] | None = Field(
        default=None, description="A PEM file of certificate authorities to trust instead of the default ones."
    )

    _own: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    def __init__(self, *, _profiles: Any = None, **explicit: Any) -> None:  # noqa: ANN401 - each is validated by its field
        # Wrapped at once: from here on, whoever logs or prints a value sees asterisks.
        explicit = {name: SecretStr(value) if isinstance(value, str) else value for name, value in explicit.items()}
        refused: ConfigurationError | None = None
        profiles: Profiles | None = None
        unknown: set[str] = set()
        found: dict[str, Any] = {}
        try:
            file, profile = (plain(explicit.get(name)) for name in ("profiles_file", "profile"))
            profiles = _profiles or Profiles.read(None if file is None else str(file))
            values = profiles.values_of(None if profile is None else str(profile))
            if profile is not None:
                explicit["profile"] = values["profile"]  # as it is spelt where it is defined
            whose = Profile(str(plain(values.get("profile")) or "") or None)
            if "company" not in values and profiles.origin(None, "company"):
                whose.warning("it has no company of its own, and the common one is not inherited")
            unknown = self._unknown(explicit, values)
            if not unknown:
                # Names with an underscore in front are options of pydantic-settings itself.
                found = {name: value for name, value in values.items() if not name.startswith("_")}
                with whose.named():
                    super().__init__(**found | explicit)
        except ConfigurationError as error:
            refused = error
        if refused is not None:
            # A new traceback: the frames of the old one hold what was being validated. So does this one.
            explicit.clear()
            found.clear()
            values = {}
            if profiles and not refused.profile and any(problem.kind == "missing" for problem in refused.problems):
                refused.hint = CHOOSE_A_PROFILE.format(len(profiles))
            raise refused.with_traceback(None)
        if unknown:
            names = ", ".join(sorted(unknown))
            raise TypeError(f"Settings has no {names}; its names are those of the environment without {PREFIX}")

    @classmethod
    def _unknown(cls, explicit: dict[str, Any], values: dict[str, Any]) -> set[str]:
        """Return the names of arguments that neither a setting nor the chosen strategy has."""
        chosen = (str(plain((values | explicit).get(name))) for name in ("strategy", "fallback_strategy"))
        return explicit.keys() - cls.model_fields.keys() - settings_of(*chosen)

    @classmethod
    def of_profile(cls, profiles: Profiles, name: str | None, strategy: str | None = None) -> Self:
        """Build the settings of one of the `profiles`, which have been read before.

        Args:
            profiles: What all places said.
            name: The profile; None for the common values alone, or the profile that they name.
            strategy: Another strategy than the one that is chosen there.

        Raises:
            ConfigurationError: Something is missing, wrong or misspelt there, or there is no such profile.
        """
        explicit = {"profile": name, "strategy": strategy}
        return cls(_profiles=profiles, **{setting: value for setting, value in explicit.items() if value is not None})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave pydantic-settings' own places out: `__init__` has read ours, and passes on what they say."""
        return (init_settings,)

    @model_validator(mode="wrap")
    @classmethod
    def _complete(cls, values: dict[str, Any], validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Put what is wrong, missing and misspelt into one error."""
        strategy = str(plain(values.get("strategy", cls.model_fields["strategy"].default)))
        fallback = str(plain(values.get("fallback_strategy")) or "")
        own_names = settings_of(strategy, fallback) - cls.model_fields.keys()
        own = {name: secret(values.pop(name)) for name in own_names & values.keys()}
        there = {name: name in own for name in own_names}
        values, unknown = without_unknown(values, cls.model_fields, there, needed_names(strategy, fallback))
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
            # The next strategy's variables must not bring down this one's program.
            for problem in staged:
                _logger.warning("%s; it is ignored, as %s does not need it", problem.message, strategy)
                del values[setting_named(problem.variable)]
            settings, wrong = cls._try(values, validate)
        problems = (*missing, *wrong, *unknown)
        if problems or settings is None:
            profile = plain(values.get("profile"))
            raise ConfigurationError.from_problems(problems, hint=hint_for(profile, problems), profile=profile)
        settings._own = own  # noqa: SLF001 - its own class
        return settings

    @classmethod
    def _needed_by(cls, strategy: str) -> tuple[str, ...]:
        """The names of the settings that a strategy can't do without; none for a strategy that does not exist."""
        found = find_strategy(strategy)
        return found.required_settings if found else ()

    @property
    def own(self) -> Mapping[str, SecretStr]:
        """The values of the variables that only the chosen strategy knows (`Strategy.extra_settings`)."""
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
        """`PROCOUNTOR_TOKEN_STORE` for display: of a URL, which may hold a password, only `redis`."""
        described = self.token_store.get_secret_value()
        return described if described in {"memory", "file", "keyring"} or described.startswith("file:") else "redis"

    @property
    def forgets(self) -> bool:
        """Whether tokens end with the process: nothing is stored outside of it."""
        return self.store_label == "memory"

    @property
    def token_store_keys(self) -> tuple[SecretStr, ...]:
        """The keys that seal the stored tokens, the current one first."""
        keys = self.token_store_key.get_secret_value().split(",") if self.token_store_key else []
        return tuple(SecretStr(key) for key in keys if key)

    def oauth_client(self, clock: Callable[[], float] = time.time) -> OAuthClient:
        """Return the API client that the settings describe, with `clock` for the time in Unix seconds."""
        return OAuthClient(
            self.endpoints,
            client_id=self.client_id or "",
            client_secret=self.client_secret or SecretStr(""),  # other packages' strategies may need none
            redirect_uri=self.redirect_uri or "",
            pkce=self.pkce,
            clock=clock,
        )

    def required(self, name: str) -> SecretStr:
        """Return a secret that the chosen strategy needs; one that is in the keychain (`keyring:NAME`) is read now.

        Raises:
            ConfigurationError: It is not there: these settings were validated for another strategy, or the keychain
                does not have it.
            StoreError: The keychain can't be used.
        """
        value: SecretStr | None = getattr(self, name)
        if value is None:
            raise ConfigurationError.from_problems((missing_problem(name, self.strategy),), hint=HINT)
        return resolve(value) if name == "api_key" else value
