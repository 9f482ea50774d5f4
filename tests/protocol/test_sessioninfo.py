"""Asking whom a token is for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from procountor_auth.errors import CredentialsRefused, ServiceUnavailable, UnexpectedResponse
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.protocol.flow import Response
from procountor_auth.protocol.sessioninfo import Session, may_get, read_session
from procountor_auth.protocol.token import Token

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Flow

T = TypeVar("T")

TOKEN = Token("acc3ss", 1.0, 3601.0, "client_credentials")
ENDPOINTS = Endpoints("https://api.example", "latest")


def drive(flow: Flow[T], status: int, fields: object = None, body: bytes | None = None) -> T:
    """Answer the flow's one request."""
    request = next(flow)
    assert (request.method, request.bearer) == ("GET", "acc3ss")
    assert request.url.startswith("https://api.example/latest/api/")
    with pytest.raises(StopIteration) as done:
        flow.send(Response(status, {}, json.dumps(fields).encode() if body is None else body))
    result: T = done.value.value
    return result


def session(**fields: Any) -> Session:  # noqa: ANN401 - whatever a server may say
    """Read a session of these fields."""
    return drive(read_session(ENDPOINTS, TOKEN), 200, fields)


def test_a_session_names_company_and_user() -> None:
    """The company's number is what counts; names and the user's number come along."""
    found = session(companyId=14159, name="Sandbox Oy", userId="26535", userName="S. User", more=True)
    assert found == Session(14159, "Sandbox Oy", 26535, "S. User")
    assert session(companyId="14159") == Session(14159)


@pytest.mark.parametrize("company", [None, "", "abc", True, -1, 1.5, [1], {}, "1" * 19, "٣"])
def test_a_session_without_a_company_is_refused(company: object) -> None:
    """An answer with no number of a company is not one."""
    with pytest.raises(UnexpectedResponse, match="names no company"):
        session(companyId=company)


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"[]"), (200, b""), (302, b"")])
def test_what_is_no_session_is_refused(status: int, body: bytes) -> None:
    """A web page, a list, nothing, or a redirect are no session."""
    with pytest.raises(UnexpectedResponse):
        drive(read_session(ENDPOINTS, TOKEN), status, body=body)


def test_names_are_made_harmless() -> None:
    """A name from the server can't drive a terminal, nor carry the token around."""
    assert session(companyId=1, name="\x1b[2Jevil\n Oy").company_name == "[2Jevil Oy"
    assert "acc3ss" not in str(session(companyId=1, name="we got acc3ss"))
    assert len(str(session(companyId=1, userName="x" * 10_000).user_name)) < 300


@pytest.mark.parametrize("status", [401, 403])
def test_a_user_without_rights_is_refused(status: int) -> None:
    """The API's own no says so, with its words and what to do."""
    answer = {"errors": [{"status": status, "message": "No API rights"}]}
    with pytest.raises(CredentialsRefused, match=rf"GET sessioninfo \(status {status}\): No API rights") as caught:
        drive(read_session(ENDPOINTS, TOKEN), status, answer)
    assert "may use the API in this company" in caught.value.hint


def test_a_busy_server_is_no_answer() -> None:
    """What says "not now" is not taken for a no, of the session or of a resource."""
    with pytest.raises(ServiceUnavailable):
        drive(read_session(ENDPOINTS, TOKEN), 503)
    with pytest.raises(ServiceUnavailable):
        drive(may_get(ENDPOINTS, TOKEN, "users"), 429)


@pytest.mark.parametrize(("status", "may"), [(200, True), (204, True), (302, False), (403, False), (404, False)])
def test_a_resource_may_be_read_or_not(status: int, may: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Only an answer of 2xx is a yes."""
    assert drive(may_get(ENDPOINTS, TOKEN, "users"), status, {}) is may
