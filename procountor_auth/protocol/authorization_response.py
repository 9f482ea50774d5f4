"""Reads an authorization response: the redirect with a code or an error.

RFC 6749, section 4.1.2, with its `state` (section 10.12) and `iss` (RFC 9207). The redirect comes from a
`Location` header (legacy login) or from a user's browser (login page, pasted address, loopback listener).

A redirect with the right `state` is the response to the login and ends it, even if it is otherwise invalid. Any other
redirect may come from an attacker, and is ignored.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, parse_qsl, urljoin, urlsplit

from pydantic import SecretStr

from procountor_auth.errors import AccessDenied, RedirectError, StateMismatch
from procountor_auth.protocol.importing import importing
from procountor_auth.protocol.unpicklable import Unpicklable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_LENGTH: Final = 8_192
"""The longest redirect that is parsed, in characters."""

_AGAIN: Final = "Start the login again."
_AS_REGISTERED: Final = "PROCOUNTOR_REDIRECT_URI must be exactly what is registered for PROCOUNTOR_CLIENT_ID."
_BEHIND_A_PROXY: Final = (
    "Behind a proxy that terminates TLS, a web framework sees the internal scheme, host and port: let it trust the "
    "proxy's X-Forwarded headers (uvicorn --proxy-headers, Werkzeug's ProxyFix, Django's SECURE_PROXY_SSL_HEADER), or "
    f"build the address from the redirect URI and the query. Otherwise, {_AS_REGISTERED}"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ADDRESS_END: Final = re.compile("[?#]")


@dataclass(frozen=True, slots=True)
class ExpectedResponse(Unpicklable):
    """What an authorization response must match.

    Attributes:
        redirect_uri: The client's redirect URI; it may be a plain word such as `redirect-uri-placeholder`.
        state: The value that was sent and must be returned.
        asked_at: The URL of the request, which relative redirects are resolved against.
        issuer: The required value of `iss`, if the response has one: the host.
        allow_missing_state: Whether a response without a `state` is accepted. A wrong `state` never is.
    """

    redirect_uri: str
    state: SecretStr
    asked_at: str
    issuer: str
    allow_missing_state: bool = False


def read_redirect(location: SecretStr, expected: ExpectedResponse) -> SecretStr:
    """Return the authorization code in `location`.

    Raises:
        StateMismatch: `state` is missing or wrong.
        AccessDenied: The user declined.
        RedirectError: The redirect leads elsewhere, or has another error or no usable code; `ends_login` says whether
            the state was right.
    """
    # `_read` returns its error instead of raising it, so that no traceback shows the code in a local variable.
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
        error = RedirectError("The redirect is not a URL: it contains invalid characters.", hint=_AGAIN)
    else:
        try:
            parts = urlsplit(location)
            leads_here = _leads_here(_ADDRESS_END.split(location, maxsplit=1)[0], expected)
            parameters = parse_qsl(parts.query, keep_blank_values=True, errors="strict", max_num_fields=50)
        except ValueError:
            return code, RedirectError("The redirect is not a well-formed URL.", hint=_AGAIN)
        if not leads_here:
            error = RedirectError(
                "The redirect does not lead to the client's redirect URI.",
                hint=_BEHIND_A_PROXY if _has_its_path(parts, expected) else _AS_REGISTERED,
            )
        else:
            error = _check_parameters(parameters, expected)
        if error is None:
            code, error = _parse_with_authlib(location, parameters, expected)
    return code, error


def _leads_here(base: str, expected: ExpectedResponse) -> bool:
    """Compare the redirect's address with the registered one.

    A plain word comes back unchanged, or as an absolute URL from a browser or gateway: then its scheme, host and last
    path segment must match.
    """
    if base == expected.redirect_uri:
        return True
    parts = urlsplit(base)
    if parts.scheme and not parts.netloc:
        return False  # joining would turn the invalid https:////host into https://host
    request = urlsplit(expected.asked_at)
    registered = urlsplit(expected.redirect_uri)
    found = urlsplit(urljoin(expected.asked_at, base))
    if not registered.scheme:
        return _origin(found) == _origin(request) and found.path.rpartition("/")[2] == registered.path
    return _origin(found) == _origin(registered) and (found.path or "/") == (registered.path or "/")


def _has_its_path(parts: SplitResult, expected: ExpectedResponse) -> bool:
    """Whether only scheme, host or port differ, as they do in a web framework behind a proxy."""
    registered = urlsplit(expected.redirect_uri)
    return bool(registered.netloc and parts.netloc) and (parts.path or "/") == (registered.path or "/")


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    if "@" in parts.netloc:
        raise ValueError("user information in a redirect")
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _check_parameters(parameters: Sequence[tuple[str, str]], expected: ExpectedResponse) -> RedirectError | None:
    names = [name for name, _ in parameters]
    fields = dict(parameters)
    if len(names) != len(fields):
        return RedirectError("The redirect has a duplicate parameter.", hint=_AGAIN)
    state = fields.get("state")
    if state is None:
        if not expected.allow_missing_state:
            return StateMismatch(
                "The redirect has no state, although one was sent.",
                hint="Use the complete address of the redirect. If this is the legacy login, and this server never "
                "returns the state, set PROCOUNTOR_ALLOW_MISSING_STATE=true.",
            )
    elif not hmac.compare_digest(state.encode(), expected.state.get_secret_value().encode()):
        return StateMismatch("The redirect's state is not the one that was sent.", hint=_AGAIN)
    error = _check_response(fields, expected)
    if error is not None:
        error.ends_login = state is not None
    return error


def _check_response(fields: Mapping[str, str], expected: ExpectedResponse) -> RedirectError | None:
    """Check the other parameters of a redirect with the right state."""
    if fields.get("iss", expected.issuer).rstrip("/") != expected.issuer:
        return RedirectError("The redirect's issuer is not the configured host.", hint=_AGAIN)
    if "error" in fields:
        return _denial(fields["error"])
    if not fields.get("code"):
        return RedirectError("The redirect has no code.", hint=_AGAIN)
    return None


def _denial(error: str) -> RedirectError:
    if error == "access_denied":
        return AccessDenied("The login was declined on the login page.", hint=_AGAIN)
    # Only a code in the standard's alphabet is repeated: other text may contain anything.
    word = error if error.isascii() and error.replace("_", "").isalnum() and len(error) <= 40 else "an error"  # noqa: PLR2004
    return RedirectError(
        f"The login page responded with {word}.",
        hint="Check PROCOUNTOR_CLIENT_ID and PROCOUNTOR_REDIRECT_URI, then start the login again.",
    )


def _parse_with_authlib(
    location: str, parameters: Sequence[tuple[str, str]], expected: ExpectedResponse
) -> tuple[SecretStr, RedirectError | None]:
    with importing("authlib.oauth2"):
        from authlib.oauth2 import OAuth2Error  # noqa: PLC0415 - only for a response
        from authlib.oauth2.rfc6749.parameters import parse_authorization_code_response  # noqa: PLC0415 - the same
    sent_back = any(name == "state" for name, _ in parameters)
    state = expected.state.get_secret_value() if sent_back else None
    try:
        fields = parse_authorization_code_response(location, state=state)
    except OAuth2Error:
        error = RedirectError("The redirect has no usable code.", hint=_AGAIN)
        error.ends_login = sent_back
        return SecretStr(""), error
    return SecretStr(fields["code"]), None
