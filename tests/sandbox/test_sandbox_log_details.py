"""What the request log says about a request: whose it was, why it was refused, and what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth.sandbox import Faults, Quirks
from procountor_auth.sandbox.state.request_log import RequestLog
from procountor_auth.transport.backend import backend as httpx

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import Caller, Clock

pytestmark = pytest.mark.once


def last(caller: Caller) -> dict[str, Any]:
    """Return the newest entry."""
    return caller.sandbox.log()[-1]


def details(caller: Caller) -> dict[str, Any]:
    """Return the newest entry with its request and its answer."""
    found: dict[str, Any] = caller.http.get(f"/_sandbox/log/{last(caller)['number']}").json()
    return found


def owner(caller: Caller) -> tuple[str | None, int | None, int | None]:
    """Return whose the newest request was."""
    entry = last(caller)
    return entry["client_id"], entry["company_id"], entry["user_id"]


def expired_refresh(caller: Caller, clock: Clock) -> None:
    """Refresh when it is too late."""
    tokens = caller.exchange(caller.legacy_code()).json()
    clock.advance(20_000_000)
    caller.refresh(tokens["refresh_token"])


def rotated_refresh(caller: Caller, _: Clock) -> None:
    """Refresh with a token that was replaced."""
    caller.sandbox.quirks = Quirks(refresh_token="rotate")
    tokens = caller.exchange(caller.legacy_code()).json()
    caller.refresh(tokens["refresh_token"])
    caller.refresh(tokens["refresh_token"])


def foreign_refresh(caller: Caller, _: Clock) -> None:
    """Refresh with something that no sandbox has issued."""
    caller.refresh("nobody's")


def anothers_refresh(caller: Caller, _: Clock) -> None:
    """Refresh with another client's token."""
    tokens = caller.exchange(caller.legacy_code()).json()
    other = caller.sandbox.world.add_client("elsewhere")
    caller.token(
        "refresh_token",
        refresh_token=tokens["refresh_token"],
        client_id=other.client_id,
        client_secret=other.client_secret,
    )


def revoked_key(caller: Caller, _: Clock) -> None:
    """Use a revoked API key."""
    caller.sandbox.world.revoke_api_key(caller.sandbox.api_key)
    caller.machine()


def wrong_secret(caller: Caller, _: Clock) -> None:
    """Get the client's secret wrong."""
    caller.machine(client_secret="wrong")


def wrong_password(caller: Caller, _: Clock) -> None:
    """Get the password wrong in the legacy login."""
    caller.authz(password="wrong")


def expired_access(caller: Caller, clock: Clock) -> None:
    """Use an access token when it has expired."""
    token = caller.machine().json()["access_token"]
    clock.advance(3600)
    caller.session(token)


def logged_out(caller: Caller, _: Clock) -> None:
    """Use an access token after the logout."""
    token = caller.machine().json()["access_token"]
    caller.http.post("/logout", headers={"Authorization": f"Bearer {token}"})
    caller.session(token)


def shut_out(caller: Caller, _: Clock) -> None:
    """Use an access token of a user who has lost access."""
    token = caller.machine().json()["access_token"]
    caller.sandbox.world.revoke_user_access(caller.sandbox.user_id, int(caller.sandbox.company))
    caller.session(token)


def limited(caller: Caller, _: Clock) -> None:
    """Ask for a resource without the right to it."""
    token = caller.machine().json()["access_token"]
    caller.sandbox.world.limit_user(caller.sandbox.user_id, int(caller.sandbox.company), {"users"})
    caller.session(token)


def removed(caller: Caller, _: Clock) -> None:
    """Use the legacy login after its end, when a page answers with status 200."""
    caller.sandbox.quirks = Quirks(legacy_removed="login_page")
    caller.authz()


def denied(caller: Caller, _: Clock) -> None:
    """Press "Deny" on the login page."""
    caller.login(action="deny")


def wrong_page_password(caller: Caller, _: Clock) -> None:
    """Get the password wrong on the login page."""
    caller.http.post("/login", data={**caller.login_query(), "username": caller.sandbox.username, "password": "no"})


REFUSALS: dict[Callable[[Caller, Clock], None], str] = {
    expired_refresh: "invalid_grant: The refresh token has expired.",
    rotated_refresh: "invalid_grant: The refresh token was replaced or revoked.",
    foreign_refresh: "invalid_grant: This sandbox did not issue the refresh token.",
    anothers_refresh: "invalid_grant: The refresh token belongs to another client.",
    revoked_key: "invalid_grant: Invalid 'api_key' in request. The API key is revoked.",
    wrong_secret: "invalid_client: Client authentication failed.",
    wrong_password: "invalid_grant: Invalid 'username' or 'password' in request.",
    expired_access: "The access token has expired.",
    logged_out: "The session was logged out.",
    shut_out: "The user has lost access to the company.",
    limited: "The user has no right to this in the company.",
    removed: "The legacy login is removed (legacy_removed).",
    denied: "access_denied",
    wrong_page_password: "The user name or the password is wrong.",
}


@pytest.mark.parametrize("shape", ["oauth", "errors"])
@pytest.mark.parametrize("refuse", REFUSALS)
def test_why_a_request_was_refused(
    caller: Caller, clock: Clock, refuse: Callable[[Caller, Clock], None], shape: str
) -> None:
    """Whatever shape errors have, the log says what the client was told, and what more the sandbox knows."""
    caller.sandbox.quirks = Quirks(error_shape=shape)  # type: ignore[arg-type]
    refuse(caller, clock)
    assert last(caller)["error"] == REFUSALS[refuse]


@pytest.mark.parametrize("refuse", [expired_refresh, revoked_key, wrong_secret, expired_access, logged_out, shut_out])
def test_whose_a_refused_request_was(caller: Caller, clock: Clock, refuse: Callable[[Caller, Clock], None]) -> None:
    """A credential that is refused still says whose it was."""
    refuse(caller, clock)
    sandbox = caller.sandbox
    assert owner(caller) == (sandbox.client_id, int(sandbox.company), sandbox.user_id)


def test_whose_a_request_was(caller: Caller) -> None:
    """Codes, tokens, keys and logins tell client, company and user; a fault in place of the answer changes nothing."""
    sandbox = caller.sandbox
    whole = (sandbox.client_id, int(sandbox.company), sandbox.user_id)
    code = caller.legacy_code()
    assert owner(caller) == whole
    tokens = caller.exchange(code).json()
    assert owner(caller) == whole
    caller.exchange(code)
    assert owner(caller) == (sandbox.client_id, None, None)
    caller.http.get("/login", params=caller.login_query())
    assert owner(caller) == (sandbox.client_id, None, None)
    caller.login(company="14160")
    assert owner(caller) == (sandbox.client_id, 14160, sandbox.user_id)
    sandbox.faults = Faults(status=503, where="all")
    caller.refresh(tokens["refresh_token"])
    assert owner(caller) == whole
    caller.session(tokens["access_token"])
    assert owner(caller) == whole


def test_strangers_have_no_name(caller: Caller) -> None:
    """Clients, companies and users that do not exist are not written down."""
    caller.authz(client_id="stranger", company="7", username="nobody")
    assert owner(caller) == (None, None, None)
    assert "stranger" not in details(caller)["request"]


@pytest.mark.parametrize("when", ["before", "middle"])
def test_a_reset_is_told(caller: Caller, when: str) -> None:
    """A reset says when it was; before the answer there is no status, in the middle the one that was begun."""
    caller.sandbox.faults = Faults(reset=when, times=1)  # type: ignore[arg-type]
    with pytest.raises(httpx.TransportError):
        caller.machine()
    entry = last(caller)
    assert (entry["reset"], entry["status"]) == (when, 0 if when == "before" else 200)
    assert "reset" in details(caller)["answer"]


def test_the_icon_is_not_listed(caller: Caller) -> None:
    """What browsers ask for by themselves is neither in the log nor hit by faults."""
    caller.sandbox.faults = Faults(status=503, times=1, where="all")
    assert caller.http.get("/favicon.ico").status_code == 404
    assert caller.sandbox.log() == []
    assert caller.sandbox.faults.times == 1


def test_a_request_in_detail(caller: Caller) -> None:
    """Request and answer are told in the form of HTTP: what the sandbox knows is shown, and the rest masked."""
    caller.machine(surprise="secret")
    assert details(caller)["request"].splitlines() == [
        "POST /api/oauth/token",
        "Accept: */*",
        "Content-Type: application/x-www-form-urlencoded",
        "",
        "grant_type=client_credentials",
        "redirect_uri=redirect-uri-placeholder",
        f"client_id={caller.sandbox.client_id}",
        "client_secret=…",
        "api_key=…",
        "…=…",
    ]
    assert details(caller)["answer"].splitlines() == [
        "200 OK",
        "Content-Type: application/json",
        "",
        "{",
        '  "access_token": "…",',
        '  "expires_in": 3600',
        "}",
    ]


def test_a_redirect_in_detail(caller: Caller) -> None:
    """Of a redirect the registered address and the parameters' names are shown, and of parameters in the URL too."""
    caller.authz()
    assert f"  ?client_id={caller.sandbox.client_id}\n  ?state=…\n" in details(caller)["request"]
    assert "password=…" in details(caller)["request"]
    assert "Location: redirect-uri-placeholder?code=…&expires_in=300&state=…" in details(caller)["answer"]


@pytest.mark.parametrize("shape", ["oauth", "errors"])
def test_an_error_in_detail(caller: Caller, shape: str) -> None:
    """The sandbox's own words about a refusal are shown; those that repeat the request are not."""
    caller.sandbox.quirks = Quirks(error_shape=shape)  # type: ignore[arg-type]
    caller.machine(api_key="hunter2")
    assert "Invalid 'api_key' in request." in details(caller)["answer"]
    caller.token("hunter2")
    assert last(caller)["error"] == "unsupported_grant_type"
    assert "hunter2" not in str(details(caller))


def test_a_route_of_the_tests_own(caller: Caller) -> None:
    """What a test's own route answers or raises is not written down: it may be the request's secret."""
    token = caller.machine().json()["access_token"]

    @caller.sandbox.route("echo")
    def echo(request: Any) -> Any:  # noqa: ANN401 - whatever a route may return
        if request.query.get("fail"):
            raise ValueError(request.query["fail"])
        return {"name": request.query["name"]}

    headers = {"Authorization": f"Bearer {token}"}
    assert caller.http.get("/api/echo?name=hunter2", headers=headers).json() == {"name": "hunter2"}
    assert "hunter2" not in str(details(caller))
    assert caller.http.get("/api/echo?fail=hunter2", headers=headers).status_code == 500
    assert last(caller)["error"] == "The route of the test raised ValueError."
    assert "hunter2" not in str(details(caller))


def test_details_are_few_and_short(caller: Caller) -> None:
    """The last 200 requests are kept in detail, and none takes more than a few kilobytes."""
    names = {f"name{number}": "x" * 1000 for number in range(1000)}
    caller.http.post("/api/oauth/token", data=names, params={"a": "b" * 5000})
    found = details(caller)
    assert len(found["request"]) + len(found["answer"]) < 10_000
    assert "more]" in found["request"]
    for _ in range(200):
        caller.http.get("/api/users")
    assert caller.http.get("/_sandbox/log/1").status_code == 404
    assert caller.http.get("/_sandbox/log/2").status_code == 200
    assert caller.http.get("/_sandbox/log/202").status_code == 404
    caller.sandbox.clear_log()
    assert caller.http.get("/_sandbox/log/201").status_code == 404


def test_news_only(caller: Caller) -> None:
    """Who says which request was the last one gets those after it."""
    caller.machine()
    caller.machine()
    assert [entry["number"] for entry in caller.sandbox.log(after=1)] == [2]


def test_the_newest_that_are_wanted() -> None:
    """The newest ones come first, and no more than were asked for."""
    log = RequestLog()
    for status in (200, 401, 200, 404, 503):
        log.add(method="GET", path="/api/users", status=status, grant_type=None, at=0.0, query_names=[])
    assert [entry.status for entry in log.newest(2, lambda entry: entry.is_refused)] == [503, 404]
    assert [entry.number for entry in log.newest(9, lambda _: True, after=3)] == [5, 4]
