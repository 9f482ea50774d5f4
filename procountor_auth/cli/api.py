"""`procountor-auth api`: one request to the API, from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from procountor_auth.protocol.json_object import is_json_array

from .exit_status import CommandError
from .options import AccountOption, ProfileOption, check_choice, is_utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")

_WITHOUT_BODY: Final = frozenset({"GET", "DELETE", "HEAD"})

_OK: Final = range(200, 300)


def api(
    method: Annotated[str, typer.Argument(metavar="METHOD", help=f"{', '.join(METHODS)}.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="The path below the API base, such as invoices.")],
    *,
    field: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            "-f",
            metavar="KEY=VALUE",
            help="A query parameter; for POST, PUT and PATCH, a member of the JSON body. Can be repeated.",
        ),
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option(
            "--input", metavar="FILE", help="A file with the request body; - is standard input.", allow_dash=True
        ),
    ] = None,
    all_pages: Annotated[
        bool, typer.Option("--all-pages", help="Request every page, and print all results as one JSON list.")
    ] = False,
    profile: ProfileOption = None,
    account: AccountOption = "",
) -> None:
    """Send a request to the API with a token, and print the response.

    The exit status is 0 for a 2xx response, and 1 for any other.
    """
    method = method.upper()
    _check(method, path, all_pages=all_pages, body=body)
    fields = _fields(field or [])
    first = _first_page(fields) if all_pages else 0
    content = None if body is None else _content(body)
    from procountor_auth.tokens.source import TokenSource  # noqa: PLC0415 - slow to import: only this command waits

    source = TokenSource.from_env(profile=profile, account=account)
    in_query = method in _WITHOUT_BODY or content is not None
    with _client(source) as client:

        def ask(**more: str) -> Any:  # noqa: ANN401 - of one of two libraries
            query = (fields if in_query else {}) | more
            payload = None if in_query or not fields else fields
            headers = {"Content-Type": "application/json"} if content is not None else {}
            return _answered(
                client,
                lambda: client.request(
                    method, path.lstrip("/"), params=query, json=payload, content=content, headers=headers
                ),
            )

        if all_pages:
            results = [result for page in _pages(ask, first) for result in page]
            typer.echo(json.dumps(results, ensure_ascii=False))
            return
        answer = ask()
    typer.echo(answer.text, nl=bool(answer.text) and not answer.text.endswith("\n"))
    if answer.status_code not in _OK:
        _fail(method, path, answer.status_code)


def _check(method: str, path: str, *, all_pages: bool, body: Path | None) -> None:
    check_choice(method, METHODS, "METHOD")
    if "://" in path or path.startswith("//") or not path.strip("/") or not path.isprintable():
        raise typer.BadParameter("must be a path below the API, such as invoices", param_hint="PATH")
    if all_pages and (method != "GET" or body is not None):
        raise typer.BadParameter("requires GET", param_hint="--all-pages")


def _fields(given: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise typer.BadParameter("must be KEY=VALUE", param_hint="--field")
        if not is_utf8(each):
            raise typer.BadParameter("must be UTF-8", param_hint="--field")
        fields[key] = value
    return fields


def _first_page(fields: dict[str, str]) -> int:
    try:
        return int(fields.get("page", "0"))
    except ValueError:
        raise typer.BadParameter("page must be a number with --all-pages", param_hint="--field") from None


def _content(path: Path) -> bytes:
    is_input = str(path) == "-"
    if is_input and sys.stdin is None:
        raise typer.BadParameter("standard input is closed", param_hint="--input")
    problem = ""
    try:
        return sys.stdin.buffer.read() if is_input else path.read_bytes()
    except OSError as error:
        problem = f"{'standard input' if is_input else path} can't be read: {error.strerror}"
    raise typer.BadParameter(problem, param_hint="--input")


def _client(source: Any) -> Any:  # noqa: ANN401 - of one of two libraries
    import importlib  # noqa: PLC0415 - as above

    from procountor_auth.transport.backend import library  # noqa: PLC0415 - as above

    http = library()
    auth = importlib.import_module(f"procountor_auth.{http.__name__}").ProcountorAuth(source)
    transport = source.bind().provider.backends.transport
    return http.Client(auth=auth, base_url=auth.api_url, transport=transport.open(), timeout=transport.timeout)


def _answered(client: Any, send: Callable[[], Any]) -> Any:  # noqa: ANN401 - of one of two libraries
    """Return the response; raise an error of this package in place of the HTTP library's."""
    from procountor_auth.errors import ConnectionFailed, ProcountorAuthError  # noqa: PLC0415 - as above

    failed = ""
    try:
        return send()
    except ProcountorAuthError:
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"httpx", "httpx2"}:
            raise
        failed = type(error).__name__
    raise ConnectionFailed(
        f"{client.base_url.host} can't be reached ({failed}).",
        hint="Check PROCOUNTOR_BASE_URL and the network.",
    )


def _pages(ask: Callable[..., Any], first: int) -> Iterator[list[Any]]:
    """Yield the results of each page, until a page is not full.

    A list says its page, its size and how many results it has in `meta`, as public clients read it.
    """
    number = first
    while True:
        answer = ask(page=str(number))
        if answer.status_code not in _OK:
            typer.echo(answer.text, err=True)
            _fail("GET", f"page {number}", answer.status_code)
        results, is_full = _read_page(answer.text)
        yield results
        if not is_full:
            return
        number += 1


def _read_page(text: str) -> tuple[list[Any], bool]:
    try:
        document = json.loads(text)
        if is_json_array(document):
            return document, False
        meta: dict[str, Any] = document.get("meta") or {}
        lists = [value for value in document.values() if is_json_array(value)]
        (results,) = lists
        size, count = int(meta.get("pageSize") or 0), int(meta.get("resultCount") or len(results))
    except (ValueError, TypeError, AttributeError):
        raise CommandError("the response is not a list of results: leave out --all-pages") from None
    return results, 0 < size <= count and bool(results)


def _fail(method: str, path: str, status: int) -> None:
    raise CommandError(f"{method} {path}: status {status}")
