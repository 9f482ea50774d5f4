"""Whatever is read from outside, in thousands of nearly right forms: refused with an error of ours, or right."""

from __future__ import annotations

import base64
import ipaddress
import json
import math
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretBytes, SecretStr

from procountor_auth.errors import ConfigurationError, ProcountorAuthError, RedirectError, StoreError
from procountor_auth.protocol.authorization_response import ExpectedResponse, read_redirect
from procountor_auth.protocol.availability import MAX_WAIT, retry_after
from procountor_auth.protocol.claims import unverified_claims
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.protocol.redaction import MAX_LENGTH, safe_excerpt
from procountor_auth.protocol.reply import Reply
from procountor_auth.protocol.sunset import SunsetNotice, read_sunset_notice
from procountor_auth.protocol.token import Token
from procountor_auth.protocol.token_response import MAX_LIFETIME, read_token
from procountor_auth.settings.hosts import clean_host
from procountor_auth.settings.settings import Settings
from procountor_auth.stores.base import Entry
from procountor_auth.stores.codec import Codec, Damaged
from procountor_auth.strategies import ClientCredentialsStrategy, LegacyPasswordStrategy
from procountor_auth.tokens.entry_key import entry_key
from procountor_auth.tokens.key_claims import KeyClaims

from .mutation import FEWER, NASTY, VALUES, body, fuzzed, mutated

if TYPE_CHECKING:
    import random

pytestmark = pytest.mark.fuzz

SECRET: Final = "s3cr3t/+ canary"
REQUEST: Final = Request(
    "POST",
    "https://api.example/api/oauth/token",
    urlencode({"grant_type": "client_credentials", "client_id": "client-1", "api_key": SECRET}),
)
TOKEN: Final = {"access_token": "aXcess", "expires_in": 3600, "refresh_token": "r3fresh", "token_type": "bearer"}
NOW: Final = 1_795_000_000.0

_CREDENTIAL: Final = re.compile(r"[!-~]+")


def _answer(rng: random.Random, status: int, data: bytes) -> Token | ProcountorAuthError:
    headers = {"content-type": (rng.choice(("application/json", "text/html", "", "text/plain")),)}
    if rng.random() < 0.2:
        headers["retry-after"] = (mutated(rng, [b"120", b"Tue, 24 Nov 2026 10:00:00 GMT"]).decode("latin-1"),)
    exchange = Reply(REQUEST, Response(status, headers, data), "the grant", "Do this.")
    try:
        return read_token(exchange, strategy="client_credentials", asked_at=NOW, previous=SecretStr("0ld"))
    except ProcountorAuthError as error:
        return error


def _check_refusal(error: ProcountorAuthError) -> None:
    assert error.__cause__ is error.__context__ is None
    assert error.hint
    assert error.message.isprintable()
    assert len(error.message) < 1_000
    assert not any(form in str(error) for form in (SECRET, quote(SECRET), SECRET[::-1], SECRET.encode().hex()))


@fuzzed
def test_token_answer(rng: random.Random) -> None:
    """A token that is taken can stand in a header and ends within bounds; everything else is an error of ours."""
    token = _answer(rng, 200, body(rng, TOKEN))
    if isinstance(token, ProcountorAuthError):
        _check_refusal(token)
        return
    assert _CREDENTIAL.fullmatch(token.access_token)
    assert _CREDENTIAL.fullmatch(token.refresh_token or "")
    assert token.issued_at == NOW
    assert 0 < token.expires_at - NOW <= MAX_LIFETIME
    assert len(token.access_token) < 6 or token.access_token not in repr(token)


@fuzzed
def test_error_answer(rng: random.Random) -> None:
    """No other status than 200 brings a token, and what the server says never brings back what it was sent."""
    said = rng.choice((SECRET, quote(SECRET), SECRET[::-1], SECRET.encode().hex(), "no", "\x1b[31mred", "a" * 5_000))
    fields: dict[str, Any] = {
        "error": rng.choice(("invalid_grant", "x", SECRET)),
        "error_description": f"We got {said}.",
    }
    if rng.random() < 0.4:
        fields = {"errors": [{"status": 400, "message": f"We got {said}."}]}
    status = rng.choice((201, 204, 302, 400, 401, 403, 404, 407, 408, 418, 429, 500, 502, 503, 599))
    error = _answer(rng, status, body(rng, fields))
    assert isinstance(error, ProcountorAuthError)
    _check_refusal(error)
    assert error.retryable is (error.code == "service_unavailable")


_STATE: Final = "St4te" * 8
_EXPECTED: Final = ExpectedResponse(
    "https://app.example/callback", SecretStr(_STATE), "https://api.example/login", "https://api.example"
)
_WORD: Final = replace(_EXPECTED, redirect_uri="redirect-uri-placeholder")
_LOCATIONS: Final = tuple(
    each.encode()
    for each in (
        f"https://app.example/callback?code=c0de&state={_STATE}",
        f"https://app.example/callback?code=c0de&expires_in=300&state={_STATE}&iss=https%3A%2F%2Fapi.example",
        f"redirect-uri-placeholder?code=c0de&state={_STATE}",
        f"https://api.example/redirect-uri-placeholder?code=c0de&state={_STATE}",
        f"https://app.example/callback?error=access_denied&state={_STATE}",
        f"https://evil.example/callback?code=c0de&state={_STATE}",
    )
)


@fuzzed
def test_location(rng: random.Random) -> None:
    """A code is taken only from one place, with the one right state; no error repeats the code or the state."""
    location = mutated(rng, _LOCATIONS).decode(rng.choice(("latin-1", "utf-8")), errors="replace")
    expected = rng.choice((_EXPECTED, _WORD))
    code, refused = SecretStr(""), None
    try:
        code = read_redirect(SecretStr(location), expected)
    except RedirectError as error:
        refused = error
    if refused is not None:
        assert refused.message.isprintable()
        assert _STATE not in str(refused)
        # A change may have put the code's letters where the server's own word stands, which is repeated.
        assert "c0de" not in str(refused) or re.search("error=[^&]*c0de", location)
        return
    parts = urlsplit(location)
    fields = parse_qsl(parts.query, keep_blank_values=True)
    assert [value for name, value in fields if name == "state"] == [_STATE]
    assert [value for name, value in fields if name == "code"] == [code.get_secret_value()]
    assert code.get_secret_value()
    assert "error" not in dict(fields)
    if expected is _EXPECTED:
        assert (parts.scheme.lower(), (parts.hostname or ""), parts.path) == ("https", "app.example", "/callback")
        assert parts.port in {None, 443}
    else:
        assert parts.path.rpartition("/")[2] == "redirect-uri-placeholder"
        assert not parts.netloc or parts.hostname == "api.example"
    assert "@" not in parts.netloc


@fuzzed
def test_retry_after(rng: random.Random) -> None:
    """The wait is None, or a number of seconds from 0 to a day."""
    samples = [b"120", b"0", b"Tue, 24 Nov 2026 10:00:00 GMT", b"Tue, 24-Nov-26 10:00:00 GMT", b"-1", b"1.5"]
    value, date = (mutated(rng, samples).decode("latin-1") for _ in range(2))
    wait = retry_after(value, rng.choice((None, date, "Tue, 24 Nov 2026 10:00:00 GMT")))
    assert wait is None or 0 <= wait <= MAX_WAIT


@fuzzed
def test_ending_headers(rng: random.Random) -> None:
    """An announced end is None, or has times of this age and a link that can be shown."""
    samples = {
        "deprecation": [b"@1688169599", b"true", b"Tue, 24 Nov 2026 10:00:00 GMT"],
        "sunset": [b"Tue, 24 Nov 2026 10:00:00 GMT"],
        "link": [b'<https://a.example/end>; rel="sunset"', b'<https://a.example>; rel=next, </x>; rel="sunset x"'],
    }
    headers = {name: mutated(rng, values).decode("latin-1") for name, values in samples.items() if rng.random() < 0.9}
    ending = read_sunset_notice(lambda name: headers.get(name.lower()))
    if ending is None:
        return
    for moment in (ending.deprecated_at, ending.sunset_at):
        assert moment is None or math.isfinite(moment)
    assert ending != SunsetNotice()
    assert str(ending).isprintable()


@fuzzed
def test_claims(rng: random.Random) -> None:
    """Looking into a token gives a mapping, whatever the token is; what it says of itself as a key can be printed."""
    said = {"sub": rng.choice(VALUES), "cid": 7, "exp": rng.choice((2, NOW, *VALUES))}
    said |= {
        "aud": rng.choice(("client-1", ["client-1"], *VALUES)),
        "iss": rng.choice(("https://api.example", *VALUES)),
    }
    parts = [json.dumps(each).encode() for each in ({"alg": "HS256"}, said)]
    token = b".".join(base64.urlsafe_b64encode(mutated(rng, [part])).rstrip(b"=") for part in (*parts, b"signature"))
    claims = unverified_claims((token if rng.random() < 0.7 else mutated(rng, [token])).decode("latin-1"))
    assert isinstance(claims, dict)
    assert all(isinstance(name, str) for name in claims)
    key = KeyClaims("client-1", "api.example", claims)
    assert all(text.isprintable() for text in (*key.facts(), *(each.message for each in key.problems(NOW))))


_KEY: Final = SecretStr(Fernet.generate_key().decode())
_CODECS: Final = (Codec(), Codec((_KEY,)))
_ENTRIES: Final = (
    Entry(3, Token("aXcess", NOW, NOW + 3600, "client_credentials", "r3fresh")),
    Entry(1, Token("aXcess", NOW, NOW + 3600, "legacy_password", sunset_at=NOW)),
    Entry(2, None),
)
_WRITTEN: Final = {
    codec: tuple(codec.encode("entry", entry).get_secret_value() for entry in _ENTRIES) for codec in _CODECS
}


@fuzzed
def test_store_decoder(rng: random.Random) -> None:
    """What was written is read as it was; what was changed is damage, an error of ours, or an entry that is whole."""
    codec = rng.choice(_CODECS)
    written = _WRITTEN[codec]
    data = mutated(rng, written)
    found = (
        rng.choice(_CODECS).decode("entry", SecretBytes(data))
        if data not in written
        else codec.decode("entry", SecretBytes(data))
    )
    if data in written:
        assert found == _ENTRIES[written.index(data)]
    if isinstance(found, StoreError):
        assert found.hint
    elif isinstance(found, Damaged):
        assert found.reason.isprintable()
        assert "aXcess" not in found.reason
    else:
        assert found.version > 0
        assert found.token is None or _CREDENTIAL.fullmatch(found.token.access_token)
        assert found.token is None or math.isfinite(found.token.expires_at)
        if codec.seals and data not in written and b"sealed" in data:
            assert found in _ENTRIES  # a seal that opens holds what was sealed


_RIGHT: Final = {
    "strategy": "client_credentials",
    "client_id": "client-1",
    "client_secret": SECRET.replace(" ", "-"),
    "redirect_uri": "https://app.example/callback",
    "api_key": "k3y",
    "base_url": "https://api.example",
    "api_version": "latest",
    "token_store": "memory",
    "timeout": "30",
    "company": "123",
    "pkce": "true",
    "refresh_token": "r3fresh",
}


@partial(fuzzed, inputs=FEWER)
def test_settings(rng: random.Random) -> None:
    """Settings are valid, or every problem names its variable and shows no value."""
    values = dict(_RIGHT)
    for _ in range(rng.choice((0, 1, 2))):
        name = rng.choice(list(values))
        values[name] = mutated(rng, [values[name].encode()]).decode("latin-1")
    if rng.random() < 0.1:
        values.pop(rng.choice(list(values)))
    settings: Settings | ConfigurationError
    try:
        settings = Settings(**values)
    except ConfigurationError as error:
        settings = error
    if isinstance(settings, ConfigurationError):
        assert settings.problems
        assert all(problem.variable.startswith("PROCOUNTOR_") for problem in settings.problems)
        assert str(settings).replace("\n", "").isprintable()
        assert _RIGHT["client_secret"] not in str(settings) + settings.json()
        assert settings.__cause__ is settings.__context__ is None
        return
    assert 0 < settings.timeout <= 600
    assert _RIGHT["client_secret"] not in repr(settings)
    assert urlsplit(settings.endpoints.token).scheme in {"http", "https"}


_HOSTS: Final = (b"https://api.procountor.com", b"https://[::1]:8443/", b"http://127.0.0.1:8080", b"http://localhost")


def _is_this_machine(host: str) -> bool:
    if host.rpartition(".")[2] == "localhost":
        return all(host.split("."))
    return ipaddress.ip_address(host).is_loopback


@fuzzed
def test_url_rules(rng: random.Random) -> None:
    """A host that is taken is HTTPS or this machine, with no user, path, query or fragment, and is taken again."""
    host, refused = "", None
    try:
        host = clean_host(mutated(rng, _HOSTS).decode(rng.choice(("latin-1", "utf-8")), errors="replace"))
    except ValueError as error:
        refused = error
    if refused is not None:
        assert str(refused).isprintable()
        return
    parts = urlsplit(host)
    assert parts.hostname
    assert parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname))
    assert (parts.path, parts.query, parts.fragment, parts.username, parts.password) == ("", "", "", None, None)
    assert host.isascii()
    assert host.isprintable()
    assert clean_host(host) == host


@fuzzed
def test_redactor(rng: random.Random) -> None:
    """What is repeated of a server's words is one short line, and never a secret that it was sent."""
    form = rng.choice(
        (SECRET, quote(SECRET, safe=""), SECRET.encode().hex(), base64.b64encode(SECRET.encode()).decode())
    )
    around = [mutated(rng, [b"We got ", b" instead.", *NASTY]).decode("latin-1") for _ in range(2)]
    said = safe_excerpt(around[0] + form + around[1], REQUEST)
    assert form not in said
    assert SECRET not in said
    said = safe_excerpt(rng.choice((around[0], *VALUES)), REQUEST)
    assert len(said) <= MAX_LENGTH + 50
    assert said.isprintable()


@fuzzed
def test_cache_key(rng: random.Random) -> None:
    """Two identities have two keys, one identity has one, and nothing can be read in it."""

    def strategy(words: list[str]) -> ClientCredentialsStrategy | LegacyPasswordStrategy:
        client = OAuthClient(Endpoints(words[0]), words[1], SecretStr("x"), "https://app.example")
        if words[2] == "key":
            return ClientCredentialsStrategy(client, api_key=SecretStr(words[3]))
        user, company = SecretStr(words[3]), SecretStr(words[4])
        return LegacyPasswordStrategy(client, username=user, password=SecretStr("x"), company=company, policy="allow")

    words = [
        mutated(rng, [b"https://api.example", b"client-1", b"a", b'","', b'a","b']).decode("latin-1") for _ in "12345"
    ]
    words[2] = rng.choice(("key", "legacy"))
    account = rng.choice(("", "acme"))
    key = entry_key(strategy(words), account)
    assert re.fullmatch(r"[0-9a-f]{40}", key)
    assert entry_key(strategy(list(words)), account) == key
    place = rng.randrange(4 if words[2] == "key" else 5)
    other = list(words)
    other[place] = ("legacy" if words[2] == "key" else "key") if place == 2 else words[place] + "x"
    assert entry_key(strategy(other), account) != key
    assert entry_key(strategy(words), account + "x") != key
    if words[2] != "key":
        assert entry_key(strategy([*words[:3], words[3] + words[4], ""]), account) != key or not words[4]
