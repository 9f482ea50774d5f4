"""The requests of the legacy login as the old documentation has them, for a user with letters beyond ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.bridge.raw_requests import Answer, form, query, send

if TYPE_CHECKING:
    from procountor_auth.bridge.login import BridgeLogin
    from tests.bridge.running import RunningBridge

PASSWORD: Final = "pÄssword & 100 % ö+=?"
USER: Final = "käyttäjä.nimi@example.fi"


def of_user(login: BridgeLogin) -> dict[str, str]:
    """Return the form of `oauth/authz`, as it is documented."""
    return {
        "response_type": "code",
        "username": USER,
        "password": PASSWORD,
        "company": login.company,
        "redirect_uri": str(login.redirect_uri),
    }


def of_client(login: BridgeLogin) -> dict[str, str]:
    """Return the query of `oauth/authz`, as it is documented."""
    return {"response_type": "code", "client_id": login.client_id, "state": "a b"}


def of_code(login: BridgeLogin, code: str) -> dict[str, str]:
    """Return the form of `oauth/token`, as it is documented."""
    return {
        "grant_type": "authorization_code",
        "redirect_uri": str(login.redirect_uri),
        "code": code,
        "client_id": login.client_id,
        "client_secret": login.client_secret.get_secret_value(),
    }


def of_refresh(login: BridgeLogin, refresh_token: str) -> dict[str, str]:
    """Return the form of a refresh."""
    return {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "client_id": login.client_id,
        "client_secret": login.client_secret.get_secret_value(),
    }


def code_for(bridge: RunningBridge, login: BridgeLogin) -> str:
    """Log in as documented; return the code."""
    return send(bridge.url, f"/api/oauth/authz?{query(of_client(login))}", form(of_user(login))).code


def reached(bridge: RunningBridge, answer: Answer, path: str = "/api/sessioninfo") -> int:
    """Return the company that the token in an answer reaches."""
    assert answer.status == 200, answer.status
    authorization = f"Authorization: Bearer {answer.json()['access_token']}"
    called = send(bridge.url, path, None, method="GET", headers=[authorization])
    assert called.status == 200
    return int(called.json()["companyId"])


def refused(answer: Answer) -> tuple[int, str]:
    """Return the status and the error of a refusal."""
    return answer.status, answer.json()["error"]
