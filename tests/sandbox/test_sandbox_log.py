"""The request log, and that no secret gets out beside the answers."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.sandbox.conftest import START, answer

if TYPE_CHECKING:
    import pytest

    from tests.sandbox.conftest import Caller


def test_entries(caller: Caller) -> None:
    """Each request is one entry with exactly the agreed fields."""
    caller.machine()
    caller.http.get("/api/sessioninfo")
    assert caller.sandbox.log() == [
        {
            "method": "POST",
            "path": "/api/oauth/token",
            "status": 200,
            "grant_type": "client_credentials",
            "at": START,
            "secret_in_url": False,
            "number": 1,
            "fault": None,
            "reset": None,
            "error": None,
            "client_id": caller.sandbox.client_id,
            "company_id": int(caller.sandbox.company),
            "user_id": caller.sandbox.user_id,
        },
        {
            "method": "GET",
            "path": "/api/sessioninfo",
            "status": 401,
            "grant_type": None,
            "at": START,
            "secret_in_url": False,
            "number": 2,
            "fault": None,
            "reset": None,
            "error": "There is no access token in the header Authorization.",
            "client_id": None,
            "company_id": None,
            "user_id": None,
        },
    ]


def test_over_http(caller: Caller) -> None:
    """The log can be read and cleared over HTTP, and looking at it leaves no trace."""
    caller.machine()
    assert caller.http.get("/_sandbox/log").json() == caller.sandbox.log()
    assert len(caller.sandbox.log()) == 1
    assert caller.http.post("/_sandbox/log/clear").status_code == 204
    assert caller.http.get("/_sandbox/log").json() == []
    caller.machine()
    caller.sandbox.clear_log()
    assert caller.sandbox.log() == []


def test_secrets_never_leave(
    caller: Caller, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever goes wrong, no secret is in the log, in debug records or on the terminal."""
    caplog.set_level(logging.DEBUG)
    sandbox = caller.sandbox
    code = caller.legacy_code()
    tokens = caller.exchange(code).json()
    key_code = answer(caller.login("/keylogin"))["code"]
    form = {"grant_type": "authorization_code", "redirect_uri": sandbox.redirect_uri, "code": key_code}
    api_key = caller.http.post("/api/oauth/key", data={**form, **caller.client}).json()["api_key"]
    renewed = caller.refresh(tokens["refresh_token"]).json()
    secrets = [
        sandbox.password,
        sandbox.client_secret,
        sandbox.api_key,
        code,
        key_code,
        api_key,
        tokens["access_token"],
        tokens["refresh_token"],
        renewed["access_token"],
        caller.machine().json()["access_token"],
    ]
    # httpx and httpcore log addresses and headers of their own: those of the clean requests above
    # are looked at, those of the abuse below are not the sandbox's words.
    details: list[str] = []
    for secret in secrets:
        before = len(sandbox.log())
        caller.token(secret)
        caller.http.post(f"/api/oauth/token/{quote(secret)}")
        caller.http.post(f"/api/oauth/token&client_secret={quote(secret)}")
        caller.http.post("/api/oauth/authz", params={"password": secret, "state": secret})
        abuse(caller, secret)
        numbers = [entry["number"] for entry in sandbox.log(after=before)]
        shown = [caller.http.get(f"/_sandbox/log/{number}").json() for number in numbers]
        assert all(each["request"] and each["answer"] for each in shown)
        details += [each["request"] + each["answer"] for each in shown]
        details.append(caller.http.get("/_sandbox/dashboard/log").text)
    log = sandbox.log()
    assert any(entry["secret_in_url"] for entry in log)
    records = [record for record in caplog.records if not record.name.startswith("http")]
    captured = capfd.readouterr()
    said = [
        json.dumps(log),
        *details,
        captured.out,
        captured.err,
        repr(sandbox),
        repr(sandbox.world.directory.client(sandbox.client_id)),
    ]
    said += [record.getMessage() for record in records]
    for secret in secrets:
        assert not [text for text in said if secret in text]


def abuse(caller: Caller, secret: str) -> None:
    """Send a secret in every place of a request where a mistaken client may put one."""
    names = ("client_id", "username", "company", "redirect_uri", "state", "code", "refresh_token", "response_type")
    for name in names:
        caller.authz(**{name: secret})
        caller.token("authorization_code", **{name: secret})
        caller.http.get("/login", params=caller.login_query(**{name: secret}))
    caller.token("refresh_token", refresh_token=secret, **{secret: secret})
    caller.http.post("/api/oauth/token", content=secret, headers={"Content-Type": secret.replace(".", "/", 1)})
    caller.http.post("/api/oauth/token", json={secret: secret})
    caller.http.get(f"/{quote(secret)}", headers={"Authorization": secret, "User-Agent": secret, "Accept": secret})
    caller.http.get("/api/users", headers={"Authorization": f"{secret} {secret}", "Cookie": f"a={secret}"})
    caller.http.post(f"/login?{quote(secret)}={quote(secret)}", data={"username": secret, "action": secret})


def test_unknown_grant_types_are_not_written_down(caller: Caller) -> None:
    """A grant type that is not one might be anything, so the log only says that it was."""
    caller.token("hunter2")
    assert caller.sandbox.log()[0]["grant_type"] == "unsupported"


def test_bodies_raise_no_alarm(caller: Caller) -> None:
    """Secrets in the body and a login address without any are as they should be."""
    caller.http.get("/login", params=caller.login_query())
    caller.authz()
    assert [entry["secret_in_url"] for entry in caller.sandbox.log()] == [False, False]
