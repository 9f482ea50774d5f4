"""Which credential a server refuses: told from its status, from its words, and from what was sent.

The service refuses in two shapes [C]. RFC 6749, section 5.2, has a code for each case; the API's own `errors` have only
messages. Both are understood alike here, so that whoever renews a token needs to know one of them only.
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
"""Statuses with which a server refuses: those of RFC 6749, section 5.2, and two that servers have used instead."""

_OPEN: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED})
"""Statuses that mean the refresh token where the words leave open what is refused."""

_CODE: Final = re.compile(rf"\b({'|'.join(sorted(KNOWN_CODES))})\b", re.IGNORECASE)

_ABOUT_CREDENTIALS: Final = re.compile(
    r"\b(invalid(?!.{0,2}(request|scope|grant.?type))|incorrect|wrong|unknown|expired|revoked|denied|unauthori[sz]ed"
    r"|not (valid|found|allowed|authori[sz]ed))(\b|_)",
    re.IGNORECASE,
)
"""What is said of credentials, even where it is not said of which; not that something is being maintained."""

_NO: Final = re.compile(
    r"\b(invalid|incorrect|wrong|unknown|expired|revoked|denied|unauthori[sz]ed|failed|refused|rejected|mismatch"
    r"|disabled|deleted|locked|blocked|inactive|used|ended|another|cannot|no(?! longer)"
    r"|not(?! (given|specified|present|provided|supplied|supported|possible|available)))\b|n't\b",
    re.IGNORECASE,
)
"""What refuses the thing that is named beside it. That a parameter is missing does not."""

_FOR_NOW: Final = re.compile(
    r"\bmaintenance|\btemporarily|\b(service|server|system|currently)( is)? unavailable|\bserver error"
    r"|\boverloaded|\btoo many requests|\brate.?limit|\bthrottl",
    re.IGNORECASE,
)

_REDIRECT_URI: Final = re.compile(r"\bredirect(ion)?[ -]?ur[il]", re.IGNORECASE)

_CLIENT: Final = re.compile(r"client|\bsecret\b|\bapplication\b", re.IGNORECASE)

_NO_CREDENTIALS: Final = frozenset(
    {"grant_type", "response_type", "client_id", "client_secret", "redirect_uri", "state", "scope"}
)
"""Parameters that every grant may have; whatever else is sent is what it is granted for."""

_WHOSE: Final = r"\busers?\b|\bcompany\b"

_ALSO_CALLED: Final = {
    "refresh_token": r"\btoken\b|\bgrant\b(?! type)|\bsession\b",
    "code": r"(?<!error )(?<!status )\bcode\b|\bgrant\b(?! type)",
    "api_key": r"\bkey\b|\bgrant\b(?! type)",
    "password": r"\buser ?name\b|\blog ?in\b|\blogon\b|(?<!client )\bcredentials?\b",
}

_LONGEST: Final = 2_000
"""Characters of a server's text that are looked at."""


class About(enum.Enum):
    """What a refusal may name."""

    GRANT = enum.auto()
    CLIENT = enum.auto()
    REDIRECT_URI = enum.auto()


_NOTHING: Final[frozenset[About]] = frozenset()
_REDIRECT: Final = frozenset({About.REDIRECT_URI})


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a refusal means.

    Attributes:
        kind: The class of the error.
        definite: Whether the server has certainly decided about the credentials.
        about: What it names; nothing where the server leaves that open.
        code: The standard's code for it, where the server gave one in either shape.
    """

    kind: type[CredentialsRefused]
    definite: bool
    about: frozenset[About]
    code: str | None = None


def passes(text: str) -> bool:
    """Whether a server's words say that it can't serve a request now, and may later."""
    return _FOR_NOW.search(_spaced(text)) is not None


def standard_code(text: str) -> str | None:
    """Return the first code of RFC 6749 that a text has in it, or None."""
    found = _CODE.search(text[:_LONGEST])
    return found[1].lower() if found else None


def judge(status: int, code: str | None, text: str, request: Request) -> Judgement:
    """Say what a server refuses.

    Args:
        status: The status of its response.
        code: Its `error`, where the response has the shape of RFC 6749.
        text: All that it says, with the code.
        request: What was sent.
    """
    known = code if code in KNOWN_CODES else standard_code(text)
    words = _spaced(_CODE.sub(" ", text[:_LONGEST]))
    about = _about(words, request)
    if status not in REFUSING:
        return Judgement(CredentialsRefused, definite=False, about=about, code=known)
    kind = _BY_ERROR_CODE.get(known or "")
    if (
        About.REDIRECT_URI in about
        and About.GRANT not in about
        and not (kind is InvalidClient and About.CLIENT in about)
    ):
        # The client's one redirect URI is no credential, whichever code the server has for it.
        return Judgement(CredentialsRefused, definite=False, about=_REDIRECT, code=known)
    if known is not None:
        return Judgement(kind or CredentialsRefused, definite=kind is not None, about=about, code=known)
    if about and _NO.search(words):
        kind = InvalidGrant if About.GRANT in about else InvalidClient
        return Judgement(kind, definite=True, about=about)
    definite = code is None and _ABOUT_CREDENTIALS.search(text[:_LONGEST]) is not None
    if status in _OPEN and refreshes(request):
        return Judgement(InvalidGrant, definite=definite, about=_NOTHING)
    return Judgement(CredentialsRefused, definite=definite, about=_NOTHING)


def refreshes(request: Request) -> bool:
    """Whether a request has a refresh token in it."""
    return "refresh_token" in _sent(request)


def authenticates(request: Request) -> bool:
    """Whether a request has a client secret in it."""
    return "client_secret" in _sent(request)


def _about(words: str, request: Request) -> frozenset[About]:
    sent = _sent(request)
    if "client_id" not in sent:  # a request to the API, which has other things to refuse
        return _NOTHING
    names = sent - _NO_CREDENTIALS
    nouns = [re.escape(name).replace("_", "[ -]?") for name in names]
    nouns += [also for name, also in _ALSO_CALLED.items() if name in names]
    about = set()
    if re.search("|".join([*nouns, _WHOSE]), words, re.IGNORECASE):
        about.add(About.GRANT)
    if _CLIENT.search(words):
        about.add(About.CLIENT)
    if _REDIRECT_URI.search(words):
        about.add(About.REDIRECT_URI)
    return frozenset(about)


def _sent(request: Request) -> frozenset[str]:
    """Return the names of the parameters."""
    return frozenset([*parse_qs(urlsplit(request.url).query), *parse_qs(request.body)])


def _spaced(text: str) -> str:
    return text[:_LONGEST].replace("_", " ")
