"""Reading what the token endpoint answered."""

from __future__ import annotations

import json
import time
import traceback
from email.utils import formatdate
from typing import Final, TypeAlias

import jwt
import pytest
from pydantic import SecretStr

from procountor_auth.errors import (
    CredentialsRefused,
    InvalidClient,
    InvalidGrant,
    ProcountorAuthError,
    ServiceUnavailable,
    UnexpectedResponse,
)
from procountor_auth.protocol.availability import MAX_WAIT, is_temporary, retry_after
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.protocol.reply import Reply
from procountor_auth.protocol.token import Token
from procountor_auth.protocol.token_response import DEFAULT_LIFETIME, MAX_LIFETIME, read_api_key, read_token

_Headers: TypeAlias = dict[str, tuple[str, ...]]

_NOW: Final = 1_600_000_000.0
_HTML: Final[_Headers] = {"content-type": ("text/html",)}
_JSON: Final[_Headers] = {"content-type": ("application/json",)}


def _exchange(response: Response) -> Reply:
    request = Request("POST", "https://api.example/api/oauth/token", "grant_type=x&code=s3cret&client_secret=cl13nt")
    return Reply(request, response, "the test grant", "The test hint.")


def _read(response: Response, previous: str | None = None) -> Token:
    kept = None if previous is None else SecretStr(previous)
    return read_token(_exchange(response), strategy="test", asked_at=_NOW, previous=kept)


def _said(status: int, fields: object) -> Response:
    return Response(status, _JSON, json.dumps(fields).encode())


def _granted(**fields: object) -> Response:
    return _said(200, {"access_token": "acc3ss", "expires_in": 3600, **fields})


def _token(**claims: int) -> str:
    return jwt.encode({"cid": 14159, **claims}, "x" * 32)


def test_a_token_is_read() -> None:
    """The documented answer becomes a token that lives from when it was asked for."""
    token = _read(_granted(refresh_token="r3fresh"))
    assert token == Token("acc3ss", _NOW, _NOW + 3600, "test", "r3fresh")


def test_unknown_fields_are_ignored() -> None:
    """Fields that the protocol does not know change nothing."""
    assert _read(_granted(scope="m2m", new={"a": [1]}, expires_at="tomorrow", error_uri=None)) == _read(_granted())


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER", None])
def test_a_bearer_token_may_say_so(token_type: str | None) -> None:
    """`token_type` may be missing, null or "bearer" in any case."""
    assert _read(_granted(token_type=token_type)).access_token == "acc3ss"


@pytest.mark.parametrize("token_type", ["mac", "DPoP", "", 5, ["bearer"]])
def test_an_unknown_token_type_is_refused(token_type: object) -> None:
    """A token that is to be used in another way than as a bearer token is refused."""
    with pytest.raises(UnexpectedResponse, match="unknown type"):
        _read(_granted(token_type=token_type))


@pytest.mark.parametrize(
    "access_token",
    [None, "", 5, True, [], {}, "a b", "a\r\nX-Evil: 1", "a\x00", "ä", "\ud800", "x" * 70_000],
    ids=lambda value: repr(value)[:20],
)
def test_an_unusable_access_token_is_refused(access_token: object) -> None:
    """What could not stand in a header is no access token."""
    with pytest.raises(UnexpectedResponse, match="no usable access token"):
        _read(_granted(access_token=access_token))


@pytest.mark.parametrize(
    "refresh_token", [5, ["r"], "a b", "a\nb", "ä", "x" * 70_000], ids=lambda value: repr(value)[:20]
)
def test_an_unusable_refresh_token_is_refused(refresh_token: object) -> None:
    """What could not be sent back is no refresh token."""
    with pytest.raises(UnexpectedResponse, match="unusable refresh token"):
        _read(_granted(refresh_token=refresh_token))


@pytest.mark.parametrize("omitted", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_an_omitted_refresh_token_keeps_the_previous_one(omitted: dict[str, object]) -> None:
    """An answer with no refresh token keeps the one that was sent, if one was."""
    assert _read(_granted(**omitted), previous="0ld").refresh_token == "0ld"
    assert _read(_granted(**omitted)).refresh_token is None


def test_a_new_refresh_token_replaces_the_previous_one() -> None:
    """A refresh token that the server rotated is the one to use from now on."""
    assert _read(_granted(refresh_token="n3w"), previous="0ld").refresh_token == "n3w"


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3600, 3600.0),
        (1, 1.0),
        (0.5, 0.5),
        ("3600", 3600.0),
        ("299.5", 299.5),
        (MAX_LIFETIME, MAX_LIFETIME),
        (None, DEFAULT_LIFETIME),
    ],
)
def test_a_lifetime_is_read(expires_in: object, seconds: float) -> None:
    """`expires_in` may be a number or a number in quotes; null counts as missing."""
    assert _read(_granted(expires_in=expires_in)).expires_at == _NOW + seconds


@pytest.mark.parametrize(
    "expires_in",
    [
        *(0, -1, 10**400, 1e300, MAX_LIFETIME + 1),
        *("0", "-5", "", "soon", "NaN", "inf", "1e999", "9" * 30),
        *(True, False, [], {}, [3600]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_an_impossible_lifetime_is_refused(expires_in: object) -> None:
    """A lifetime that no token can have is an unexpected answer, not a token that never or always expires."""
    with pytest.raises(UnexpectedResponse, match="expires_in"):
        _read(_granted(expires_in=expires_in))


@pytest.mark.parametrize(
    ("access_token", "seconds"),
    [
        (_token(iat=1_000, exp=1_600), 600.0),
        (_token(iat=1_000, exp=1_000), DEFAULT_LIFETIME),
        (_token(iat=1_000, exp=500), DEFAULT_LIFETIME),
        (_token(iat=0, exp=10**12), DEFAULT_LIFETIME),
        (_token(exp=1_600), DEFAULT_LIFETIME),
        ("opaque", DEFAULT_LIFETIME),
    ],
)
def test_a_missing_lifetime_is_taken_from_the_token(access_token: str, seconds: float) -> None:
    """Without `expires_in` the token's own `iat` and `exp` count, else the documented hour."""
    assert _read(_said(200, {"access_token": access_token})).expires_at == _NOW + seconds


_REFUSALS: Final[list[tuple[int, object, type[ProcountorAuthError], str]]] = [
    (400, {"error": "invalid_grant"}, InvalidGrant, "The test hint."),
    (401, {"error": "invalid_grant"}, InvalidGrant, "The test hint."),
    (400, {"error": "invalid_client"}, InvalidClient, "PROCOUNTOR_CLIENT_ID"),
    (401, {"error": "invalid_client"}, InvalidClient, "PROCOUNTOR_CLIENT_SECRET"),
    (400, {"error": "unauthorized_client"}, InvalidClient, "PROCOUNTOR_CLIENT_ID"),
    (400, {"error": "invalid_request"}, CredentialsRefused, "The test hint."),
    (400, {"error": "invalid_scope"}, CredentialsRefused, "The test hint."),
    (400, {"error": "unsupported_grant_type"}, CredentialsRefused, "The test hint."),
    (403, {"error": {"code": 5}}, CredentialsRefused, "The test hint."),
    (400, {"error": None}, CredentialsRefused, "The test hint."),
    (200, {"error": "invalid_grant", "access_token": "acc3ss"}, InvalidGrant, "The test hint."),
    (400, {"errors": [{"status": 400, "message": "Bad."}]}, CredentialsRefused, "The test hint."),
    (403, {"errors": [{"status": 403, "field": "x"}]}, CredentialsRefused, "The test hint."),
    (401, {"error": None, "errors": [{"message": "invalid_client"}]}, InvalidClient, "PROCOUNTOR_CLIENT_ID"),
    (401, {"errors": ["invalid_client"]}, InvalidClient, "PROCOUNTOR_CLIENT_ID"),
    (401, {"errors": {"message": "invalid_client"}}, InvalidClient, "PROCOUNTOR_CLIENT_ID"),
    (400, {"errors": "bad"}, CredentialsRefused, "The test hint."),
    (400, {"errors": [5, None, {"message": 5}]}, CredentialsRefused, "The test hint."),
    (200, {"errors": [{"message": "no"}], "access_token": "acc3ss"}, CredentialsRefused, "The test hint."),
    (401, {}, CredentialsRefused, "The test hint."),
    (400, {}, UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (404, {"message": "not found"}, UnexpectedResponse, "PROCOUNTOR_API_VERSION"),
    (200, [], UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (200, None, UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (200, {}, UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (204, {"access_token": "acc3ss", "expires_in": 3600}, UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (301, {"access_token": "acc3ss", "expires_in": 3600}, UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (302, {}, UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (307, {}, UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
    (308, {}, UnexpectedResponse, "PROCOUNTOR_BASE_URL"),
]


@pytest.mark.parametrize(("status", "fields", "kind", "hint"), _REFUSALS)
def test_a_refusal_is_final_and_says_what_to_do(
    status: int, fields: object, kind: type[ProcountorAuthError], hint: str
) -> None:
    """Every answer that is no token and no outage is one of our final errors, with a hint that fits."""
    with pytest.raises(ProcountorAuthError) as caught:
        _read(_said(status, fields))
    assert type(caught.value) is kind
    assert not caught.value.retryable
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("status", "fields", "definite"),
    [
        (400, {"error": "invalid_grant"}, True),
        (401, {"error": "invalid_client"}, True),
        (400, {"error": "unauthorized_client"}, True),
        (400, {"errors": [{"status": 400, "message": "Invalid 'api_key' in request."}]}, True),
        (401, {"errors": [{"status": 401, "message": "The refresh token has expired."}]}, True),
        (400, {"errors": [{"status": 400, "message": "invalid_grant"}]}, True),
        (404, {"errors": [{"status": 404, "message": "Not found"}]}, False),
        (401, {}, False),
        (400, {"error": "invalid_request"}, False),
        (400, {"error": "out_of_luck"}, False),
        (403, {"error": "access_denied"}, False),
        (404, {"error": "invalid_grant"}, False),
        (418, {"error": "invalid_client"}, False),
    ],
)
def test_only_what_the_server_says_of_the_credentials_is_definite(
    status: int, fields: object, *, definite: bool
) -> None:
    """A gateway's answer, an unknown code or a strange status decides nothing about the credentials."""
    with pytest.raises(CredentialsRefused) as caught:
        _read(_said(status, fields))
    assert caught.value.definite is definite


_OUTAGES: Final[list[tuple[int, _Headers, bytes]]] = [
    (408, {}, b""),
    (425, {}, b""),
    (429, _JSON, b'{"errors": [{"status": 429, "message": "slow down"}]}'),
    (500, _JSON, b'{"error": "invalid_grant"}'),
    (502, _HTML, b"<html>Bad gateway</html>"),
    (503, _HTML, b"<html>Unavailable</html>"),
    (504, {}, b""),
    (599, {}, b""),
    (200, _JSON, b'{"error": "temporarily_unavailable"}'),
    (400, _JSON, b'{"error": "server_error"}'),
    (400, _JSON, b'{"error": "rate_limited"}'),
    (400, _JSON, b'{"errors": [{"status": 400, "message": "Scheduled maintenance until 04:00"}]}'),
    (403, _JSON, b'{"errors": [{"status": 503, "message": "no"}]}'),
]


@pytest.mark.parametrize(("status", "headers", "body"), _OUTAGES)
def test_an_outage_may_be_tried_again(status: int, headers: _Headers, body: bytes) -> None:
    """429, 5xx and the standard's own words for an outage are retryable and ask to change nothing."""
    with pytest.raises(ServiceUnavailable) as caught:
        _read(Response(status, headers, body))
    assert caught.value.retryable
    assert caught.value.retry_after is None
    assert "try again later" in caught.value.hint


def test_an_outage_tells_how_long_to_wait() -> None:
    """`Retry-After` is on the error, in seconds, and in its hint."""
    with pytest.raises(ServiceUnavailable, match="too many requests") as caught:
        _read(Response(429, {"retry-after": ("17",)}))
    assert caught.value.retry_after == 17.0
    assert "17 seconds" in caught.value.hint


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (Response(200, _HTML, b"<html>"), "a web page"),
        (Response(200, _JSON, b" \n"), "an empty body"),
        (Response(200, _JSON, b'{"access_token": "s3cret'), "something unreadable"),
        (Response(404, _HTML, b"<html>"), "status 404 and a web page"),
        (Response(403, _HTML, b"<html>"), "status 403 and a web page"),
    ],
)
def test_what_came_instead_is_named(response: Response, words: str) -> None:
    """The error says in words what came instead of JSON."""
    with pytest.raises(UnexpectedResponse, match=words):
        _read(response)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"error": "invalid_grant", "error_description": "It has expired."}, "invalid_grant: It has expired."),
        ({"error": "invalid_grant"}, "invalid_grant."),
        ({"errors": [{"message": "one"}, {"message": "two"}]}, "one; two."),
        ({"errors": [{"field": "x"}]}, "no reason given."),
        ({"error": ""}, "an error without a name."),
    ],
)
def test_the_server_s_words_are_repeated(fields: object, sentence: str) -> None:
    """A refusal carries the server's own reason in either of its two shapes."""
    with pytest.raises(CredentialsRefused) as caught:
        _read(_said(400, fields))
    assert caught.value.message == f"The server rejected the test grant (status 400): {sentence}"


def test_the_server_s_code_is_an_attribute() -> None:
    """`error` holds the server's own code, which the class may not tell."""
    with pytest.raises(CredentialsRefused) as caught:
        _read(_said(400, {"error": "invalid_scope"}))
    assert caught.value.error == "invalid_scope"


@pytest.mark.parametrize(
    "fields",
    [
        {"error": "invalid_grant", "error_description": "the code s3cret is unknown"},
        {"error": "s3cret"},
        {"errors": [{"message": "s3cret"}]},
        {"error": "invalid_client", "error_description": "not cl13nt"},
        {"access_token": "acc3ss s3cret"},
        {"access_token": "acc3ss", "refresh_token": "s3cret ", "expires_in": 1},
        {"access_token": "s3cret", "expires_in": "cl13nt"},
    ],
)
def test_no_secret_is_in_an_error(fields: dict[str, str]) -> None:
    """An answer that repeats a secret, or brings one that can't be used, shows it nowhere in the error."""
    with pytest.raises(ProcountorAuthError) as caught:
        _read(_said(400 if "access_token" not in fields else 200, fields))
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames.stack[:] = [frame for frame in frames.stack if frame.filename != __file__]
    shown = "".join(frames.format()) + repr(vars(caught.value))
    assert caught.value.__context__ is None
    assert "read_token" in shown
    assert not [secret for secret in ("s3cret", "cl13nt", "acc3ss") if secret in shown]


def test_an_api_key_is_read() -> None:
    """The answer of `oauth/key` is wrapped as a secret."""
    key = read_api_key(_exchange(_said(200, {"api_key": "k3y"})))
    assert key.get_secret_value() == "k3y"


@pytest.mark.parametrize("fields", [{}, {"api_key": ""}, {"api_key": 5}, {"api_key": "a b"}, {"access_token": "x"}])
def test_an_answer_with_no_api_key_is_refused(fields: object) -> None:
    """What could not be sent as an API key is none."""
    with pytest.raises(UnexpectedResponse, match="no API key"):
        read_api_key(_exchange(_said(200, fields)))


def test_a_refused_api_key_raises_what_a_token_does() -> None:
    """`oauth/key` is read with the same errors as `oauth/token`."""
    with pytest.raises(InvalidGrant):
        read_api_key(_exchange(_said(400, {"error": "invalid_grant"})))


_DATE: Final = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, None, None),
        ("0", None, 0.0),
        (" 120 ", None, 120.0),
        ("99999999999999999999999", None, MAX_WAIT),
        ("9" * 10_000, None, MAX_WAIT),
        ("-5", None, None),
        ("1.5", None, None),
        ("soon", None, None),
        ("", None, None),
        ("١٢", None, None),
        ("Wed, 21 Oct 2026 07:29:30 GMT", _DATE, 90.0),
        ("Wed, 21 Oct 2026 07:00:00 GMT", _DATE, 0.0),
        ("Sat, 31 Dec 9999 23:59:59 GMT", _DATE, MAX_WAIT),
        ("Wed, 21 Oct 2015 07:29:30 GMT", None, 0.0),
        ("Sat, 31 Dec 9999 23:59:59 GMT", None, MAX_WAIT),
        ("Wed, 21 Oct 2026 07:29:30 GMT", "yesterday", None),
        ("Wed, 21 Oct 2026 07:29:30 -0000", _DATE, None),
        ("Wed, 99 Oct 2026 07:29:30 GMT", _DATE, None),
    ],
)
def test_retry_after_is_seconds_or_nothing(value: str | None, date: str | None, seconds: float | None) -> None:
    """A number and a date give seconds of at most a day; nonsense gives None."""
    assert retry_after(value, date) == seconds


def test_a_date_without_the_response_s_own_is_compared_with_this_clock() -> None:
    """A gateway that says until when, but not what time it is, means our time."""
    until = formatdate(time.time() + 120, usegmt=True)
    assert 60 < (retry_after(until) or 0) <= 120


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_these_statuses_pass(status: int) -> None:
    """Timeouts, too many requests and nearly every 5xx may pass."""
    assert is_temporary(status)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 410, 499, 501, 505, 511])
def test_these_statuses_stay(status: int) -> None:
    """No other status passes by itself: not what a server can't do at all, nor a network that wants a login first."""
    assert not is_temporary(status)


@pytest.mark.parametrize(("code", "kind"), [("invalid_client", InvalidClient), ("invalid_grant", InvalidGrant)])
def test_a_short_secret_does_not_hide_a_known_code(code: str, kind: type[ProcountorAuthError]) -> None:
    """A user name that happens to be part of a standard's code costs neither the code nor the error's class."""
    request = Request("POST", "https://api.example/api/oauth/token", "username=client&password=grant")
    exchange = Reply(request, _said(400, {"error": code}), "the test grant", "The test hint.")
    with pytest.raises(kind) as caught:
        read_token(exchange, strategy="test", asked_at=_NOW)
    assert code in str(caught.value)


def test_all_link_headers_are_looked_at() -> None:
    """A second `Link` header counts like the first one."""
    headers: _Headers = {
        "sunset": ("Sun, 17 Mar 2030 00:00:00 GMT",),
        "link": ('<https://a.example>; rel="next"', '<https://b.example>; rel="sunset"'),
    }
    token = _read(Response(200, headers, b'{"access_token": "acc3ss", "expires_in": 3600}'))
    assert token.sunset_at == 1_899_936_000
    assert (
        Response(200, headers).combined("Link") == '<https://a.example>; rel="next", <https://b.example>; rel="sunset"'
    )
    assert Response(200, headers).combined("absent") is None
