"""Everything that the environment decides: `PROCOUNTOR_*`, validated once, frozen."""

from __future__ import annotations

import difflib
import logging
import re
import time
from contextvars import ContextVar
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn, Self

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.hosts import BY_ENVIRONMENT, clean_host
from procountor_auth.migration.policy import LegacyPolicy  # noqa: TC001 - pydantic reads the annotations
from procountor_auth.profiles import Profiles
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.protocol.oauth import OAuthClient
from procountor_auth.strategies.base import Strategy
from procountor_auth.strategies.registry import find_strategy, strategy_names
from procountor_auth.variables import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import ModelWrapValidatorHandler
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

_logger = logging.getLogger("procountor_auth")

_CREDENTIALS: Final = {
    "username": "legacy_password",
    "password": "legacy_password",
    "company": "legacy_password",
    "refresh_token": "authorization_code",
    "api_key": "client_credentials",
}
"""The credentials that one strategy alone uses."""

_NEAR: Final = 0.75
"""How alike a misspelt name and the right one are at least (`difflib`'s ratio)."""


def _word(value: object) -> str:
    """Accept text without white space or control characters: an ID, never a sentence."""
    text = _text(value)
    if not text.isprintable() or " " in text:
        raise ValueError("has white space or control characters in it")
    return text


def _text(value: object) -> str:
    """Accept any text that can be sent: a password may have spaces, quotes, emoji."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic wants a ValueError
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("is not valid UTF-8 text")
    return value


def _digits(value: object) -> str:
    text = _text(str(value) if isinstance(value, int) else value)
    if not (text.isascii() and text.isdigit()):
        raise ValueError("must be the numeric company ID")
    return text


def _credential(value: object) -> str:
    text = _word(value)
    if not text.isascii():
        raise ValueError("has characters that are not ASCII in it")
    return text


def _api_key(value: object) -> str:
    text = _credential(value)
    if text == "keyring:":
        raise ValueError("must name the keychain's entry: keyring:NAME")
    return text


def _redirect_uri(value: object) -> str:
    text = _credential(value)
    if "?" in text or "#" in text:
        raise ValueError("must not have a query string or fragment")
    return text


def _host(value: object) -> str:
    return clean_host(_word(value))


def _version(value: object) -> str:
    text = _word(value)
    if re.fullmatch(r"latest|supported|v[0-9]{4}", text) is None:
        raise ValueError("must be latest, supported or a version such as v2302")
    return text


def _token_store(value: object) -> str:
    text = _text(value)
    if text in {"memory", "file", "keyring"} or re.match(r"(file:.|redis://.|rediss://.|unix://.)", text):
        return text
    raise ValueError("must be memory, file, file:PATH, keyring, or a URL with redis://, rediss:// or unix://")


def _strategy(value: object) -> str:
    name = _text(value)
    if not name.isprintable() or find_strategy(name) is None:
        raise ValueError(f"must be one of {', '.join(strategy_names())}")
    return name


def _secret(value: object) -> SecretStr:
    """Wrap a number or a truth value of a TOML file as well."""
    return value if isinstance(value, SecretStr) else SecretStr(str(value))


def _plain(value: object) -> object:
    """Take back the wrapping of `Profiles.values_of` where the value is no secret."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


_Word = Annotated[str, BeforeValidator(_word)]
_SecretText = Annotated[SecretStr, BeforeValidator(_text)]
_SecretWord = Annotated[SecretStr, BeforeValidator(_word)]
_Credential = Annotated[SecretStr, BeforeValidator(_credential)]

_StrategyName = Annotated[str, BeforeValidator(_strategy)]


_found: ContextVar[Mapping[str, Any]] = ContextVar("found")
"""What the places say for the settings that are being made."""

_profiles: ContextVar[Profiles] = ContextVar("profiles")
"""Where settings come from that need not read the places again."""


class _Found(PydanticBaseSettingsSource):
    """Hands `_found` to pydantic-settings."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Return one field's value; pydantic-settings asks for this method, `__call__` is what it uses."""
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values by the settings' names."""
        return dict(_found.get())


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

    strategy: _StrategyName = Field(description="How to authenticate: the one variable that a migration changes.")
    profile: _Word | None = Field(
        default=None, description="Which profile to use, where the configuration has one for each company."
    )
    profiles_file: Annotated[Path, BeforeValidator(_plain)] | None = Field(
        default=None, description="A TOML file with common values and a table [profiles.NAME] for each profile."
    )
    environment: Annotated[Literal["production", "test"], BeforeValidator(_plain)] = Field(
        default="production", description="Which of the vendor's hosts to use."
    )
    base_url: Annotated[str, BeforeValidator(_host)] | None = Field(
        default=None, description="The host, such as https://api.procountor.com; wins over `environment`."
    )
    api_version: Annotated[str, BeforeValidator(_version)] | None = Field(
        default=None, description="The version segment of the API's path: `latest`, `supported` or `vYYMM`."
    )
    client_id: _Word | None = Field(default=None, description="The API client's ID.")
    client_secret: _SecretWord | None = Field(default=None, description="The API client's secret.")
    redirect_uri: Annotated[str, BeforeValidator(_redirect_uri)] | None = Field(
        default=None, description="The API client's redirect URI: a URL, or a word such as redirect-uri-placeholder."
    )
    username: _SecretText | None = Field(default=None, description="The user's name (legacy_password).")
    password: _SecretText | None = Field(default=None, description="The user's password (legacy_password).")
    company: Annotated[SecretStr, BeforeValidator(_digits)] | None = Field(
        default=None, description="The numeric company ID (legacy_password)."
    )
    api_key: Annotated[SecretStr, BeforeValidator(_api_key)] | None = Field(
        default=None,
        description="The API key, or `keyring:NAME` where it is in the keychain (client_credentials).",
    )
    refresh_token: _Credential | None = Field(
        default=None, description="A refresh token to start from where no browser is (authorization_code)."
    )
    token_store: Annotated[SecretStr, BeforeValidator(_token_store)] = Field(
        default=SecretStr("memory"),
        description="Where tokens are kept: `memory`, `file`, `file:PATH`, `keyring`, or a `redis://…` URL.",
    )
    token_store_key: _Credential | None = Field(
        default=None,
        description="Fernet keys that seal the stored tokens, separated by commas: the first seals, all open.",
    )
    legacy_policy: Annotated[LegacyPolicy, BeforeValidator(_plain)] = Field(
        default="warn", description="When legacy_password is chosen: `warn`, refuse with an `error`, or `allow`."
    )
    fallback_strategy: _StrategyName | None = Field(
        default=None,
        description="The strategy to go back to whenever the chosen one, if it is another, is definitely refused.",
    )
    fallback_limit: Annotated[int, BeforeValidator(_plain), Field(ge=1, le=1_000_000)] = Field(
        default=24, description="How often one source falls back; after that the refusal stands."
    )
    allow_missing_state: Annotated[bool, BeforeValidator(_plain)] = Field(
        default=False, description="Accept a legacy redirect with no state in it. A wrong state never is."
    )
    pkce: Annotated[bool, BeforeValidator(_plain)] = Field(
        default=False, description="Send a PKCE challenge (S256) with logins in a browser."
    )
    timeout: Annotated[float, BeforeValidator(_plain), Field(gt=0, le=600)] = Field(
        default=30.0, description="Seconds that getting a token may take in all."
    )
    proxy: _SecretWord | None = Field(default=None, description="The URL of a proxy to reach the host through.")
    ca_bundle: Annotated[Path, BeforeValidator(_plain)] | None = Field(
        default=None, description="A PEM file of certificate authorities to trust instead of the default ones."
    )

    _own: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    def __init__(self, **explicit: Any) -> None:  # noqa: ANN401 - each is validated by its field
        # Wrapped at once: from here on, whoever logs or prints a value sees asterisks.
        explicit = {name: SecretStr(value) if isinstance(value, str) else value for name, value in explicit.items()}
        refused: ConfigurationError | None = None
        profiles: Profiles | None = None
        unknown: set[str] = set()
        try:
            file, profile = (_plain(explicit.get(name)) for name in ("profiles_file", "profile"))
            profiles = _profiles.get(None) or Profiles.read(None if file is None else str(file))
            values = profiles.values_of(None if profile is None else str(profile))
            if profile is not None:
                explicit["profile"] = values["profile"]  # as it is spelt where it is defined
            unknown = self._unknown(explicit, values)
            found = _found.set(values)
            try:
                if not unknown:
                    super().__init__(**explicit)
            finally:
                _found.reset(found)
        except ConfigurationError as error:
            refused = error
        if refused is not None:
            # A new traceback: the frames of the old one hold what was being validated. So does this one.
            explicit.clear()
            values = {}
            if profiles and not refused.profile and any(problem.kind == "missing" for problem in refused.problems):
                refused.hint = _CHOOSE.format(len(profiles))
            raise refused.with_traceback(None)
        if unknown:
            names = ", ".join(sorted(unknown))
            raise TypeError(f"Settings has no {names}; its names are those of the environment without {PREFIX}")

    @classmethod
    def _unknown(cls, explicit: dict[str, Any], values: dict[str, Any]) -> set[str]:
        """Return the names of arguments that neither a setting nor the chosen strategy has."""
        chosen = (str(_plain((values | explicit).get(name))) for name in ("strategy", "fallback_strategy"))
        return explicit.keys() - cls.model_fields.keys() - cls._own_variables(*chosen)

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
        reading = _profiles.set(profiles)
        try:
            explicit = {"profile": name, "strategy": strategy}
            return cls(**{setting: value for setting, value in explicit.items() if value is not None})
        finally:
            _profiles.reset(reading)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put our own reading of the places behind the explicit arguments."""
        return init_settings, _Found(settings_cls)

    @model_validator(mode="wrap")
    @classmethod
    def _complete(cls, values: dict[str, Any], validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Put what is wrong, missing and misspelt into one error."""
        strategy = str(_plain(values.get("strategy", cls.model_fields["strategy"].default)))
        fallback = str(_plain(values.get("fallback_strategy")) or "")
        own_names = cls._own_variables(strategy, fallback)
        own = {name: _secret(values.pop(name)) for name in own_names & values.keys()}
        values, unknown = cls._without_strangers(values, {name: name in own for name in own_names})
        missing = [
            _missing(name, needed_by)
            for name, needed_by in {
                **dict.fromkeys(cls._needed_by(fallback), fallback),
                **dict.fromkeys(cls._needed_by(strategy), strategy),
            }.items()
            if not _plain(values.get(name) or own.get(name))
        ]
        settings, wrong = cls._try(values, validate)
        staged = [problem for problem in wrong if cls._is_staged(problem, strategy, fallback)]
        if staged and len(staged) == len(wrong):
            # The next strategy's variables must not bring down this one's program.
            for problem in staged:
                _logger.warning("%s; it is ignored, as %s does not need it", problem.message, strategy)
                del values[_name(problem.variable)]
            settings, wrong = cls._try(values, validate)
        problems = (*missing, *wrong, *unknown)
        if problems or settings is None:
            profile = _plain(values.get("profile"))
            raise ConfigurationError.from_problems(problems, hint=_hint(profile), profile=profile)
        settings._own = own  # noqa: SLF001 - its own class
        return settings

    @classmethod
    def _needed_by(cls, strategy: str) -> tuple[str, ...]:
        """The names of the settings that a strategy can't do without; none for a strategy that does not exist."""
        found = find_strategy(strategy)
        return found.needs if found else ()

    @classmethod
    def _own_variables(cls, *strategies: str) -> set[str]:
        found = [find_strategy(name) for name in strategies]
        names = {name for strategy in found if strategy for name in (*strategy.variables, *strategy.needs)}
        return names - cls.model_fields.keys()

    @property
    def own(self) -> Mapping[str, SecretStr]:
        """The values of the variables that only the chosen strategy knows (`Strategy.variables`)."""
        return self._own

    @classmethod
    def _try(
        cls, values: dict[str, Any], validate: ModelWrapValidatorHandler[Self]
    ) -> tuple[Self | None, list[Problem]]:
        try:
            return validate(values), []
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)
            return None, [_wrong(detail) for detail in details]

    @classmethod
    def _is_staged(cls, problem: Problem, strategy: str, fallback: str) -> bool:
        """Whether it is about a credential that only another strategy than the chosen one uses."""
        name = _name(problem.variable)
        return (
            name in _CREDENTIALS
            and find_strategy(strategy) is not None
            and _CREDENTIALS[name] not in {strategy, fallback}
        )

    @classmethod
    def _without_strangers(cls, values: dict[str, Any], own: dict[str, bool]) -> tuple[dict[str, Any], list[Problem]]:
        """Take out the names that no setting has: a misspelling is a problem, a stranger gets a line in the log.

        It counts as a misspelling if the name that it resembles is not there itself: a program may keep variables
        of its own under the same prefix.

        Args:
            values: What was found, by the settings' names.
            own: The names that only the chosen strategy knows, and whether each is there.
        """
        known = {name: value for name, value in values.items() if name in cls.model_fields}
        problems = []
        for name in sorted(values.keys() - known.keys()):
            nearest = difflib.get_close_matches(name, [*cls.model_fields, *own], n=1, cutoff=_NEAR)
            meant = f": did you mean {_variable(nearest[0])}?" if nearest else ""
            if nearest and nearest[0] not in known and not own.get(nearest[0]):
                problems.append(Problem(_variable(name), "unknown", f"{_variable(name)} is unknown{meant}"))
            else:
                _logger.warning("%s is no setting of procountor_auth and is ignored%s", _variable(name), meant)
        return known, problems

    def __reduce__(self) -> NoReturn:
        raise TypeError("Settings hold secrets and are not pickled: call `Settings()` in each process.")

    @property
    def endpoints(self) -> Endpoints:
        """The URLs of the chosen host."""
        return Endpoints(self.base_url or BY_ENVIRONMENT[self.environment], self.api_version)

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
        """Return a secret that the chosen strategy needs.

        Raises:
            ConfigurationError: It is not there: these settings were validated for another strategy.
        """
        value: SecretStr | None = getattr(self, name)
        if value is None:
            raise ConfigurationError.from_problems((_missing(name, self.strategy),), hint=_HINT)
        return value


class KeyLoginSettings(Settings):
    """Settings for getting an API key: what `client_credentials` needs, less the key."""

    # The key is for client_credentials, whatever strategy is in use while it is made.
    strategy: _StrategyName = Field(default="client_credentials", description="Not used for this.")

    @classmethod
    def _needed_by(cls, strategy: str) -> tuple[str, ...]:  # noqa: ARG003 - the same for all
        return Strategy.needs


def _hint(profile: object) -> str:
    if not profile:
        return _HINT
    variable = f"{PREFIX}PROFILES__{profile}__".upper().replace("-", "_")
    return f"Correct it in [profiles.{profile}] of the profiles file, as {variable}…, or for all profiles at once."


_HINT: Final = (
    "Correct it in the environment, in .env or in the secrets directory; strategies/ has a profile to copy for each "
    "strategy."
)


_CHOOSE: Final = (
    "There are profiles, {} of them, and none is chosen: set PROCOUNTOR_PROFILE, pass `profile=…`, or --profile to a "
    "command."
)


def _variable(name: str) -> str:
    return f"{PREFIX}{name}".upper()


def _name(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()


def _missing(name: str, strategy: str) -> Problem:
    return Problem(
        _variable(name), "missing", f"{_variable(name)} is missing ({strategy} needs it)", needed_by=strategy
    )


def _wrong(detail: ErrorDetails) -> Problem:
    name = str(detail["loc"][0])
    if detail["type"] == "missing":
        choices = ", ".join(strategy_names())
        return Problem(_variable(name), "missing", f"{_variable(name)} is missing (one of {choices})")
    message = detail["msg"].removeprefix("Value error, ").replace("Input should", "should", 1)
    return Problem(_variable(name), "invalid", f"{_variable(name)} {message[0].lower()}{message[1:]}")
