"""Redaction: a request and its response as text, with ``…`` for everything that might be a secret.

A faulty client may send a secret anywhere. So nothing is shown because it looks harmless: a value is shown if it is
one that the sandbox knows (a client's ID, a company's number, a grant type), and a name if it is a known parameter.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from procountor_auth.sandbox.state.request_log import GRANT_TYPES, Exchange, harmless_path

from .notes import refusal_noted
from .oauth_endpoints import company_number
from .parameter_names import PARAMETER_NAMES
from .responses import phrase

if TYPE_CHECKING:
    from collections.abc import Iterable

    import flask
    from werkzeug.datastructures import MultiDict

    from procountor_auth.sandbox.state.service import Service

MASK: Final = "…"
_MAX_TEXT: Final = 4_000
_MAX_NAMES: Final = 30
_MAX_VALUE: Final = 200
_MAX_BODY: Final = 10_000

_MEDIA_TYPES: Final = frozenset(
    {
        "*/*",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/html",
        "text/plain",
    }
)
_SCHEMES: Final = {"basic": "Basic", "bearer": "Bearer"}
_VALUES: Final = {
    "action": frozenset({"deny"}),
    "code_challenge_method": frozenset({"S256", "plain"}),
    "grant_type": GRANT_TYPES,
    "response_type": frozenset({"code"}),
}
#: Response headers that the sandbox sets itself.
_ANSWER_HEADERS: Final = ("Retry-After", "Allow", "Deprecation", "Sunset", "Link")
#: Members of responses that never contain a secret.
_MEMBERS: Final = frozenset(
    {
        "companyId",
        "country",
        "countryCode",
        "expires_in",
        "id",
        "loginMethod",
        "name",
        "productVersion",
        "status",
        "token_type",
        "userId",
    }
)
#: Members that describe an error.
_WORDS: Final = frozenset({"error", "error_description", "message"})


def redact(
    service: Service, request: flask.Request, response: flask.Response, *, is_own: bool, reset: str | None
) -> Exchange:
    """Return a request and its response as text without secrets.

    Args:
        service: The service, which knows the sandbox's values.
        request: The request.
        response: The response.
        is_own: Whether the response is the sandbox's own. A test's route may return anything.
        reset: Whether the connection is reset ``"before"`` the response or in its ``"middle"``.
    """
    answer = "" if reset == "before" else _answer(service, response, is_own=is_own)[:_MAX_TEXT]
    if reset is not None:
        answer += "[reset before the response]" if reset == "before" else "\n\n[reset in the middle of this]"
    return Exchange(_request(service, request)[:_MAX_TEXT], answer)


def _request(service: Service, request: flask.Request) -> str:
    lines = [f"{request.method} {harmless_path(request.path)}"]
    lines += [f"  ?{line}" for line in _parameters(service, request.args)]
    scheme, space, _ = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        lines.append(f"Authorization: {_SCHEMES.get(scheme.lower(), MASK) if space else MASK} {MASK}")
    if request.headers.get("Accept"):
        accepted = (each.partition(";")[0].strip() for each in request.headers["Accept"].split(",", _MAX_NAMES))
        lines.append(f"Accept: {', '.join(dict.fromkeys(_media_type(each) for each in accepted))}")
    if request.mimetype:
        lines.append(f"Content-Type: {_media_type(request.mimetype)}")
    if request.form:
        lines += ["", *_parameters(service, request.form)]
    elif request.content_length:
        lines += ["", f"[{request.content_length} bytes]"]
    return "\n".join(lines)


def _parameters(service: Service, given: MultiDict[str, str]) -> Iterable[str]:
    pairs = list(given.items(multi=True))
    for name, value in pairs[:_MAX_NAMES]:
        yield f"{name if name in PARAMETER_NAMES else MASK}={_shown(service, name, value)[:_MAX_VALUE]}"
    if len(pairs) > _MAX_NAMES:
        yield f"[{len(pairs) - _MAX_NAMES} more]"


def _shown(service: Service, name: str, value: str) -> str:
    directory = service.world.directory
    if name == "company":
        number = company_number(value)
        is_known = number is not None and directory.company(number) is not None and str(number) == value
    elif name == "client_id":
        is_known = directory.client(value) is not None
    elif name == "redirect_uri":
        is_known = directory.is_redirect_uri(value)
    else:
        is_known = value in _VALUES.get(name, ())
    return value if is_known or not value else MASK


def _media_type(text: str) -> str:
    return text if text in _MEDIA_TYPES else MASK


def _answer(service: Service, response: flask.Response, *, is_own: bool) -> str:
    lines = [f"{response.status_code} {phrase(response.status_code)}"]
    if response.mimetype and response.status_code != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Type: {_media_type(response.mimetype)}")
    if not is_own:
        return "\n".join([*lines, "", "[response of a test's route]"])
    if response.headers.get("Location"):
        lines.append(f"Location: {_location(service, response.headers['Location'])}")
    if scheme := response.headers.get("WWW-Authenticate", "").partition(" ")[0]:
        lines.append(f"WWW-Authenticate: {_SCHEMES.get(scheme.lower(), MASK)}")
    lines += [f"{name}: {response.headers[name][:_MAX_VALUE]}" for name in _ANSWER_HEADERS if name in response.headers]
    body = response.get_data()
    if body and "Location" not in response.headers:
        lines += ["", _body(body, response.mimetype)]
    return "\n".join(lines)


def _location(service: Service, location: str) -> str:
    where, question, query = location.partition("?")
    where = where if service.world.directory.is_redirect_uri(where) else MASK
    return f"{where[:_MAX_VALUE]}{question}{'&'.join(_answer_parameter(pair) for pair in query.split('&') if pair)}"


def _answer_parameter(pair: str) -> str:
    name, _, value = pair.partition("=")
    is_known = (name == "error" and value == refusal_noted()) or (name == "expires_in" and value.isdecimal())
    return f"{name if name in PARAMETER_NAMES else MASK}={value if is_known else MASK}"


def _body(body: bytes, media_type: str | None) -> str:
    content: Any = None
    if media_type == "application/json" and len(body) <= _MAX_BODY:
        try:
            content = json.loads(body)
        except ValueError:
            return f"[{len(body)} bytes that are not JSON]"
    if not isinstance(content, dict):
        return f"[{len(body)} bytes]"
    return json.dumps(_redacted(cast("object", content)), indent=2, ensure_ascii=False)


def _redacted(content: object, name: str = "") -> object:
    if isinstance(content, dict):
        return {key: _redacted(value, key) for key, value in cast("dict[str, object]", content).items()}
    if isinstance(content, list):
        return [_redacted(value, name) for value in cast("list[object]", content)]
    if name in _WORDS and isinstance(content, str):
        is_known = content in (refusal_noted() or "") or content in {each.phrase for each in HTTPStatus}
        return content if is_known else MASK
    return content if name in _MEMBERS else MASK
