"""Requests, responses and what a flow is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.protocol.flow import Request, Response

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Flow

_NOT_ONE_OBJECT = {
    "empty": b"",
    "truncated": b'{"access_token": "abc',
    "an array": b"[]",
    "null": b"null",
    "a string": b'"token"',
    "a web page": b"<html></html>",
    "a name twice": b'{"error": "a", "error": "b"}',
    "a name twice, deep inside": b'{"a": {"b": 1, "b": 2}}',
    "NaN": b'{"expires_in": NaN}',
    "Infinity": b'{"expires_in": -Infinity}',
    "nested too deeply": b'{"a":' * 200_000,
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "a byte order mark before nothing": b"\xef\xbb\xbf",
    "NULs": b"\x00\x00\x00\x00",
    "an integer of more digits than Python reads": b'{"expires_in": ' + b"9" * 5_000 + b"}",
}


def test_a_flow_is_driven_by_hand() -> None:
    """A flow yields its request, is sent the answer and returns its result, with no network at all."""

    def status_of(url: str) -> Flow[int]:
        response = yield Request("GET", url)
        return response.status

    flow = status_of("https://api.example/api/users")
    assert next(flow).url == "https://api.example/api/users"
    with pytest.raises(StopIteration) as done:
        flow.send(Response(204))
    assert done.value.value == 204


def test_the_repr_of_a_request_shows_method_and_path_alone() -> None:
    """Neither the query, nor the body, nor the bearer token of a request is in its repr."""
    request = Request("POST", "https://api.example/api/oauth/authz?state=s3cret", "password=s3cret", bearer="s3cret")
    assert "s3cret" not in repr(request)
    assert "POST" in repr(request)
    assert "/api/oauth/authz" in repr(request)


def test_the_repr_of_a_response_shows_the_status_alone() -> None:
    """Neither a header nor the body of a response is in its repr."""
    response = Response(302, {"location": ("word?code=s3cret",)}, b"s3cret")
    assert repr(response) == "Response(status=302)"


def test_a_header_is_found_in_any_case() -> None:
    """`header` gives the first value whatever the case of the name, and None for a header that is not there."""
    response = Response(200, {"retry-after": ("1", "2"), "x-empty": ()})
    assert response.header("Retry-After") == "1"
    assert response.header("x-empty") is None
    assert response.header("Location") is None


_WEB_PAGES = [
    ("text/html; charset=utf-8", b""),
    ("TEXT/HTML", b""),
    ("application/xhtml+xml", b""),
    ("application/json", b"  \r\n<!DOCTYPE html>"),
    ("", b"<html>"),
]

_NO_WEB_PAGES = [("application/json", b'{"a": "<html>"}'), ("application/json", b""), ("", b"")]


@pytest.mark.parametrize(("content_type", "body"), _WEB_PAGES)
def test_a_web_page_is_known_by_its_type_or_its_first_character(content_type: str, body: bytes) -> None:
    """A web page is recognised even where its Content-Type claims to be JSON."""
    assert Response(200, {"content-type": (content_type,)}, body).is_html


@pytest.mark.parametrize(("content_type", "body"), _NO_WEB_PAGES)
def test_an_answer_of_the_api_is_no_web_page(content_type: str, body: bytes) -> None:
    """JSON that speaks of HTML, and an empty body, are no web pages."""
    assert not Response(200, {"content-type": (content_type,)}, body).is_html


def test_a_response_with_no_type_at_all_is_judged_by_its_body() -> None:
    """A response that has no Content-Type is a web page if it begins like one."""
    assert Response(403, {}, b"<html>").is_html
    assert not Response(403).is_html


@pytest.mark.parametrize("body", _NOT_ONE_OBJECT.values(), ids=_NOT_ONE_OBJECT)
def test_what_is_not_one_clear_json_object_is_none(body: bytes) -> None:
    """A body that is not exactly one unambiguous JSON object reads as None and raises nothing."""
    assert Response(200, {}, body).json_object() is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", {}),
        (b' {"a": {"b": [1, null]}}\n', {"a": {"b": [1, None]}}),
        ('{"ä": "€"}'.encode(), {"ä": "€"}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    ],
    ids=["empty", "nested", "unicode", "byte order mark"],
)
def test_a_json_object_is_read(body: bytes, expected: dict[str, object]) -> None:
    """A JSON object is read whatever white space, byte order mark or alphabet it comes with."""
    assert Response(200, {}, body).json_object() == expected
