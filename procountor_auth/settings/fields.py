"""The settings: the name, type and description of each."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from procountor_auth.settings.validators import (
    REFERABLE,
    StrategyName,
    Word,
    check_host,
    check_redirect_uri,
    check_version,
    expand_home,
    one_of,
    plain,
)
from procountor_auth.strategies.deprecation import LegacyPolicy

if TYPE_CHECKING:
    from pydantic_settings import PydanticBaseSettingsSource


class Fields(BaseSettings):
    """All settings. `Settings` reads and validates them.

    A secret may be a reference: `keyring:NAME`, `file:/path`, `command:…` (`secret_reference.py`).
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,  # its validator is not used; that of `Settings` is built on import
    )

    strategy: StrategyName = Field(
        description="How to authenticate. This is the one variable that a migration changes.",
        examples=["client_credentials"],
    )
    profile: Word | None = Field(
        default=None,
        description="The profile to use, if the configuration has several. An explicit `profile=` takes precedence.",
        examples=["acme"],
    )
    profiles_file: Annotated[Path, BeforeValidator(plain)] | None = Field(
        default=None,
        description="A TOML file with common values at the top and a table `[profiles.NAME]` for each profile. It is "
        "UTF-8, at most 8 MiB, and a regular file: pipes and devices are not read.",
        examples=["/etc/integration/profiles.toml"],
    )
    environment: Annotated[Literal["production", "test"], one_of("production", "test")] = Field(
        default="production", description="Which of the vendor's hosts to use.", examples=["test"]
    )
    base_url: Annotated[str, BeforeValidator(check_host)] | None = Field(
        default=None,
        description="The scheme and host. Takes precedence over `PROCOUNTOR_ENVIRONMENT`. A trailing API path (`/api`, "
        "`/latest/api`, `/v2605/api`) is accepted, and a version in it becomes the API version. `http://` is allowed "
        "for loopback addresses only.",
        examples=["https://api.procountor.com"],
    )
    api_version: Annotated[str, BeforeValidator(check_version)] | None = Field(
        default=None,
        description="The version segment of the API path: `latest`, `supported` or `vYYMM`; `26.05` is read as "
        "`v2605`. If it is not set, the path has no version.",
        examples=["v2302"],
    )
    client_id: Word | None = Field(default=None, description="The API client's ID.", examples=["my-client"])
    client_secret: Annotated[SecretStr, REFERABLE["client_secret"]] | None = Field(
        default=None, description="The API client's secret.", examples=["keyring:client-secret"]
    )
    redirect_uri: Annotated[str, BeforeValidator(check_redirect_uri)] | None = Field(
        default=None,
        description="The API client's redirect URI, exactly as registered: a URL without a query string, or a word. "
        "`procountor-auth key create` always needs it.",
        examples=["redirect-uri-placeholder"],
    )
    username: Annotated[SecretStr, REFERABLE["username"]] | None = Field(
        default=None, description="The user name.", examples=["file:/run/secrets/procountor-user"]
    )
    password: Annotated[SecretStr, REFERABLE["password"]] | None = Field(
        default=None, description="The user's password.", examples=["file:/run/secrets/procountor-password"]
    )
    company: Annotated[SecretStr, REFERABLE["company"]] | None = Field(
        default=None,
        description="The numeric company ID. If it is set, a token for any other company is rejected, whatever the "
        "strategy.",
        examples=["14159"],
    )
    api_key: Annotated[SecretStr, REFERABLE["api_key"]] | None = Field(
        default=None, description="The API key.", examples=["keyring:api-key-14159"]
    )
    refresh_token: Annotated[SecretStr, REFERABLE["refresh_token"]] | None = Field(
        default=None,
        description="A refresh token to start with on a host without a browser.",
        examples=["file:/run/secrets/procountor-refresh-token"],
    )
    bridge_username: Annotated[SecretStr, REFERABLE["bridge_username"]] | None = Field(
        default=None,
        description="The user name that a program sends to the bridge, if it differs from `PROCOUNTOR_USERNAME`.",
        examples=["old-program"],
    )
    bridge_password: Annotated[SecretStr, REFERABLE["bridge_password"]] | None = Field(
        default=None,
        description="The password that it sends, if it differs from `PROCOUNTOR_PASSWORD`; or its Argon2 hash, from "
        "`procountor-auth bridge hash`. A hash contains `$`: quote it.",
        examples=["'$argon2id$v=19$…'"],
    )
    bridge_client_id: Word | None = Field(
        default=None,
        description="The client ID that it sends, if it differs from `PROCOUNTOR_CLIENT_ID`.",
        examples=["old-client"],
    )
    bridge_client_secret: Annotated[SecretStr, REFERABLE["bridge_client_secret"]] | None = Field(
        default=None,
        description="The client secret that it sends, if it differs from `PROCOUNTOR_CLIENT_SECRET`.",
        examples=["keyring:old-client-secret"],
    )
    token_store: Annotated[SecretStr, REFERABLE["token_store"]] = Field(
        default=SecretStr("memory"),
        description="Where tokens are kept: `memory`, `file`, `file:PATH`, `keyring`, or a URL that starts with "
        "`redis://`, `rediss://`, `unix://`, `postgresql+psycopg://` or `sqlite:///`. Treated as a secret, because a "
        "URL can contain a password.",
        examples=["file"],
    )
    token_store_key: Annotated[SecretStr, REFERABLE["token_store_key"]] | None = Field(
        default=None,
        description="Fernet keys that encrypt stored tokens, separated by commas. The first key encrypts; every key "
        "decrypts. `memory` does not need one.",
        examples=["file:/run/secrets/procountor-store-key"],
    )
    legacy_policy: Annotated[LegacyPolicy, one_of(*get_args(LegacyPolicy))] = Field(
        default="warn",
        description="What happens when `legacy_password` is chosen: `warn` once per process, refuse with an `error`, "
        "or `allow` it with a log message.",
        examples=["error"],
    )
    fallback_strategy: StrategyName | None = Field(
        default=None,
        description="The strategy to fall back to when the server definitely refuses the chosen one, but never after a "
        "network error. It needs its own variables as well.",
        examples=["legacy_password"],
    )
    fallback_limit: Annotated[int, BeforeValidator(plain), Field(ge=1, le=1_000_000)] = Field(
        default=24,
        description="How many times one token source falls back. After that, the refusal is raised. `reload()` "
        "starts a new count only if it changes the credentials or a strategy.",
        examples=["100"],
    )
    allow_missing_state: Annotated[bool, BeforeValidator(plain)] = Field(
        default=False,
        description="Accept a legacy redirect without a `state`. A wrong `state` is always an error.",
        examples=["true"],
    )
    pkce: Annotated[bool, BeforeValidator(plain)] = Field(
        default=False, description="Send a PKCE challenge (S256) with browser logins.", examples=["true"]
    )
    timeout: Annotated[float, BeforeValidator(plain), Field(gt=0, le=600)] = Field(
        default=30.0,
        description="The maximum time in seconds to get a token, including retries and waiting for the store's lock.",
        examples=["60"],
    )
    proxy: Annotated[SecretStr, REFERABLE["proxy"]] | None = Field(
        default=None,
        description="The URL of a proxy for token requests. `HTTPS_PROXY` and similar variables are not read. Plain "
        "HTTP, which is for loopback addresses only, never goes through the proxy.",
        examples=["http://proxy.example:3128"],
    )
    ca_bundle: Annotated[Path, BeforeValidator(plain), AfterValidator(expand_home)] | None = Field(
        default=None,
        description="A PEM file of certificate authorities to trust instead of the default ones.",
        examples=["/etc/ssl/own-ca.pem"],
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Disable the sources of pydantic-settings: `Settings` reads ours and passes their values."""
        return (init_settings,)
