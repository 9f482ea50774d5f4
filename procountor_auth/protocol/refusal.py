"""Determines which credential a server rejected, from the status, the text, and the request.

The service has two error formats. RFC 6749, section 5.2, has a code for each case; the API's own `errors` have only
messages. Both are mapped to the same result here.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from procountor_auth.errors import CredentialsRefused, InvalidClient, InvalidGrant

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Request

TEMPORARY_CODES: Final = frozenset({"temporarily_unavailable", "server_error"})

_BY_ERROR_CODE: Final[dict[str, type[CredentialsRefused]]] = {
    "invalid_grant": InvalidGrant,
    "invalid_client": InvalidClient,
    "unauthorized_client": InvalidClient,
}

KNOWN_CODES: Final = frozenset(
    {"invalid_request", "unsupported_grant_type", "invalid_scope", *_BY_ERROR_CODE, *TEMPORARY_CODES}
)
"""RFC 6749, sections 4.1.2.1 and 5.2."""

REFUSING: Final = frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""Statuses of a rejection: those of RFC 6749, section 5.2, and two that servers have used instead."""

_OPEN: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED})
"""Statuses that mean the refresh token if the text does not say what was rejected."""

# Patterns as text: they are compiled on first use, as most programs never get a rejection.
_CODE: Final = rf"(?i)\b({'|'.join(sorted(KNOWN_CODES))})\b"

_ABOUT_CREDENTIALS: Final = (
    r"(?i)\b(invalid(?!.{0,2}(request|scope|grant.?type))|incorrect|wrong|unknown|expired|revoked|denied|unauthori[sz]ed"
    r"|not (valid|found|allowed|authori[sz]ed))(\b|_)"
)
"""Words that are used about credentials, even if they do not say which; but not about maintenance."""

_NO: Final = (
    r"(?i)\b(invalid|incorrect|wrong|unknown|expired|revoked|denied|unauthori[sz]ed|failed|refused|rejected|mismatch"
    r"|disabled|deleted|locked|blocked|inactive|used|ended|another|cannot|no(?! longer)"
    r"|not(?! (given|specified|present|provided|supplied|supported|possible|available)))\b|n't\b"
)
"""Words that reject the thing that is named beside them. A missing parameter is not a rejection."""

_FOR_NOW: Final = (
    r"(?i)\bmaintenance|\btemporarily|\b(service|server|system|currently)( is)? unavailable|\bserver error"
    r"|\boverloaded|\btoo many requests|\brate.?limit|\bthrottl"
)

_REDIRECT_URI: Final = r"(?i)\bredirect(ion)?[ -]?ur[il]"

_CLIENT: Final = r"(?i)client|\bsecret\b|\bapplication\b"

_NO_CREDENTIALS: Final = frozenset(
    {"grant_type", "response_type", "client_id", "client_secret", "redirect_uri", "state", "scope"}
)
"""Parameters that any grant may have; the other ones are the credential of the grant."""

_WHOSE: Final = r"\busers?\b|\bcompany\b"

_ALSO_CALLED: Final = {
    "refresh_token": r"\btoken\b|\bgrant\b(?! type)|\bsession\b",
    "code": r"(?<!error )(?<!status )\bcode\b|\bgrant\b(?! type)",
    "api_key": r"\bkey\b|\bgrant\b(?! type)",
    "password": r"\buser ?name\b|\blog ?in\b|\blogon\b|(?<!client )\bcredentials?\b",
}

_LONGEST: Final = 2_000
"""The most characters of a server's text that are searched."""


class About(enum.Enum):
    """What a rejection may be about."""

    GRANT = enum.auto()
    CLIENT = enum.auto()
    REDIRECT_URI = enum.auto()


_NOTHING: Final[frozenset[About]] = frozenset()
_REDIRECT: Final = frozenset({About.REDIRECT_URI})


@dataclass(frozen=True, slots=True)
class Judgement:
    """The meaning of a rejection.

    Attributes:
        kind: The class of the error.
        definite: Whether the server has definitely decided about the credentials.
        about: What was rejected; empty if the server does not say.
        code: The standard's error code, if the server sent one in either format.
    """

    kind: type[CredentialsRefused]
    definite: bool
    about: frozenset[About]
    code: str | None = None


def passes(text: str) -> bool:
    """Whether a server's text says that it may serve the request later."""
    return re.search(_FOR_NOW, _spaced(text)) is not None


def standard_code(text: str) -> str | None:
    """Return the first error code of RFC 6749 in a text, or None."""
    found = re.search(_CODE, text[:_LONGEST])
    return found[1].lower() if found else None


def judge(status: int, code: str | None, text: str, request: Request) -> Judgement:
    """Determine what a server rejected.

    Args:
        status: The status of the response.
        code: The `error` of the response, if it has the format of RFC 6749.
        text: The whole text of the response, including the code.
        request: The request.
    """
    known = code if code in KNOWN_CODES else standard_code(text)
    words = _spaced(re.sub(_CODE, " ", text[:_LONGEST]))
    about = _about(words, request)
    if status not in REFUSING:
        return Judgement(CredentialsRefused, definite=False, about=about, code=known)
    kind = _BY_ERROR_CODE.get(known or "")
    if (
        About.REDIRECT_URI in about
        and About.GRANT not in about
        and not (kind is InvalidClient and About.CLIENT in about)
    ):
        # The client's redirect URI is not a credential, whichever error code the server sends.
        return Judgement(CredentialsRefused, definite=False, about=_REDIRECT, code=known)
    if known is not None:
        return Judgement(kind or CredentialsRefused, definite=kind is not None, about=about, code=known)
    if about and re.search(_NO, words):
        kind = InvalidGrant if About.GRANT in about else InvalidClient
        return Judgement(kind, definite=True, about=about)
    definite = code is None and re.search(_ABOUT_CREDENTIALS, text[:_LONGEST]) is not None
    if status in _OPEN and refreshes(request):
        return Judgement(InvalidGrant, definite=definite, about=_NOTHING)
    return Judgement(CredentialsRefused, definite=definite, about=_NOTHING)


def refreshes(request: Request) -> bool:
    """Whether a request contains a refresh token."""
    return "refresh_token" in _sent(request)


def authenticates(request: Request) -> bool:
    """Whether a request contains a client secret."""
    return "client_secret" in _sent(request)


def _about(words: str, request: Request) -> frozenset[About]:
    sent = _sent(request)
    if "client_id" not in sent:  # a request to the API, whose rejections have other reasons
        return _NOTHING
    names = sent - _NO_CREDENTIALS
    nouns = [re.escape(name).replace("_", "[ -]?") for name in names]
    nouns += [also for name, also in _ALSO_CALLED.items() if name in names]
    about: set[About] = set()
    if re.search("|".join([*nouns, _WHOSE]), words, re.IGNORECASE):
        about.add(About.GRANT)
    if re.search(_CLIENT, words):
        about.add(About.CLIENT)
    if re.search(_REDIRECT_URI, words):
        about.add(About.REDIRECT_URI)
    return frozenset(about)


def _sent(request: Request) -> frozenset[str]:
    """Return the names of the parameters."""
    return frozenset([*parse_qs(urlsplit(request.url).query), *parse_qs(request.body)])


def _spaced(text: str) -> str:
    return text[:_LONGEST].replace("_", " ")
