"""The command `procountor-auth api`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Command, Run

pytestmark = pytest.mark.server

COUNT: Final = 7


@pytest.fixture(autouse=True)
def described(sandbox: Sandbox, environment: Callable[[dict[str, str]], None]) -> dict[str, str]:
    """Serve a list in pages, and something that says what it was sent."""
    variables = sandbox.environment("client_credentials")
    environment(variables)

    @sandbox.route("things")
    def things(request: Any) -> Any:  # noqa: ANN401 - what a route is given and gives
        size = int(request.query.get("size", "3"))
        page = int(request.query.get("page", "0"))
        results = [{"id": number} for number in range(COUNT)][page * size : (page + 1) * size]
        return {"results": results, "meta": {"pageNumber": page, "pageSize": size, "resultCount": len(results)}}

    @sandbox.route("echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def echo(request: Any) -> Any:  # noqa: ANN401 - the same
        return {"method": request.method, "query": dict(request.query), "body": request.body.decode()}

    return variables


def test_an_answer_is_printed(run: Run, sandbox: Sandbox) -> None:
    """What the API answers is all that is printed."""
    status, out, err = run("api", "GET", "sessioninfo")
    assert (status, err) == (0, "")
    assert json.loads(out)["companyId"] == int(sandbox.company)


def test_fields_are_a_query_or_a_body(run: Run) -> None:
    """Of a GET they are parameters, of a POST members of a JSON object."""
    fields = ("-f", "name=Ää & co", "--field", "empty=")
    sent = {"name": "Ää & co", "empty": ""}
    assert json.loads(run("api", "get", "/echo", *fields)[1])["query"] == sent
    posted = json.loads(run("api", "POST", "echo", *fields)[1])
    assert (posted["query"], json.loads(posted["body"])) == ({}, sent)


@pytest.mark.process
@pytest.mark.parametrize("source", ["a file", "standard input"])
def test_a_body_comes_from_elsewhere(
    start: Callable[..., Command], tmp_path: Path, described: dict[str, str], source: str
) -> None:
    """With a body of its own, fields are parameters of the query."""
    body = json.dumps({"amount": 1.5})
    (tmp_path / "body.json").write_text(body)
    where = str(tmp_path / "body.json") if source == "a file" else "-"
    command = start("api", "PUT", "echo", "--input", where, "-f", "a=b", environment=described)
    command.says(body, end="")
    status, out, _ = command.ends()
    assert status == 0
    answer = json.loads(out)
    assert (answer["body"], answer["query"]) == (body, {"a": "b"})


@pytest.mark.parametrize("size", ["3", "7", "50"])
def test_all_pages_are_one_list(run: Run, size: str) -> None:
    """Page after page is asked for while one is full."""
    status, out, _ = run("api", "GET", "things", "--all-pages", "-f", f"size={size}")
    assert status == 0
    assert json.loads(out) == [{"id": number} for number in range(COUNT)]


def test_what_is_no_list_has_no_pages(run: Run) -> None:
    """An answer that is one thing is told as such."""
    status, out, err = run("api", "GET", "sessioninfo", "--all-pages")
    assert (status, out) == (1, "")
    assert "leave out --all-pages" in err


def test_a_refusal_is_printed_and_the_status_says_so(run: Run) -> None:
    """What the API says of what is wrong is printed as well."""
    status, out, err = run("api", "GET", "nothing-here")
    assert status == 1
    assert out.strip()
    assert "GET nothing-here: status 404" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["FETCH", "users"], "must be one of GET"),
        (["GET", "https://example.com/api/users"], "must be a path below the API"),
        (["GET", "//example.com/users"], "must be a path below the API"),
        (["GET", "/"], "must be a path below the API"),
        (["GET", "users", "-f", "novalue"], "must be KEY=VALUE"),
        (["GET", "users", "-f", "a=\udcff"], "must be UTF-8"),
        (["POST", "users", "-f", "\udcff=a"], "must be UTF-8"),
        (["GET", "things", "-f", "page=abc", "--all-pages"], "page must be a number"),
        (["POST", "users", "--all-pages"], "requires GET"),
        (["POST", "users", "--input", "nothing-here"], "can't be read: No such file"),
    ],
)
def test_a_wrong_request_is_not_sent(run: Run, sandbox: Sandbox, arguments: list[str], said: str) -> None:
    """What can't be meant is an error of the command, and the token goes nowhere else."""
    sandbox.clear_log()
    status, _, err = run("api", *arguments)
    assert status == 2
    assert said in " ".join(err.split())
    assert sandbox.log() == []


@pytest.mark.process
def test_a_closed_standard_input_has_no_body(
    start: Callable[..., Command], sandbox: Sandbox, described: dict[str, str]
) -> None:
    """Where a shell has closed standard input, `--input -` is an error of the command."""
    sandbox.clear_log()
    program = "import sys; sys.stdin = None; from procountor_auth.cli import main; main()"
    command = start("api", "POST", "echo", "--input", "-", environment=described, program=program)
    status, out, err = command.ends()
    assert (status, out) == (2, "")
    assert "standard input is closed" in err
    assert sandbox.log() == []


def test_a_network_fault_is_our_error(run: Run, sandbox: Sandbox) -> None:
    """Where the answer never comes, there is one line, and no traceback."""
    assert run("api", "GET", "users")[0] == 0
    sandbox.stop()
    status, out, err = run("api", "GET", "users")
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    assert err.startswith("procountor-auth: ")
