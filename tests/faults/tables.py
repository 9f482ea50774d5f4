"""The faults, as data. What has to come of each one was written down before it was tried."""

from __future__ import annotations

import gzip
import json
from typing import Final

from procountor_auth.errors import (
    ConnectionFailed,
    CredentialsRefused,
    InvalidClient,
    InvalidGrant,
    LegacyRemoved,
    RedirectError,
    ServiceUnavailable,
    StateMismatch,
    UnexpectedResponse,
)

from .acts import (
    GOOD,
    MISSING,
    answer,
    close,
    close_after,
    drip,
    errors,
    first,
    flood,
    location,
    message,
    page,
    reset,
    reset_after,
    say,
    slow_body,
    stall_after,
    token,
)
from .fault import SHORT, Accepted, Fault, Refused
from .shapes import SHAPES, TOKEN_SHAPES

_JSON: Final = json.dumps(GOOD).encode()
_HALF: Final = message(200, _JSON)[:-20]

_UNSENT: Final = Refused(ConnectionFailed, retryable=True, safe=3, once=3)
_SHUT: Final = Refused(ConnectionFailed, retryable=True, says="The proxy .*refused", safe=3, once=3)
_LOST: Final = Refused(ConnectionFailed, retryable=True, safe=3, once=1)
_LATE: Final = Refused(ConnectionFailed, retryable=True)
_STRANGE: Final = Refused(UnexpectedResponse)
_BUSY: Final = Refused(ServiceUnavailable, retryable=True, safe=3, once=3)
_DOWN: Final = Refused(ServiceUnavailable, retryable=True, safe=3, once=1)
_WAITS: Final = Refused(ServiceUnavailable, retryable=True)

_GRANT: Final = Refused(InvalidGrant, login=True)
_UNCLEAR: Final = Refused(CredentialsRefused, login=True)
_CLIENT: Final = Refused(InvalidClient)

_BOMB: Final = gzip.compress(b"0" * 16_000_000)


TRANSPORT: Final = (
    Fault("transport", "no-such-host", _UNSENT, where="no-such-host"),
    Fault("transport", "refused", _UNSENT, where="nothing-listens"),
    Fault("transport", "connect-timeout", _LATE, where="never-accepts", timeout=SHORT),
    Fault("transport", "tls-failure", _UNSENT, where="not-tls"),
    Fault("transport", "bad-certificate", Refused(ConnectionFailed), token(), where="untrusted"),
    Fault("transport", "hung-up", _LOST, close),
    Fault("transport", "reset-before-the-answer", _LOST, reset),
    Fault("transport", "reset-in-the-headers", _LOST, reset_after(b"HTTP/1.1 200 OK\r\nContent-")),
    Fault("transport", "reset-in-the-body", _LOST, reset_after(_HALF)),
    Fault("transport", "hung-up-in-the-body", _LOST, close_after(_HALF)),
    Fault("transport", "stall-before-the-answer", _LATE, stall_after(b""), timeout=SHORT),
    Fault("transport", "stall-in-the-headers", _LATE, stall_after(b"HTTP/1.1 200 OK\r\n"), timeout=SHORT),
    Fault("transport", "stall-in-the-body", _LATE, stall_after(_HALF), timeout=SHORT),
    Fault("transport", "slow-headers", _LATE, drip(message(200, _JSON)), timeout=SHORT),
    Fault(
        "transport",
        "slow-body",
        _LATE,
        slow_body(_JSON),
        timeout=SHORT,
    ),
    Fault("transport", "endless-body", _STRANGE, flood(message(200, b"", length=33_554_432))),
    Fault(
        "transport",
        "endless-headers",
        _LOST,
        say(b"HTTP/1.1 200 OK\r\n" + b"X-Padding: " + b"x" * 300_000 + b"\r\n\r\n"),
    ),
    Fault("transport", "not-http", _LOST, close_after(b"220 mail.example ESMTP\r\n")),
    Fault("transport", "proxy-407", Refused(ConnectionFailed), page(407), where="proxy"),
    Fault("transport", "proxy-407-tunnel", Refused(ConnectionFailed), page(407), where="tunnel"),
    Fault("transport", "proxy-403-tunnel", Refused(ConnectionFailed), page(403), where="tunnel"),
    *(
        Fault("transport", f"proxy-{status}-tunnel", _SHUT, page(status), where="tunnel")
        for status in (429, 500, 502, 503, 504)
    ),
    Fault(
        "transport",
        "proxy-refused",
        Refused(ConnectionFailed, retryable=True, says="The proxy .*can't be reached.*\\n.*PROCOUNTOR_PROXY"),
        where="no-proxy",
    ),
    Fault(
        "transport",
        "certificate-not-yet-valid",
        Refused(ConnectionFailed, retryable=True, says="(?i)clock"),
        token(),
        where="early",
    ),
    Fault("transport", "certificate-expired", Refused(ConnectionFailed, says="(?i)clock"), token(), where="late"),
)

STATUS: Final = (
    Fault("status", "400-invalid-grant", _GRANT, answer(400, {"error": "invalid_grant"})),
    Fault("status", "400-invalid-client", _CLIENT, answer(400, {"error": "invalid_client"})),
    Fault("status", "400-invalid-request", Refused(CredentialsRefused), answer(400, {"error": "invalid_request"})),
    Fault(
        "status",
        "400-errors-list",
        _UNCLEAR,
        answer(400, {"errors": [{"status": 400, "message": "No."}]}),
    ),
    Fault("status", "400-errors-invalid-grant", _GRANT, answer(400, errors(400, "invalid_grant"))),
    Fault("status", "401-errors-invalid-client", _CLIENT, answer(401, errors(401, "invalid_client"))),
    Fault("status", "401-errors-client-secret", _CLIENT, answer(401, errors(401, "The client secret is wrong."))),
    Fault(
        "status",
        "400-errors-redirect-uri",
        Refused(CredentialsRefused),
        answer(400, errors(400, "Invalid redirect_uri.")),
    ),
    Fault(
        "status",
        "400-redirect-uri-as-grant",
        Refused(CredentialsRefused),
        answer(400, {"error": "invalid_grant", "error_description": "redirect_uri mismatch"}),
    ),
    Fault("status", "400-errors-for-now", _WAITS, answer(400, errors(400, "Down for maintenance."))),
    Fault("status", "401-invalid-client", _CLIENT, answer(401, {"error": "invalid_client"})),
    Fault("status", "408", _DOWN, answer(408)),
    Fault("status", "429", _BUSY, answer(429)),
    Fault("status", "429-retry-after-seconds", _BUSY, answer(429, b"", "Retry-After: 2")),
    Fault(
        "status",
        "429-retry-after-date",
        _BUSY,
        answer(429, b"", "Date: Tue, 24 Nov 2026 10:00:00 GMT", "Retry-After: Tue, 24 Nov 2026 10:00:03 GMT"),
    ),
    Fault("status", "429-retry-after-absurd", _WAITS, answer(429, b"", "Retry-After: 99999999999999999999")),
    Fault("status", "429-retry-after-negative", _BUSY, answer(429, b"", "Retry-After: -5")),
    Fault("status", "500", _DOWN, answer(500)),
    Fault("status", "500-with-a-token", _DOWN, answer(500, GOOD)),
    Fault("status", "502-page", _DOWN, page(502)),
    Fault("status", "503", _BUSY, answer(503)),
    Fault("status", "504", _DOWN, page(504)),
)
"""What means the same at both endpoints."""

TOKEN_STATUS: Final = (
    Fault(
        "transport",
        "dead-keep-alive",
        Accepted(safe=3),
        first(answer(503), reset, then=token()),
        once=Refused(ConnectionFailed, retryable=True, once=2),
    ),
    Fault("status", "503-then-right", Accepted(safe=2, once=2), first(answer(503), then=token())),
    Fault("status", "201-with-a-token", _STRANGE, answer(201, GOOD)),
    Fault("status", "204", _STRANGE, say(b"HTTP/1.1 204 No Content\r\n\r\n")),
    Fault("status", "206-with-a-token", _STRANGE, answer(206, GOOD)),
    Fault("status", "304", _STRANGE, say(b"HTTP/1.1 304 Not Modified\r\n\r\n")),
    Fault("status", "401-empty", _UNCLEAR, answer(401)),
    Fault("status", "403-page", _STRANGE, page(403)),
    Fault("status", "404", _STRANGE, answer(404)),
    Fault("status", "405-page", _STRANGE, page(405)),
)

BODY: Final = (
    Fault("body", "empty", _STRANGE, answer(200)),
    Fault("body", "truncated", _STRANGE, answer(200, _JSON[:-9])),
    Fault("body", "array", _STRANGE, answer(200, [GOOD])),
    Fault("body", "null", _STRANGE, answer(200, b"null")),
    Fault("body", "string", _STRANGE, answer(200, b'"access_token"')),
    Fault("body", "page-with-200", _STRANGE, page(200)),
    Fault("body", "error-with-200", _GRANT, answer(200, {"error": "invalid_grant"})),
    Fault("body", "error-beside-a-token", _GRANT, answer(200, {**GOOD, "error": "invalid_grant"})),
    Fault("body", "duplicate-keys", _STRANGE, answer(200, b'{"access_token": "a", ' + _JSON[1:])),
    Fault("body", "deep-nesting", _STRANGE, answer(200, b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}")),
    Fault("body", "bom", Accepted(), answer(200, b"\xef\xbb\xbf" + _JSON)),
    Fault("body", "utf-16", _STRANGE, answer(200, _JSON.decode().encode("utf-16"))),
    Fault("body", "wrong-content-type", Accepted(), answer(200, _JSON, kind="text/plain")),
    Fault("body", "nul-bytes", _STRANGE, answer(200, _JSON.replace(b",", b",\0"))),
    Fault("body", "not-a-number", _STRANGE, answer(200, _JSON.replace(b"3600", b"NaN"))),
    Fault("body", "huge-number", _STRANGE, answer(200, _JSON.replace(b"3600", b"1" + b"0" * 5_000))),
    Fault("body", "gzip-bomb", _STRANGE, answer(200, _BOMB, "Content-Encoding: gzip")),
    Fault("body", "gzip-unasked", _STRANGE, answer(200, gzip.compress(_JSON), "Content-Encoding: gzip")),
)

FIELDS: Final = (
    Fault("fields", "all-right", Accepted(), token()),
    Fault("fields", "unknown-fields", Accepted(), token(scope="m2m", vendor={"deep": [1, None]})),
    Fault("fields", "expires_in-string", Accepted(lifetime=1800), token(expires_in="1800")),
    Fault("fields", "expires_in-float", Accepted(lifetime=1800.5), token(expires_in=1800.5)),
    Fault("fields", "expires_in-null", Accepted(), token(expires_in=None)),
    Fault("fields", "expires_in-missing", Accepted(), token(expires_in=MISSING)),
    Fault("fields", "expires_in-negative", _STRANGE, token(expires_in=-1)),
    Fault("fields", "expires_in-zero", _STRANGE, token(expires_in=0)),
    Fault("fields", "expires_in-huge", _STRANGE, token(expires_in=10**15)),
    Fault("fields", "expires_in-garbage", _STRANGE, token(expires_in="soon")),
    Fault("fields", "expires_in-empty", _STRANGE, token(expires_in="")),
    Fault("fields", "expires_in-infinity", _STRANGE, token(expires_in="inf")),
    Fault("fields", "expires_in-underscore", _STRANGE, token(expires_in="3_600")),
    Fault("fields", "expires_in-other-digits", _STRANGE, token(expires_in="\uff13\uff16\uff10\uff10")),
    Fault("fields", "expires_in-true", _STRANGE, token(expires_in=True)),
    Fault("fields", "expires_in-list", _STRANGE, token(expires_in=[3600])),
    Fault("fields", "access_token-missing", _STRANGE, token(access_token=MISSING)),
    Fault("fields", "access_token-null", _STRANGE, token(access_token=None)),
    Fault("fields", "access_token-integer", _STRANGE, token(access_token=7)),
    Fault("fields", "access_token-empty", _STRANGE, token(access_token="")),
    Fault("fields", "access_token-crlf", _STRANGE, token(access_token="a\r\nX-Evil: 1")),
    Fault("fields", "access_token-not-ascii", _STRANGE, token(access_token="t\xf6ken")),
    Fault("fields", "access_token-huge", _STRANGE, token(access_token="a" * 70_000)),
    Fault("fields", "refresh_token-rotated", Accepted(), token()),
    Fault("fields", "refresh_token-missing", Accepted(refresh=False), token(refresh_token=MISSING)),
    Fault("fields", "refresh_token-null", Accepted(refresh=False), token(refresh_token=None)),
    Fault("fields", "refresh_token-empty", Accepted(refresh=False), token(refresh_token="")),
    Fault("fields", "refresh_token-integer", _STRANGE, token(refresh_token=7)),
    Fault("fields", "refresh_token-crlf", _STRANGE, token(refresh_token="a\nb")),
    Fault("fields", "token_type-missing", Accepted(), token(token_type=MISSING)),
    Fault("fields", "token_type-bearer", Accepted(), token(token_type="bearer")),
    Fault("fields", "token_type-unknown", _STRANGE, token(token_type="mac")),
    Fault("fields", "token_type-integer", _STRANGE, token(token_type=1)),
    Fault("fields", "token_type-empty", _STRANGE, token(token_type="")),
)

REDIRECT: Final = (
    *(
        Fault("redirect", f"{status}-elsewhere", _STRANGE, location("{trap}/api/oauth/token", status))
        for status in (301, 302, 303, 307, 308)
    ),
    Fault("redirect", "300-choices", _STRANGE, location("{trap}/", 300)),
    Fault("redirect", "https-to-http", _STRANGE, location("{trap}/api/oauth/token", 307), where="tls"),
    Fault("redirect", "to-the-login-page", _STRANGE, location("/login", 302)),
    Fault("redirect", "loop", _STRANGE, location("/api/oauth/token", 307)),
)

_LEADS_ASTRAY: Final = Refused(RedirectError)
_WORD: Final = "redirect-uri-placeholder"
_RIGHT: Final = "https://app.example/callback?code={code}&state={state}"

LOCATION: Final = (
    Fault("location", "all-right", Accepted(), location(_RIGHT)),
    Fault("transport", "dead-keep-alive", Accepted(safe=3), first(answer(503), reset, then=location(_RIGHT))),
    Fault("status", "503-then-right", Accepted(safe=2), first(answer(503), then=location(_RIGHT))),
    Fault("location", "with-expires_in", Accepted(), location(_RIGHT.replace("&", "&expires_in=300&"))),
    Fault("location", "303", Accepted(), location(_RIGHT, 303)),
    Fault(
        "location",
        "the-placeholder-word",
        Accepted(),
        location(_WORD + "?code={code}&state={state}"),
        redirect_uri=_WORD,
    ),
    Fault(
        "location",
        "the-word-made-absolute",
        Accepted(),
        location("{host}/api/oauth/" + _WORD + "?code={code}&state={state}"),
        redirect_uri=_WORD,
    ),
    Fault(
        "location",
        "the-word-at-another-host",
        _LEADS_ASTRAY,
        location("{trap}/" + _WORD + "?code={code}&state={state}"),
        redirect_uri=_WORD,
    ),
    Fault("location", "missing", _LEADS_ASTRAY, answer(302)),
    Fault("location", "empty", _LEADS_ASTRAY, location("")),
    Fault(
        "location",
        "twice",
        _LEADS_ASTRAY,
        location(_RIGHT.encode() + b"\r\nLocation: https://evil.example/?code={code}&state={state}"),
    ),
    Fault("location", "relative", _LEADS_ASTRAY, location("callback?code={code}&state={state}")),
    Fault("location", "foreign-host", _LEADS_ASTRAY, location("{trap}/callback?code={code}&state={state}")),
    Fault("location", "foreign-scheme", _LEADS_ASTRAY, location("myapp://callback?code={code}&state={state}")),
    Fault("location", "user-information", _LEADS_ASTRAY, location(_RIGHT.replace("app.", "app@app."))),
    Fault("location", "another-path", _LEADS_ASTRAY, location(_RIGHT.replace("callback", "callback/../x"))),
    Fault("location", "no-code", _LEADS_ASTRAY, location("https://app.example/callback?state={state}")),
    Fault("location", "empty-code", _LEADS_ASTRAY, location("https://app.example/callback?code=&state={state}")),
    Fault("location", "two-codes", _LEADS_ASTRAY, location(_RIGHT + "&code=another")),
    Fault(
        "location",
        "access-denied",
        Refused(InvalidGrant),
        location("https://app.example/callback?error=access_denied&state={state}"),
    ),
    Fault(
        "location",
        "another-error",
        _LEADS_ASTRAY,
        location("https://app.example/callback?error=server_error&state={state}"),
    ),
    Fault("location", "error-beside-a-code", _LEADS_ASTRAY, location(_RIGHT + "&error=server_error")),
    Fault(
        "location",
        "code-in-the-fragment",
        _LEADS_ASTRAY,
        location("https://app.example/callback?state={state}#code={code}"),
    ),
    Fault("location", "wrong-state", Refused(StateMismatch), location(_RIGHT.replace("{state}", "another"))),
    Fault("location", "missing-state", Refused(StateMismatch), location("https://app.example/callback?code={code}")),
    Fault("location", "two-states", _LEADS_ASTRAY, location(_RIGHT + "&state=another")),
    Fault("location", "another-issuer", _LEADS_ASTRAY, location(_RIGHT + "&iss=https%3A%2F%2Fevil.example")),
    Fault("location", "login-page-with-200", Refused(LegacyRemoved), page(200)),
    Fault("location", "307", _STRANGE, location(_RIGHT, 307)),
    Fault(
        "location", "crlf-encoded", _LEADS_ASTRAY, location("https://app.example/callback%0d%0a?code=a&state={state}")
    ),
    Fault(
        "location",
        "crlf",
        Refused(StateMismatch),
        location(b"https://app.example/callback\r\nX-Evil: ?code={code}&state={state}"),
    ),
    Fault(
        "location", "not-utf-8", _LEADS_ASTRAY, location(b"https://app.example/callback?code=\xff\xfe&state={state}")
    ),
    Fault("location", "not-utf-8-encoded", _LEADS_ASTRAY, location(_RIGHT.replace("{code}", "%FF%FE"))),
    Fault("location", "huge", _LEADS_ASTRAY, location(_RIGHT + "&x=" + "x" * 20_000)),
    Fault("location", "many-parameters", _LEADS_ASTRAY, location(_RIGHT + "&x=1" * 100)),
    Fault("location", "200-with-a-code", _STRANGE, answer(200, {"code": "CanaryCode-51ab"})),
    Fault("location", "401-empty", Refused(CredentialsRefused), answer(401)),
    Fault("location", "403-page", Refused(LegacyRemoved), page(403)),
    Fault("location", "404", Refused(LegacyRemoved), answer(404)),
    Fault("location", "410", Refused(LegacyRemoved), answer(410)),
)

GONE: Final = tuple(
    Fault("shape", f"api-{status}", Refused(LegacyRemoved), answer(status, errors(status, "Not found.")))
    for status in (404, 405, 410)
)

TOKEN_ENDPOINT: Final = (*TRANSPORT, *STATUS, *TOKEN_STATUS, *BODY, *FIELDS, *REDIRECT, *SHAPES, *TOKEN_SHAPES)
AUTHORIZATION_ENDPOINT: Final = (*TRANSPORT, *STATUS, *LOCATION, *SHAPES, *GONE)
