"""(b) What authentication adds to a request: on a mock transport, so that the network does not hide it."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks import others
from benchmarks.report import Claim, Report, duration
from benchmarks.rounds import Timing, in_turns, in_turns_async
from procountor_auth import TokenSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.server import TokenServer
    from benchmarks.size import Size

_ROUNDS = 20
"""So many times the rounds of other things, with one request each: what is added is little beside a request."""

_HEADERS = [
    ("Content-Type", "application/json"),
    ("Date", "Fri, 27 Nov 2026 09:00:00 GMT"),
    ("Server", "somebody"),
    ("Cache-Control", "no-store"),
    ("X-Request-Id", "4711"),
    ("Content-Length", "2"),
]

_NONE, _STATIC, _OURS = "no authentication", "a static header", "procountor-auth"


def measure(size: Size, server: TokenServer) -> Report:
    """Send requests with each library's authentication."""
    source = TokenSource.from_env()
    header = f"Bearer {source.token().access_token}"
    url = f"{server.url}/api/users"
    report = Report(
        "b",
        "What authentication adds to a request",
        "`client.get(url, auth=…)` with a valid token, on a mock transport that responds at once; Authlib, "
        "requests-oauthlib and google-auth have their own clients. The added time is the median of the "
        "differences from a request without authentication in the same round. The static header is a function "
        "that sets `Authorization`; without authentication, `requests` looks for a password in the URL, so a "
        "function costs less than none. The client `procountor` makes a new session for each request and can't be "
        "measured like this; msal sends no API requests.",
        ("", "a request", "adds", "more than the static header"),
    )
    for library in ("httpx", "httpx2"):
        getting = _httpx(library, "Client", url, header, source, server)
        _add(report, f"{library}, sync", in_turns(getting, rounds=size.rounds * _ROUNDS))
        getting = _httpx(library, "AsyncClient", url, header, source, server)
        found = asyncio.run(in_turns_async(getting, rounds=size.rounds * _ROUNDS))
        _add(report, f"{library}, async", found)
    getting = _requests(url, header, source, server)
    _add(report, "requests", in_turns(getting, rounds=size.rounds * _ROUNDS))
    return report


def _add(report: Report, client: str, found: dict[str, Timing]) -> None:
    adds = {name: timing.over(found[_NONE]) for name, timing in found.items()}
    for name, timing in found.items():
        more = "" if name == _NONE else duration(adds[name])
        over = "" if name in {_NONE, _STATIC} else duration(timing.over(found[_STATIC]))
        report.rows.append((f"{client}: {name}", duration(timing.median), more, over))
    if adds[_STATIC] > 0:
        report.claims.append(Claim(f"{client}: relative to the static header", adds[_OURS] / adds[_STATIC], 1.6))
    rest = {name: each for name, each in adds.items() if name not in {_NONE, _STATIC, _OURS}}
    if rest:
        best = min(rest, key=lambda name: rest[name])
        report.claims.append(Claim(f"{client}: relative to the fastest other, {best}", adds[_OURS] / rest[best], 1.0))


def _httpx(  # noqa: PLR0917 - what is measured, and with what
    library: str, kind: str, url: str, header: str, source: TokenSource, server: TokenServer
) -> dict[str, Callable[[], Any]]:
    http = import_module(library)
    client = getattr(http, kind)
    transport = http.MockTransport(lambda _request: http.Response(200, headers=_HEADERS, content=b"{}"))

    def static(request: Any) -> Any:  # noqa: ANN401 - of either library
        request.headers["Authorization"] = header
        return request

    auths = {_NONE: None, _STATIC: static, _OURS: import_module(f"procountor_auth.{library}").ProcountorAuth(source)}
    if library == "httpx":
        auths["httpx-auth"] = others.httpx_auth(server)
        import_module("httpx_auth").OAuth2.token_cache._add_access_token(auths["httpx-auth"].state, "t" * 300, 3600)
    plain = client(transport=transport)
    found: dict[str, Callable[[], Any]] = {name: partial(plain.get, url, auth=auth) for name, auth in auths.items()}
    authlib = others.authlib_client(
        server, f"httpx_client.{kind.replace('Client', 'OAuth2Client')}", transport=transport
    )
    if isinstance(authlib, client):  # it has the one of the two that it finds first
        authlib.token = {"access_token": "t" * 300, "token_type": "bearer", "expires_at": 1 << 40}
        found["Authlib"] = partial(authlib.get, url)
    return found


def _requests(url: str, header: str, source: TokenSource, server: TokenServer) -> dict[str, Callable[[], Any]]:
    http = import_module("requests")
    ours = import_module("procountor_auth.requests").ProcountorAuth(source)

    class Adapter(http.adapters.BaseAdapter):  # type: ignore[misc,name-defined]  # by name
        def send(self, request: Any, **_options: object) -> Any:  # noqa: ANN401 - by name
            response = http.Response()
            response.status_code, response.request, response.url = 200, request, request.url
            response.headers.update(_HEADERS)
            response._content = b"{}"
            response.connection = self
            return response

        def close(self) -> None:
            pass

    def static(request: Any) -> Any:  # noqa: ANN401 - by name
        request.headers["Authorization"] = header
        return request

    plain = http.Session()
    auths: dict[str, Any] = {
        _NONE: None,
        _STATIC: static,
        _OURS: ours,
        "requests_oauth2client": others.requests_oauth2client_auth(server),
    }
    sessions = {
        "requests-oauthlib": others.requests_oauthlib_session(server),
        "google-auth": import_module("google.auth.transport.requests").AuthorizedSession(
            others.google_credentials(server)
        ),
    }
    for each in (plain, *sessions.values()):
        each.trust_env = False
        each.mount("http://", Adapter())
    found: dict[str, Callable[[], Any]] = {name: partial(plain.get, url, auth=auth) for name, auth in auths.items()}
    return found | {name: partial(session.get, url) for name, session in sessions.items()}
