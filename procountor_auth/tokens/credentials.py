"""Whether two processes have the same credentials, without showing them."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

if TYPE_CHECKING:
    from procountor_auth.settings.settings import Settings

_LENGTH: Final = 16


def credentials_digest(settings: Settings | None) -> str | None:
    """Return a digest of the secrets that tokens are requested with, or None where there is no client secret.

    It is keyed with the client secret, which the vendor makes: whoever can read the store learns nothing about a
    password from it.
    """
    if settings is None or settings.client_secret is None:
        return None
    digest = hmac.new(settings.client_secret.get_secret_value().encode(), digestmod="sha256")
    # A company, a refresh token and a fallback are none, but with others of them a refusal may end otherwise.
    fallback = SecretStr(settings.fallback_strategy or "")
    secrets = (
        settings.username,
        settings.password,
        settings.company,
        settings.api_key,
        settings.refresh_token,
        fallback,
    )
    for secret in (*secrets, *settings.own.values()):
        # The length first, so that no two lists of values look alike.
        value = secret.get_secret_value().encode() if secret is not None else b""
        digest.update(len(value).to_bytes(8) + value)
    return digest.hexdigest()[:_LENGTH]
