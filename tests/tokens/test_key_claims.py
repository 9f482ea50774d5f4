"""What an API key says of itself is compared with the configuration, and no more is made of it than it says."""

from __future__ import annotations

from typing import Any, Final

import pytest

from procountor_auth.tokens.key_claims import KeyClaims

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
    assert (problem.code, problem.in_the_way) == ("other_client", True)
    assert "other" not in problem.message.replace("another", "")
    assert KeyClaims(None, PRODUCTION, {"aud": audience}).problems(NOW) == []


@pytest.mark.parametrize(
    ("issuer", "host", "words"),
    [
        (f"https://{PRODUCTION}", TEST, "https://api.procountor.com (production)"),
        (TEST, PRODUCTION, "https://pts-api.procountor.com (test)"),
        (f"https://{PRODUCTION}/", "127.0.0.1", "https://api.procountor.com (production)"),
        ("http://127.0.0.1:8080", PRODUCTION, "a server on this machine"),
        ("http://localhost:8080", "gateway.example", "a server on this machine"),
    ],
)
def test_another_issuer_that_is_known(issuer: str, host: str, words: str) -> None:
    """A key of the other environment, or of a sandbox, is told, and is not in the way: it may be right after all."""
    (problem,) = KeyClaims("client-1", host, {"iss": issuer}).problems(NOW)
    assert (problem.code, problem.in_the_way) == ("other_issuer", False)
    assert words in problem.message
    assert host in problem.message


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
    (problem,) = KeyClaims("client-1", PRODUCTION, {"iat": 0, "exp": NOW - 1}).problems(NOW)
    assert problem.message.startswith("PROCOUNTOR_API_KEY says that it has ended on ")
    assert problem.hint == (
        "Make another key: `procountor-auth key create`. If the date is wrong, check this machine's clock."
    )
