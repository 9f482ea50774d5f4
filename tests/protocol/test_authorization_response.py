"""Reading the redirect that brings a code."""

from __future__ import annotations

import dataclasses
import traceback
from typing import Final

import pytest
from pydantic import SecretStr

from procountor_auth.errors import AccessDenied, RedirectError, StateMismatch
from procountor_auth.protocol.authorization_response import MAX_LENGTH, ExpectedResponse, read_redirect
from procountor_auth.protocol.loopback_redirect import LoopbackRedirect

_HOST: Final = "https://api.example"
_WORD: Final = "redirect-uri-placeholder"
_STATE: Final = "st4te"

_TO_WORD: Final = ExpectedResponse(_WORD, SecretStr(_STATE), f"{_HOST}/api/oauth/authz", _HOST)
_TO_URL: Final = dataclasses.replace(_TO_WORD, redirect_uri="https://app.example/callback")
_TO_THIS_MACHINE: Final = dataclasses.replace(_TO_WORD, redirect_uri="http://127.0.0.1:8765/callback")

_RIGHT: Final = f"code=c0de&state={_STATE}"


def _code(location: str, expected: ExpectedResponse = _TO_WORD) -> str:
    return read_redirect(SecretStr(location), expected).get_secret_value()


@pytest.mark.parametrize(
    "location",
    [
        f"{_WORD}?{_RIGHT}",
        f"{_WORD}?code=c0de&expires_in=300&state={_STATE}",
        f"{_WORD}?state={_STATE}&new_field=1&code=c0de",
        f"/{_WORD}?{_RIGHT}",
        f"/api/oauth/{_WORD}?{_RIGHT}",
        f"{_HOST}/{_WORD}?{_RIGHT}",
        f"{_HOST}:443/api/oauth/{_WORD}?{_RIGHT}",
        f"{_WORD}?{_RIGHT}&iss=https://api.example",
        f"{_WORD}?{_RIGHT}&iss=https://api.example/",
    ],
)
def test_the_word_brings_a_code(location: str) -> None:
    """A bare word is accepted as it is, or made absolute on the host that was asked."""
    assert _code(location) == "c0de"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (f"https://app.example/callback?{_RIGHT}", _TO_URL),
        (f"https://APP.example:443/callback?{_RIGHT}", _TO_URL),
        (f"http://127.0.0.1:8765/callback?{_RIGHT}", _TO_THIS_MACHINE),
        (f"myapp:callback?{_RIGHT}", dataclasses.replace(_TO_WORD, redirect_uri="myapp:callback")),
        (f"https://app.example?{_RIGHT}", dataclasses.replace(_TO_WORD, redirect_uri="https://app.example/")),
    ],
)
def test_a_registered_url_brings_a_code(location: str, expected: ExpectedResponse) -> None:
    """A redirect URI that is a URL is matched by scheme, host, port and path."""
    assert _code(location, expected) == "c0de"


def test_a_code_is_decoded() -> None:
    """Percent encoding in the code is undone, once."""
    assert _code(f"{_WORD}?code=a%2Bb%2520c%3D&state={_STATE}") == "a+b%20c="


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (f"https://evil.example/{_WORD}?{_RIGHT}", _TO_WORD),
        (f"//evil.example/{_WORD}?{_RIGHT}", _TO_WORD),
        (f"http://api.example/{_WORD}?{_RIGHT}", _TO_WORD),
        (f"{_HOST}:8443/{_WORD}?{_RIGHT}", _TO_WORD),
        (f"{_HOST}/other?{_RIGHT}", _TO_WORD),
        (f"{_WORD}-and-more?{_RIGHT}", _TO_WORD),
        (f"{_WORD}/more?{_RIGHT}", _TO_WORD),
        (f"javascript:{_WORD}?{_RIGHT}", _TO_WORD),
        (f"https://evil.example/callback?{_RIGHT}", _TO_URL),
        (f"https://app.example.evil.example/callback?{_RIGHT}", _TO_URL),
        (f"http://app.example/callback?{_RIGHT}", _TO_URL),
        (f"https://app.example:444/callback?{_RIGHT}", _TO_URL),
        (f"https://app.example/callback/?{_RIGHT}", _TO_URL),
        (f"https://app.example/CALLBACK?{_RIGHT}", _TO_URL),
        (f"myapp://callback?{_RIGHT}", _TO_URL),
        (f"/callback?{_RIGHT}", _TO_URL),
        (f"http://127.0.0.1:8766/callback?{_RIGHT}", _TO_THIS_MACHINE),
        (f"http://localhost:8765/callback?{_RIGHT}", _TO_THIS_MACHINE),
    ],
)
def test_a_redirect_to_elsewhere_is_refused(location: str, expected: ExpectedResponse) -> None:
    """A redirect to another scheme, host, port or path than the registered one brings nothing."""
    with pytest.raises(RedirectError, match="does not lead to the client's redirect URI") as caught:
        _code(location, expected)
    assert "PROCOUNTOR_REDIRECT_URI" in caught.value.hint


@pytest.mark.parametrize(
    "location",
    [
        "",
        _WORD,
        f"{_WORD}?state={_STATE}",
        f"{_WORD}?code=&state={_STATE}",
        f"{_WORD}?state={_STATE}#code=c0de",
        f"{_WORD}#{_RIGHT}",
        f"{_WORD}?{_RIGHT}&code=another",
        f"{_WORD}?{_RIGHT}&state={_STATE}",
        f"{_WORD}?{_RIGHT}&iss=https://evil.example",
        f"{_WORD}?{_RIGHT}&iss=",
        f"{_WORD}?error=server_error&state={_STATE}",
        f"{_WORD}?{_RIGHT}&error=access_denied",
        f"{_WORD}?{_RIGHT}\r\nSet-Cookie: a=b",
        f"{_WORD}?{_RIGHT} ",
        f"{_WORD}?{_RIGHT}&name=ä",
        f"{_WORD}?{_RIGHT}&name=%ff",
        f"https://[::1/{_WORD}?{_RIGHT}",
        f"https://api.example:99999/{_WORD}?{_RIGHT}",
        f"https://user@api.example/{_WORD}?{_RIGHT}",
        f"{_WORD}?{_RIGHT}&" + "&".join(f"p{number}=1" for number in range(60)),
        f"{_WORD}?{_RIGHT}&padding=" + "x" * MAX_LENGTH,
    ],
)
def test_a_redirect_that_brings_no_one_code_is_refused(location: str) -> None:
    """Whatever else is wrong with a redirect, it is our error, final, and with a hint."""
    with pytest.raises(RedirectError) as caught:
        _code(location)
    assert not caught.value.retryable
    assert caught.value.hint


@pytest.mark.parametrize("state", ["", "wrong", _STATE + "x", _STATE.upper(), "%C3%A4"])
@pytest.mark.parametrize("tolerant", [False, True])
def test_a_wrong_state_is_refused(state: str, *, tolerant: bool) -> None:
    """A state that is not the one that was sent is refused, even where a missing one is tolerated."""
    expected = dataclasses.replace(_TO_WORD, allow_missing_state=tolerant)
    with pytest.raises(StateMismatch, match="not the one that was sent"):
        _code(f"{_WORD}?code=c0de&state={state}", expected)


def test_a_missing_state_is_refused_and_names_its_setting() -> None:
    """A redirect with no state is refused with the setting that would tolerate it."""
    with pytest.raises(StateMismatch, match="no state") as caught:
        _code(f"{_WORD}?code=c0de")
    assert "PROCOUNTOR_ALLOW_MISSING_STATE=true" in caught.value.hint


def test_a_missing_state_can_be_tolerated() -> None:
    """With the setting, a redirect with no state at all brings its code."""
    assert _code(f"{_WORD}?code=c0de", dataclasses.replace(_TO_WORD, allow_missing_state=True)) == "c0de"


def test_an_error_needs_the_right_state_too() -> None:
    """An error response with a wrong state is a state mismatch: it may be anybody's."""
    with pytest.raises(StateMismatch):
        _code(f"{_WORD}?error=access_denied&state=wrong")


def test_a_declined_login_is_told_apart() -> None:
    """`error=access_denied` is `AccessDenied`, not a missing code."""
    with pytest.raises(AccessDenied):
        _code(f"{_WORD}?error=access_denied&error_description=no&state={_STATE}")


@pytest.mark.parametrize(
    ("query", "ends"),
    [
        ("error=access_denied&state={0}", True),
        ("error=server_error&state={0}", True),
        ("code=&state={0}", True),
        ("state={0}", True),
        ("code=c0de&state={0}&iss=https://evil.example", True),
        ("error=access_denied&code=c0de&state={0}", True),
        ("error=access_denied", False),
        ("error=access_denied&state=wr0ng", False),
        ("code=c0de", False),
        ("code=c0de&state=", False),
        ("code=c0de&state=wr0ng", False),
        ("code=c0de&state={0}&state={0}", False),
        ("code=c0de&code=c0de&state={0}", False),
        ("code=c0de&state={0}&x=%ff", False),
        ("code=c0de&state={0}\n", False),
    ],
)
@pytest.mark.parametrize("tolerant", [False, True])
def test_a_refused_redirect_says_whether_it_was_the_answer(query: str, *, ends: bool, tolerant: bool) -> None:
    """Only a redirect whose state was right ends the login: any other may be anybody's."""
    expected = dataclasses.replace(_TO_WORD, allow_missing_state=tolerant and "state=" in query)
    with pytest.raises(RedirectError) as caught:
        _code(f"{_WORD}?{query.format(_STATE)}", expected)
    assert caught.value.ends_login is ends


def test_a_tolerated_missing_state_proves_nothing() -> None:
    """Where a missing state is tolerated, an error without one is read, and still may be anybody's."""
    with pytest.raises(AccessDenied) as caught:
        _code(f"{_WORD}?error=access_denied", dataclasses.replace(_TO_WORD, allow_missing_state=True))
    assert not caught.value.ends_login


def test_a_redirect_to_elsewhere_does_not_end_the_login() -> None:
    """The right state at another address is not the answer."""
    with pytest.raises(RedirectError) as caught:
        _code(f"https://evil.example/{_WORD}?error=access_denied&state={_STATE}")
    assert not caught.value.ends_login


@pytest.mark.parametrize(
    ("uri", "host", "port", "path"),
    [
        ("http://127.0.0.1/callback", "127.0.0.1", None, "/callback"),
        ("http://127.0.0.1:8765/a/b-c.d~e", "127.0.0.1", 8765, "/a/b-c.d~e"),
        ("http://127.0.0.1", "127.0.0.1", None, "/"),
        ("http://[::1]:1/", "[::1]", 1, "/"),
        ("HTTP://LocalHost:65535/x", "localhost", 65535, "/x"),
    ],
)
def test_a_loopback_redirect_uri_is_taken_apart(uri: str, host: str, port: int | None, path: str) -> None:
    """Host, port and path are read, and a port is filled in where none is registered, and only there."""
    loopback = LoopbackRedirect.parse(uri)
    assert loopback == LoopbackRedirect(uri, host, port, path)
    assert loopback is not None
    filled = loopback.at(4711)
    assert filled == (uri if port else uri[: 7 + len(host)] + ":4711" + uri[7 + len(host) :])
    assert loopback.allows(uri)
    assert loopback.allows(filled)
    with_another_port = f"http://{host}:4712{uri[uri.index(path, 7) :] if path in uri[7:] else ''}"
    assert loopback.allows(with_another_port) is (port is None)


@pytest.mark.parametrize(
    ("error", "shown"),
    [("invalid_request", "invalid_request"), ("<script>alert(1)</script>", "an error"), ("x" * 41, "an error")],
)
def test_only_a_standard_error_code_is_repeated(error: str, shown: str) -> None:
    """An error code of the standard's alphabet is shown, any other text is not."""
    with pytest.raises(RedirectError) as caught:
        _code(f"{_WORD}?error={error}&error_description=d3scription&state={_STATE}")
    assert caught.value.message == f"The login page responded with {shown}."


@pytest.mark.parametrize(
    "query",
    [
        "code=s3cret&state=wr0ng",
        "code=s3cret",
        f"code=s3cret&code=s3cret&state={_STATE}",
        f"code=s3cret&state={_STATE}&iss=https://evil.example",
        f"error=denied&code=s3cret&state={_STATE}",
        f"code=s3cret&state={_STATE}&x=%ff",
    ],
)
def test_no_secret_is_in_the_error(query: str) -> None:
    """Neither the code nor a state is in the error, its context, or the locals of our frames."""
    with pytest.raises(RedirectError) as caught:
        read_redirect(SecretStr(f"{_WORD}?{query}"), _TO_WORD)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames.stack[:] = [frame for frame in frames.stack if frame.filename != __file__]
    shown = "".join(frames.format())
    assert caught.value.__context__ is None
    assert "read_redirect" in shown
    assert "s3cret" not in shown
    assert "wr0ng" not in shown
    assert _STATE not in shown
