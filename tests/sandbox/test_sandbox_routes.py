"""Resources of a test's own behind the token check, and paths and parameters that nobody has thought of."""

from __future__ import annotations

import re
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth import TokenSource
from procountor_auth.sandbox import Faults, Sandbox
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.server


@pytest.fixture
def http(sandbox: Sandbox, environment: Callable[[dict[str, str]], None]) -> Iterator[Any]:
    """A client with a token."""
    environment(sandbox.environment("client_credentials"))
    headers = {"Authorization": TokenSource.from_env().token().authorization}
    with backend.Client(base_url=sandbox.base_url, headers=headers, trust_env=False) as client:
        yield client


def test_a_route_is_told_who_asks_for_what(sandbox: Sandbox, http: Any) -> None:  # noqa: ANN401
    """It gets the method, the parts of the path, the query, the body, the company and the user, and not the token."""
    told = []

    @sandbox.route("invoices/<int:number>/lines", methods=["POST"])
    def lines(request: Any) -> Any:  # noqa: ANN401
        told.append(request)
        return {"ok": True}

    answer = http.post("/api/invoices/7/lines?a=b&a=c", json={"x": 1}, headers={"X-Own": "yes"})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    (request,) = told
    assert (request.method, request.path, dict(request.parameters)) == ("POST", "/invoices/7/lines", {"number": 7})
    assert (request.query, request.json(), request.headers["X-Own"]) == ({"a": "b"}, {"x": 1}, "yes")
    assert (request.company_id, request.user_id) == (int(sandbox.company), 26535)
    assert "Authorization" not in request.headers
    assert lines(request) == {"ok": True}


@pytest.mark.parametrize(
    ("path", "methods", "said"),
    [
        ("invoices/{id}", ["GET"], "not {id}: did you mean invoices/<id>"),
        ("invoices/7", "GET", "a list, such as ['GET']"),
        ("invoices/7", [], "one or more of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, not []"),
        ("invoices/7", [1], "not [1]"),
        ("invoices/7", ["GET", "FETCH"], "not ['GET', 'FETCH']"),
    ],
)
def test_a_route_that_would_never_answer_is_refused(sandbox: Sandbox, path: str, methods: Any, said: str) -> None:  # noqa: ANN401
    """Another framework's path, or one word as methods, is an error at once, and says how it is written here."""
    with pytest.raises(ValueError, match=re.escape(said)):
        sandbox.route(path, methods)(print)


@pytest.mark.parametrize(
    ("gives", "status", "text"),
    [
        ({"a": 1}, 200, '{"a":1}\n'),
        ([1, 2], 200, "[1,2]\n"),
        ("words", 200, "words"),
        (None, 204, ""),
        (({"errors": []}, 422), 422, '{"errors":[]}\n'),
        (("", 404), 404, ""),
        (("busy", HTTPStatus.SERVICE_UNAVAILABLE), 503, "busy"),
        (("", 599), 599, ""),
    ],
)
def test_what_a_route_gives_is_the_answer(sandbox: Sandbox, http: Any, gives: Any, status: int, text: str) -> None:  # noqa: ANN401
    """JSON, text or nothing, with a status or without."""
    sandbox.route("thing")(lambda _: gives)
    answer = http.get("/api/thing")
    assert (answer.status_code, answer.text) == (status, text)


def test_a_route_that_raises_is_an_error_that_says_so(sandbox: Sandbox, http: Any) -> None:  # noqa: ANN401
    """The test sees what its own code has done."""
    sandbox.route("thing")(lambda request: request.parameters["nothing"])
    answer = http.get("/api/thing")
    assert answer.status_code == 500
    assert "KeyError" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("status", [1000, 600, 199, 100, 99, 0, -1, True, 200.0, "x", "404"])
def test_a_status_that_is_none_is_the_routes_error(sandbox: Sandbox, http: Any, status: object) -> None:  # noqa: ANN401
    """The program gets a 500 that says what a status is, and nothing that HTTP does not know."""
    sandbox.route("thing")(lambda _: ({}, status))
    answer = http.get("/api/thing")
    assert answer.status_code == 500
    assert f"a whole number from 200 to 599, not {status!r}" in answer.json()["errors"][0]["message"]
    assert sandbox.log()[-1]["error"] == "The route of the test raised ValueError."
    assert http.get("/api/sessioninfo").status_code == 200


def test_a_body_that_is_nested_too_deeply_is_a_value_error(sandbox: Sandbox, http: Any) -> None:  # noqa: ANN401
    """`request.json()` raises one class of error for every body that it can't read."""
    sandbox.route("thing", methods=["POST"])(lambda request: request.json())
    answer = http.post("/api/thing", content="[" * 100_000)
    assert answer.status_code == 500
    assert (
        answer.json()["errors"][0]["message"]
        == "The route of the test raised ValueError: the body is nested too deeply"
    )


class _Unreadable(Exception):
    """An error that has no text."""

    def __str__(self) -> str:
        """Fail."""
        raise KeyError


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), pytest.fail.Exception("wrong"), _Unreadable()])
def test_whatever_a_route_raises_is_answered_and_logged(
    environment: Callable[[dict[str, str]], None], raised: BaseException
) -> None:
    """The program gets status 500, the log has the class, and the block ends with what was to end the test."""

    def thing(_: object) -> None:
        raise raised

    caught = None
    try:
        with Sandbox() as sandbox:
            environment(sandbox.environment("client_credentials"))
            headers = {"Authorization": TokenSource.from_env().token().authorization}
            sandbox.route("thing")(thing)
            with backend.Client(base_url=sandbox.base_url, headers=headers, trust_env=False) as client:
                statuses = [client.get("/api/thing").status_code for _ in range(2)]
            logged = sandbox.log()[1:]
    except BaseException as error:  # noqa: BLE001 - what is raised is what is tested
        caught = error
    assert statuses == [500, 500]
    assert [entry["status"] for entry in logged] == [500, 500]
    assert {entry["error"] for entry in logged} == {f"The route of the test raised {type(raised).__name__}."}
    assert caught is (None if isinstance(raised, Exception) else raised)


def test_the_blocks_own_error_comes_before_a_routes(environment: Callable[[dict[str, str]], None]) -> None:
    """What a route raised does not replace the error that ends the block."""

    def run() -> None:
        with Sandbox() as sandbox:
            environment(sandbox.environment("client_credentials"))
            headers = {"Authorization": TokenSource.from_env().token().authorization}
            sandbox.route("thing")(lambda _: sys.exit(3))
            with backend.Client(base_url=sandbox.base_url, headers=headers, trust_env=False) as client:
                assert client.get("/api/thing").status_code == 500
            raise LookupError

    with pytest.raises(LookupError):
        run()


def test_routes_are_behind_the_token_check(sandbox: Sandbox, http: Any) -> None:  # noqa: ANN401
    """Without a good token, or the right, nobody gets there; faults hit routes as well."""
    sandbox.route("invoices")(lambda _: {})
    with backend.Client(base_url=sandbox.base_url, trust_env=False) as stranger:
        assert stranger.get("/api/invoices").status_code == 401
    sandbox.world.limit_user(26535, int(sandbox.company), ["users"])
    assert http.get("/api/invoices").status_code == 403
    sandbox.world.limit_user(26535, int(sandbox.company), None)
    sandbox.faults = Faults(status=503, where="api")
    assert http.get("/api/invoices").status_code == 503


def test_a_route_is_there_in_every_version_and_takes_the_place_of_ours(sandbox: Sandbox, http: Any) -> None:  # noqa: ANN401
    """The later one of two comes first; other methods are left to what was there."""
    sandbox.route("users")(lambda _: "first")
    sandbox.route("/users/")(lambda _: "second")
    assert [http.get(f"{base}/users").text for base in ("/api", "/latest/api", "/v2302/api")] == ["second"] * 3
    assert http.get("/api/users/").text == "second"
    assert http.post("/api/users").status_code == 405


_WRONG_PARTS = ("<", "a/<int:>", "a/<nothing:b>", "a/<int:b>/<int:b>", "a/<int(c=1):b>", "a/<string(length=c):b>")
_NO_PATHS = ("", "/", "a?b=1", "a#b", "http://a/b", "a//b", "a/../b", "./a", "<b>/..")


@pytest.mark.parametrize("path", [*_WRONG_PARTS, *_NO_PATHS])
def test_a_path_that_can_t_be_is_a_value_error(sandbox: Sandbox, path: str) -> None:
    """What is no path is said where it is written."""
    with pytest.raises(ValueError, match="a route needs a path below the API"):
        sandbox.route(path)(lambda _: {})


@pytest.mark.parametrize("path", ["a b", "ä", "a.b", "a/<b>.pdf", "a/<any('c?', 'd#'):b>", "a/<path:b>"])
def test_an_uncommon_path_can_be_one(sandbox: Sandbox, path: str) -> None:
    """What a client can send is no error."""
    assert sandbox.route(path, ["get", "OPTIONS"])(print) is print


@pytest.mark.parametrize(
    "path", ["/api//sessioninfo", "//api/sessioninfo", "/latest//api///sessioninfo/", "/api/sessioninfo//?a=b//c"]
)
def test_two_slashes_are_as_good_as_one(http: Any, sandbox: Sandbox, path: str) -> None:  # noqa: ANN401
    """Clients that put a base and a path together often have two slashes between them."""
    assert http.get(f"{sandbox.base_url}{path}").status_code == 200


_ODD = [b"\xff\xfe", b"a=%00", b"a=%ff&a=%fe", b"=&&=;", b"a[]=1&a[b]=2", b"grant_type=" + b"x" * 5_000, b"\x00" * 50]


@pytest.mark.parametrize("path", ["oauth/token", "oauth/authz", "oauth/key", "sessioninfo", "users", "nothing"])
@pytest.mark.parametrize("odd", _ODD)
def test_odd_parameters_are_refused_and_break_nothing(http: Any, path: str, odd: bytes) -> None:  # noqa: ANN401
    """Whatever stands in the query or the body, the answer is one of a client's errors, and never 500."""
    query = "".join(chr(byte) if 32 < byte < 127 and byte != ord("#") else f"%{byte:02x}" for byte in odd)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [
        http.post(f"/api/{path}", content=odd, headers=headers),
        http.post(f"/api/{path}?{query}", headers=headers),
        http.get(f"/api/{path}?{query}"),
        http.post(f"/api/{path}", content=odd, headers={"Content-Type": "application/json"}),
        http.post(f"/api/{path}", content=odd, headers={"Content-Type": "multipart/form-data; boundary=x"}),
    ]
    assert all(answer.status_code < 500 for answer in answers), [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    "odd", ["response_type=%ff", "response_type=code&client_id=%00", "state=%ff%fe&client_id[]=", "company=9" * 900]
)
@pytest.mark.parametrize("page", ["/login", "/keylogin", "/_sandbox/", "/_sandbox/log"])
def test_odd_parameters_of_pages_break_nothing(http: Any, page: str, odd: str) -> None:  # noqa: ANN401
    """Neither do they at the pages for people."""
    assert http.get(f"{page}?{odd}").status_code < 500
    assert http.post(page, content=odd.encode()).status_code < 500
