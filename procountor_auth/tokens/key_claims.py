"""The claims of an API key, compared with the configuration that contains it.

In public clients, a key is a JWT with a client (`aud`), a company (`cid`), an issuer (`iss`) and no expiry.
Nothing of that is verified, nor promised: a key that says something else, or nothing, is none the worse for it.
Whose company it is for, `company.py` compares.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from procountor_auth.protocol.claims import read_id, read_time
from procountor_auth.protocol.json_object import is_json_array
from procountor_auth.settings.hosts import BY_ENVIRONMENT, is_loopback
from procountor_auth.tokens.refresh_expiry import REFRESH_WARNING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from procountor_auth.tokens.provider import TokenProvider

_ENVIRONMENT_OF: Final = {urlsplit(url).hostname: (name, url) for name, url in BY_ENVIRONMENT.items()}

_LAST_DAY: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class KeyProblem:
    """Something that an API key says of itself, and that does not fit. No part of the key is in it.

    Attributes:
        code: `other_client`, `other_issuer`, `expired` or `expires_soon`.
        message: What it is, in one sentence.
        hint: What to do about it.
        in_the_way: Whether there can be no token if it is true.
    """

    code: str
    message: str
    hint: str
    in_the_way: bool


@dataclass(frozen=True, slots=True)
class KeyClaims:
    """What the API key of a configuration says of itself.

    Attributes:
        client_id: The configured client.
        host: The host that is asked, without its scheme.
        claims: What the key says, unverified.
    """

    client_id: str | None
    host: str
    claims: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, provider: TokenProvider) -> KeyClaims | None:
        """Return what the key of a configuration says, or None if it has none, or one that is no JWT."""
        if provider.strategy.name != "client_credentials":
            return None
        claims = provider.strategy.credential_claims()
        host = urlsplit(provider.endpoints.host).hostname or ""
        return cls(provider.settings.client_id, host, claims) if claims else None

    def problems(self, now: float) -> list[KeyProblem]:
        """Return what does not fit.

        Args:
            now: The time, in Unix seconds.
        """
        found = (self._client_problem(), self._issuer_problem(), self._end_problem(now))
        return [problem for problem in found if problem is not None]

    def facts(self) -> list[str]:
        """Return what does fit, in words."""
        facts: list[str] = []
        if self._is_for_client() is True:
            facts.append("this client")
        if (company := read_id(self.claims.get("cid"))) is not None:
            facts.append(f"company {company}")
        if self._issuer() == self.host:
            facts.append("this host")
        if (end := self._end()) is not None:
            facts.append(f"until {_date(end)}")
        return facts

    def _client_problem(self) -> KeyProblem | None:
        if self._is_for_client() is not False:
            return None
        return KeyProblem(
            "other_client",
            "PROCOUNTOR_API_KEY says that it is for another client than PROCOUNTOR_CLIENT_ID",
            "Make a key with this client (`procountor-auth key create`), or name the key's client.",
            in_the_way=True,
        )

    def _is_for_client(self) -> bool | None:
        """Whether it is for the configured client, None if it does not say. It may name several (RFC 7519, 4.1.3)."""
        audience = self.claims.get("aud")
        named = audience if is_json_array(audience) else [audience]
        if self.client_id is None or not named or any(_is_no_name(each) for each in named):
            return None
        return self.client_id in map(str, named)

    def _issuer_problem(self) -> KeyProblem | None:
        """Compare the issuer, where it is one that is known: there may be other hosts, and other names for them."""
        issuer = self._issuer()
        if issuer is None or issuer == self.host:
            return None
        hint = "Use a key that was made for this host, or correct PROCOUNTOR_ENVIRONMENT or PROCOUNTOR_BASE_URL."
        if issuer in _ENVIRONMENT_OF:
            name, url = _ENVIRONMENT_OF[issuer]
            whose = f"{url} ({name})"
        elif is_loopback(issuer) and not is_loopback(self.host):
            whose = "a server on this machine, such as the sandbox"
        else:
            return None
        message = f"PROCOUNTOR_API_KEY was issued by {whose}, but the configured host is {self.host}"
        return KeyProblem("other_issuer", message, hint, in_the_way=False)

    def _issuer(self) -> str | None:
        """Return the issuer's host name, with or without a scheme before it."""
        issuer = self.claims.get("iss")
        if not isinstance(issuer, str):
            return None
        try:
            return urlsplit(issuer if "//" in issuer else f"//{issuer}").hostname
        except ValueError:
            return None

    def _end_problem(self, now: float) -> KeyProblem | None:
        end = self._end()
        if end is None or end - now >= REFRESH_WARNING:
            return None
        over = end <= now
        return KeyProblem(
            "expired" if over else "expires_soon",
            f"PROCOUNTOR_API_KEY says that it {'has ended' if over else 'ends'} on {_date(end)}",
            "Make another key: `procountor-auth key create`. If the date is wrong, check this machine's clock.",
            in_the_way=over,
        )

    def _end(self) -> float | None:
        """Return when it ends, in Unix seconds. A time before its begin is no end, nor one that no calendar has."""
        end = read_time(self.claims.get("exp"))
        begin = read_time(self.claims.get("iat")) or 0
        return end if end is not None and begin < end < _LAST_DAY else None


def _is_no_name(claim: object) -> bool:
    return isinstance(claim, bool) or not isinstance(claim, int | str)


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
