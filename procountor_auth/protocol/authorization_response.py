"""Reading an authorization response: the redirect that brings a code, or an error.

RFC 6749, section 4.1.2, with its `state` (section 10.12) and `iss` (RFC 9207). The redirect comes from a
`Location` header (legacy login) or from a user's browser (login page, pasted address, loopback listener).

A redirect whose `state` is right is the response to the login, whatever else is wrong with it, and ends it. Any other
one may come from anybody, and changes nothing.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, parse_qsl, urljoin, urlsplit

from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.rfc6749.parameters import parse_authorization_code_response
from pydantic import SecretStr

from procountor_auth.errors import AccessDenied, RedirectError, StateMismatch
from procountor_auth.protocol.unpicklable import Unpicklable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_LENGTH: Final = 8_192
"""A redirect of more characters is refused unread."""

_AGAIN: Final = "Start the login again."
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ADDRESS_END: Final = re.compile("[?#]")


@dataclass(frozen=True, slots=True)
class ExpectedResponse(Unpicklable):
    """What an authorization response must match.

    Attributes:
        redirect_uri: The client's one redirect URI; it may be a bare word such as `redirect-uri-placeholder`.
        state: The value that was sent and must come back.
        asked_at: The URL of the request, which a relative redirect is relative to.
        issuer: What `iss` must be if it is there: the host.
        allow_missing_state: Whether a response with no `state` at all is accepted. A wrong one never is.
    """

    redirect_uri: str
    state: SecretStr
    asked_at: str
    issuer: str
    allow_missing_state: bool = False


def read_redirect(location: SecretStr, expected: ExpectedResponse) -> SecretStr:
    """Return the authorization code that `location` brings.

    Raises:
        StateMismatch: `state` is missing or wrong.
        AccessDenied: The user declined.
        RedirectError: It leads elsewhere, brings another error, or brings no one code; `ends_login` says whether
            the state was right.
    """
    # The reading happens in a function that returns its error, so that no traceback shows the code in a local.
    code, error = _read(location.get_secret_value(), expected)
    if error is not None:
        raise error
    return code


def _read(location: str, expected: ExpectedResponse) -> tuple[SecretStr, RedirectError | None]:
    code = SecretStr("")
    error: RedirectError | None = None
    if len(location) > MAX_LENGTH:
        error = RedirectError(f"The redirect is longer than {MAX_LENGTH} characters.", hint=_AGAIN)
    elif not (location.isascii() and location.isprintable()) or " " in location:
        error = RedirectError("The redirect is not a URL: it has characters that no URL has.", hint=_AGAIN)
    else:
        try:
            parts = urlsplit(location)
            leads_here = _leads_here(_ADDRESS_END.split(location, maxsplit=1)[0], expected)
            parameters = parse_qsl(parts.query, keep_blank_values=True, errors="strict", max_num_fields=50)
        except ValueError:
            return code, RedirectError("The redirect is not a well-formed URL.", hint=_AGAIN)
        if not leads_here:
            error = RedirectError(
                "The redirect leads to another address than the client's redirect URI.",
                hint="PROCOUNTOR_REDIRECT_URI must be exactly what is registered for PROCOUNTOR_CLIENT_ID.",
            )
        else:
            error = _check_parameters(parameters, expected)
        if error is None:
            code, error = _parse_with_authlib(location, parameters, expected)
    return code, error


def _leads_here(base: str, expected: ExpectedResponse) -> bool:
    """Compare the redirect's address with the registered one.

    A bare word comes back as it is, or made absolute by a browser or a gateway: then its scheme, host and last
    path segment must fit.
    """
    if base == expected.redirect_uri:
        return True
    parts = urlsplit(base)
    if parts.scheme and not parts.netloc:
        return False  # joining would make https:////host, which leads nowhere, https://host
    request = urlsplit(expected.asked_at)
    registered = urlsplit(expected.redirect_uri)
    found = urlsplit(urljoin(expected.asked_at, base))
    if not registered.scheme:
        return _origin(found) == _origin(request) and found.path.rpartition("/")[2] == registered.path
    return _origin(found) == _origin(registered) and (found.path or "/") == (registered.path or "/")


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    if "@" in parts.netloc:
        raise ValueError("user information in a redirect")
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _check_parameters(parameters: Sequence[tuple[str, str]], expected: ExpectedResponse) -> RedirectError | None:
    names = [name for name, _ in parameters]
    fields = dict(parameters)
    if len(names) != len(fields):
        return RedirectError("The redirect has a parameter twice.", hint=_AGAIN)
    state = fields.get("state")
    if state is None:
        if not expected.allow_missing_state:
            return StateMismatch(
                "The redirect has no state, although one was sent.",
                hint="Use the whole address of the redirect. If this is the legacy login, and this server never "
                "sends the state back, set PROCOUNTOR_ALLOW_MISSING_STATE=true.",
            )
    elif not hmac.compare_digest(state.encode(), expected.state.get_secret_value().encode()):
        return StateMismatch("The redirect's state is not the one that was sent.", hint=_AGAIN)
    error = _check_response(fields, expected)
    if error is not None:
        error.ends_login = state is not None
    return error


def _check_response(fields: Mapping[str, str], expected: ExpectedResponse) -> RedirectError | None:
    """Check what comes with the right state."""
    if fields.get("iss", expected.issuer).rstrip("/") != expected.issuer:
        return RedirectError("The redirect names another issuer than the configured host.", hint=_AGAIN)
    if "error" in fields:
        return _denial(fields["error"])
    if not fields.get("code"):
        return RedirectError("The redirect brings no code.", hint=_AGAIN)
    return None


def _denial(error: str) -> RedirectError:
    if error == "access_denied":
        return AccessDenied("The login was declined on the login page.", hint=_AGAIN)
    # Only a code of the standard's alphabet is repeated; a free text may be anything.
    word = error if error.isascii() and error.replace("_", "").isalnum() and len(error) <= 40 else "an error"  # noqa: PLR2004
    return RedirectError(
        f"The login page answered {word}.",
        hint="Check PROCOUNTOR_CLIENT_ID and PROCOUNTOR_REDIRECT_URI, then start the login again.",
    )


def _parse_with_authlib(
    location: str, parameters: Sequence[tuple[str, str]], expected: ExpectedResponse
) -> tuple[SecretStr, RedirectError | None]:
    sent_back = any(name == "state" for name, _ in parameters)
    state = expected.state.get_secret_value() if sent_back else None
    try:
        fields = parse_authorization_code_response(location, state=state)
    except OAuth2Error:
        error = RedirectError("The redirect brings no usable code.", hint=_AGAIN)
        error.ends_login = sent_back
        return SecretStr(""), error
    return SecretStr(fields["code"]), None
