"""What an API key says of itself is compared with the configuration, and no more is made of it than it says."""

from __future__ import annotations

import time
from typing import Any, Final

import jwt
import pytest

from procountor_auth import Settings
from procountor_auth.tokens.key_claims import KeyClaims, KeyProblem
from procountor_auth.tokens.provider import TokenProvider

NOW: Final = 1_795_000_000.0
DAY: Final = 86_400
PRODUCTION: Final = "api.procountor.com"
TEST: Final = "pts-api.procountor.com"


def codes(host: str = PRODUCTION, **claims: Any) -> list[str]:  # noqa: ANN401 - whatever a key has in it
    """Return the codes of what does not fit."""
    return [problem.code for problem in KeyClaims("client-1", host, claims).problems(NOW)]


@pytest.mark.parametrize("audience", ["client-1", ["other", "client-1"], None, [], {}, True, 1.5, [None, "other"]])
def test_this_client_or_none_that_can_be_told(audience: object) -> None:
    """The configured client, alone or among others, fits; what is no name of a client says nothing."""
    assert codes(aud=audience) == []


@pytest.mark.parametrize("audience", ["other", ["other", "another"], 7, "Client-1"])
def test_another_client(audience: object) -> None:
    """A key of another client is in the way, and the message has nothing of the key."""
    (problem,) = KeyClaims("client-1", PRODUCTION, {"aud": audience}).problems(NOW)
    assert problem == KeyProblem(
        "other_client",
        "PROCOUNTOR_API_KEY says that it is for another client than PROCOUNTOR_CLIENT_ID",
        "Make a key with this client (`procountor-auth key create`), or name the key's client.",
        in_the_way=True,
    )
    assert KeyClaims(None, PRODUCTION, {"aud": audience}).problems(NOW) == []


@pytest.mark.parametrize(
    ("issuer", "host", "words"),
    [
        (f"https://{PRODUCTION}", TEST, "https://api.procountor.com (production)"),
        (TEST, PRODUCTION, "https://pts-api.procountor.com (test)"),
        (f"https://{PRODUCTION}/", "127.0.0.1", "https://api.procountor.com (production)"),
        ("http://127.0.0.1:8080", PRODUCTION, "a server on this machine, such as the sandbox"),
        ("http://localhost:8080", "gateway.example", "a server on this machine, such as the sandbox"),
    ],
)
def test_another_issuer_that_is_known(issuer: str, host: str, words: str) -> None:
    """A key of the other environment, or of a sandbox, is told, and is not in the way: it may be right after all."""
    (problem,) = KeyClaims("client-1", host, {"iss": issuer}).problems(NOW)
    assert problem == KeyProblem(
        "other_issuer",
        f"PROCOUNTOR_API_KEY was issued by {words}, but the configured host is {host}",
        "Use a key that was made for this host, or correct PROCOUNTOR_ENVIRONMENT or PROCOUNTOR_BASE_URL.",
        in_the_way=False,
    )


@pytest.mark.parametrize(
    ("issuer", "host"),
    [
        (f"https://{PRODUCTION}", PRODUCTION),
        (PRODUCTION.upper(), PRODUCTION),
        ("https://old.procountor.example", PRODUCTION),
        ("Procountor", TEST),
        ("http://127.0.0.1:8080", "localhost"),
        ("https://[", PRODUCTION),
        ("", PRODUCTION),
        (7, PRODUCTION),
        (None, PRODUCTION),
    ],
)
def test_an_issuer_that_says_nothing(issuer: object, host: str) -> None:
    """The same host, one that nobody knows, and what is no host give no reason to say anything."""
    assert codes(host, iss=issuer) == []


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"exp": NOW - DAY}, ["expired"]),
        ({"exp": str(int(NOW))}, ["expired"]),
        ({"exp": NOW + 29 * DAY}, ["expires_soon"]),
        ({"exp": NOW + 31 * DAY}, []),
        ({"exp": 0}, []),
        ({"exp": NOW - DAY, "iat": NOW}, []),
        ({"exp": 10**17}, []),
        ({"exp": 253_402_300_800}, []),
        ({"exp": 253_402_214_400}, []),
        ({"exp": NOW, "iat": NOW}, []),
        ({"exp": 1}, ["expired"]),
        ({"exp": NOW}, ["expired"]),
        ({"exp": NOW + 30 * DAY}, []),
        ({"exp": True}, []),
        ({"exp": "soon"}, []),
        ({}, []),
    ],
)
def test_the_end(claims: dict[str, Any], expected: list[str]) -> None:
    """A key that has ended is in the way, one that ends within 30 days is told; what is no time is no end."""
    problems = KeyClaims("client-1", PRODUCTION, claims).problems(NOW)
    assert [problem.code for problem in problems] == expected
    assert [problem.in_the_way for problem in problems] == [code == "expired" for code in expected]


def test_the_facts_are_what_fits() -> None:
    """What fits is said in words, and only that."""
    claims = {"aud": "client-1", "cid": "14159", "iss": f"https://{PRODUCTION}", "exp": 1_900_000_000}
    assert KeyClaims("client-1", PRODUCTION, claims).facts() == [
        "this client",
        "company 14159",
        "this host",
        "until 2030-03-17",
    ]
    assert KeyClaims("other", TEST, {"sub": "1", "aud": "client-1", "cid": "acme"}).facts() == []


def test_a_key_that_ends_says_what_to_do() -> None:
    """The day is named, and what to do about it."""
    hint = "Make another key: `procountor-auth key create`. If the date is wrong, check this machine's clock."
    for end, code, words in (
        (1_794_960_000, "expired", "has ended on 2026-11-18"),
        (1_795_046_399, "expires_soon", "ends on 2026-11-18"),
    ):
        (problem,) = KeyClaims("client-1", PRODUCTION, {"iat": 0, "exp": end}).problems(NOW)
        message = f"PROCOUNTOR_API_KEY says that it {words}"
        assert problem == KeyProblem(code, message, hint, in_the_way=code == "expired")


@pytest.mark.parametrize(("zone", "day"), [("Pacific/Kiritimati", "2026-11-18"), ("Pacific/Pago_Pago", "2026-11-18")])
def test_the_day_is_the_same_everywhere(monkeypatch: pytest.MonkeyPatch, zone: str, day: str) -> None:
    """The day on which a key ends is that of UTC, whatever the time zone of the machine."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process can't be changed here")
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        facts = [KeyClaims("client-1", PRODUCTION, {"exp": end}).facts() for end in (1_794_960_000, 1_795_046_399)]
    time.tzset()
    assert facts == [[f"until {day}"]] * 2


def test_all_problems_are_found_at_once() -> None:
    """A key that fits in no way has all of them, in the order of their weight."""
    assert codes(TEST, aud="other", iss=PRODUCTION, exp=NOW) == ["other_client", "other_issuer", "expired"]


def test_the_claims_are_those_of_the_configured_key() -> None:
    """The client, the host without scheme and port, and the key's own claims; without a JWT there is nothing."""

    def claims_of(**values: str) -> KeyClaims | None:
        values = {"strategy": "client_credentials", "base_url": "https://api.example:8443", **values}
        client = {"client_id": "client-1", "client_secret": "cl13nt", "redirect_uri": "r"}
        return KeyClaims.of(TokenProvider.from_settings(Settings(**client, **values)))

    key = jwt.encode({"aud": "client-1", "cid": 7}, "x" * 32, "HS256")
    assert claims_of(api_key=key) == KeyClaims("client-1", "api.example", {"aud": "client-1", "cid": 7})
    assert claims_of(api_key="k3y") is None
    assert claims_of(strategy="authorization_code", refresh_token=key) is None
