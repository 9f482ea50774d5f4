"""Which credential a server refuses, told alike from both shapes of an error."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from procountor_auth.errors import CredentialsRefused, InvalidClient, InvalidGrant
from procountor_auth.protocol.flow import Request
from procountor_auth.protocol.refusal import About, judge, passes, refreshes

_CLIENT = {"client_id": "c", "client_secret": "s", "redirect_uri": "https://app.example/"}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "r", **_CLIENT}
KEY = {"grant_type": "client_credentials", "api_key": "k", **_CLIENT}
PASSWORD = {"response_type": "code", "username": "u", "password": "p", "company": "1", **_CLIENT}
CODE = {"grant_type": "authorization_code", "code": "c", **_CLIENT}


def asked(form: dict[str, str]) -> Request:
    """Return a token request with these parameters."""
    return Request("POST", "https://api.example/api/oauth/token", urlencode(form))


WORDS = [
    (REFRESH, 400, "Invalid 'refresh_token' in request.", InvalidGrant),
    (REFRESH, 400, "The refresh token has expired", InvalidGrant),
    (REFRESH, 400, "Token is not valid", InvalidGrant),
    (REFRESH, 401, "Unauthorized", InvalidGrant),
    (REFRESH, 403, "no", CredentialsRefused),
    (REFRESH, 401, "Client authentication failed", InvalidClient),
    (REFRESH, 400, "The client secret is wrong", InvalidClient),
    (KEY, 400, "Invalid 'api_key' in request.", InvalidGrant),
    (KEY, 400, "API key was revoked", InvalidGrant),
    (KEY, 401, "Wrong client secret", InvalidClient),
    (KEY, 401, "Unknown application", InvalidClient),
    (KEY, 400, "Invalid redirect_uri.", CredentialsRefused),
    (KEY, 400, "redirect uri mismatch", CredentialsRefused),
    (KEY, 400, "Bad request", CredentialsRefused),
    (PASSWORD, 400, "Invalid 'username' or 'password' in request.", InvalidGrant),
    (PASSWORD, 400, "The user has no access to the company.", InvalidGrant),
    (PASSWORD, 400, "Invalid client_id", InvalidClient),
    (CODE, 400, "The code has been used", InvalidGrant),
    (CODE, 400, "Parameter 'code' is not given", CredentialsRefused),
]


@pytest.mark.parametrize(("form", "status", "words", "kind"), WORDS)
def test_words_alone_tell_what_is_refused(
    form: dict[str, str], status: int, words: str, kind: type[CredentialsRefused]
) -> None:
    """The API's own errors have no code: what they name, and what was sent, tells the credential."""
    text = json.dumps({"errors": [{"status": status, "message": words}]})
    assert judge(status, None, words, asked(form)).kind is kind
    assert judge(status, None, text, asked(form)).kind is kind


@pytest.mark.parametrize("form", [REFRESH, KEY, CODE])
@pytest.mark.parametrize(("code", "kind"), [("invalid_grant", InvalidGrant), ("invalid_client", InvalidClient)])
@pytest.mark.parametrize("status", [400, 401])
def test_a_code_counts_in_both_shapes(
    form: dict[str, str], code: str, kind: type[CredentialsRefused], status: int
) -> None:
    """A code of RFC 6749 means the same as `error` and as the message of an error in a list."""
    in_oauth = judge(status, code, code, asked(form))
    in_errors = judge(status, None, code, asked(form))
    assert in_oauth.kind is in_errors.kind is kind
    assert in_oauth.definite is in_errors.definite is True


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_request", "invalid_client", None])
def test_a_redirect_uri_is_no_credential(code: str | None) -> None:
    """A redirect URI that is not the registered one is told as such, and nobody is sent to look for a new key."""
    judged = judge(400, code, f"{code or ''} invalid redirect_uri", asked(KEY))
    assert (judged.kind, judged.definite) == (CredentialsRefused, False)
    assert judged.about == {About.REDIRECT_URI}


@pytest.mark.parametrize(
    "words", ["Scheduled maintenance", "temporarily_unavailable", "rate_limited", "Too many requests"]
)
def test_what_passes_is_no_refusal(words: str) -> None:
    """A server that says it can't now has refused nobody."""
    assert passes(words)


@pytest.mark.parametrize("words", ["Invalid refresh token", "invalid_grant", "unauthorized_client", ""])
def test_a_refusal_does_not_pass(words: str) -> None:
    """What names a credential does not pass by itself."""
    assert not passes(words)


def test_what_is_sent_tells_a_refresh() -> None:
    """Only a request with a refresh token refreshes."""
    assert [refreshes(asked(form)) for form in (REFRESH, KEY, PASSWORD, CODE)] == [True, False, False, False]
