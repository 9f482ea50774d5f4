"""What the standards ask of a server that gives codes and tokens out, held by the bridge."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from procountor_auth.bridge.attempts import FREE_FAILURES, MAX_DELAY, MAX_PER_MINUTE, Attempts, delay_after
from procountor_auth.bridge.credentials import ACCESS_TOKEN_SECONDS, CODE_SECONDS, REFRESH_TOKEN_SECONDS
from procountor_auth.bridge.password import hash_password
from procountor_auth.stores.file import FileStore
from tests.bridge.place import passing
from tests.bridge.raw_upstream import API_KEY, PASSWORD, TOKEN
from tests.bridge.running import code_in

if TYPE_CHECKING:
    from pathlib import Path

    from procountor_auth.transport.backend import backend as httpx
    from tests.bridge.running import OldProgram

pytestmark = pytest.mark.once

MANY = 16


class Clock:
    """A clock that stands until it is moved.

    Attributes:
        now: What it says, in seconds.
    """

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """Say it."""
        return self.now


def exchange(program: OldProgram, code: str, **changes: str) -> httpx.Response:
    """Trade a code for tokens."""
    return program.token("authorization_code", **{"code": code, "redirect_uri": program.redirect_uri} | changes)


def check_refused(answer: httpx.Response, error: str = "invalid_grant", status: int = 400) -> None:
    """Make sure that an OAuth endpoint has refused, in the standard's shape."""
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert "access_token" not in answer.json()


def test_what_the_bridge_gives_out_is_random() -> None:
    """Each code and token has at least 128 random bits of its own, and nothing of the login can be read in it."""
    with passing() as place:
        given = []
        for _ in range(5):
            given.append(code_in(place.program.authz()))
            place.program.log_in()
            given += [place.program.access_token, place.program.refresh_token]
    parts = [each.partition(".")[2] for each in given]
    assert len(set(parts)) == len(given)
    for part in parts:
        assert len(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) * 8 >= 128
    names = {each.partition(".")[0] for each in given}
    assert len(names) == 1
    assert re.fullmatch(r"[0-9a-f]{20}", names.pop())


def test_only_hashes_are_stored(tmp_path: Path) -> None:
    """In the store stand the hashes of codes and tokens, and no password, key or secret at all."""
    with passing(store=FileStore(tmp_path / "tokens")) as place:
        code = code_in(place.program.authz())
        secrets = [code, place.program.access_token, place.program.refresh_token, PASSWORD, API_KEY, TOKEN]
        (file,) = [path for path in (tmp_path / "tokens").iterdir() if path.suffix == ".json"]
        assert file.name.startswith("bridge-")
        kept = file.read_text(encoding="utf-8")
    record = base64.urlsafe_b64decode(json.loads(kept)["token"]["access_token"]).decode()
    assert set(json.loads(record)) == {"code", "access", "refresh", "callers"}
    for text in (kept, record):
        assert not [secret for secret in secrets if secret.rpartition(".")[2] in text]


def test_a_code_works_once() -> None:
    """A code that has been exchanged is refused, whoever comes with it."""
    with passing() as place:
        code = code_in(place.program.authz())
        assert exchange(place.program, code).status_code == 200
        check_refused(exchange(place.program, code))


def test_of_many_at_once_one_gets_the_tokens() -> None:
    """Of many who exchange one code at the same time, one gets tokens."""
    with passing() as place, ThreadPoolExecutor(MANY) as many:
        code = code_in(place.program.authz())
        answers = list(many.map(lambda _: exchange(place.program, code), range(MANY)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * (MANY - 1)


def test_codes_and_tokens_expire() -> None:
    """A code lives 300 seconds, an access token an hour, a refresh token six months, and not a second longer."""
    clock = Clock()
    with passing(clock=clock) as place:
        early, late = (code_in(place.program.authz()) for _ in range(2))
        clock.now += CODE_SECONDS - 1
        assert exchange(place.program, early).status_code == 200
        clock.now += 1
        check_refused(exchange(place.program, late))
        place.program.log_in()
        clock.now += ACCESS_TOKEN_SECONDS - 1
        assert place.program.call().status_code == 200
        clock.now += 1
        assert place.program.call().status_code == 401
        clock.now += REFRESH_TOKEN_SECONDS - ACCESS_TOKEN_SECONDS - 1
        assert place.program.refresh().status_code == 200
        clock.now += 1
        check_refused(place.program.refresh())
    assert (CODE_SECONDS, ACCESS_TOKEN_SECONDS) == (300, 3600)


def test_both_legs_have_the_same_redirect_uri() -> None:
    """A code is exchanged with the redirect URI that it was sent to, and that is the client's own."""
    with passing() as place:
        code = code_in(place.program.authz())
        check_refused(exchange(place.program, code, redirect_uri="https://elsewhere.example/"))
        check_refused(exchange(place.program, code))
        check_refused(exchange(place.program, code_in(place.program.authz()), redirect_uri=""), "invalid_request")
        check_refused(place.program.authz(redirect_uri="https://elsewhere.example/"), "invalid_request")


def test_a_client_authenticates_in_the_form() -> None:
    """Without the client's secret in the form there is no token: not with a wrong one, nor with one in a header."""
    with passing() as place:
        program = place.program
        client = {"client_id": program.login.client_id, "client_secret": program.login.client_secret.get_secret_value()}
        for changes in ({"client_secret": "wrong"}, {"client_secret": ""}, {"client_id": "another"}):
            check_refused(exchange(program, code_in(program.authz()), **changes), "invalid_client", 401)
        code = code_in(program.authz())
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": program.redirect_uri}
        basic = program.http.post("/api/oauth/token", data=form, auth=(client["client_id"], client["client_secret"]))
        check_refused(basic, "invalid_client", 401)
        refresh = {"grant_type": "refresh_token", "refresh_token": program.refresh_token}
        check_refused(program.http.post("/api/oauth/token", data=refresh), "invalid_client", 401)


def test_no_token_in_a_query_is_accepted() -> None:
    """A token counts in one `Authorization` header, and not in the query, a form, a cookie, or a second header."""
    with passing() as place:
        token = place.program.access_token
        http = place.program.http
        answers = [
            http.get("/api/users", params={"access_token": token}),
            http.post("/api/users", data={"access_token": token}),
            http.get("/api/users", headers={"Cookie": f"access_token={token}"}),
            http.get("/api/users", headers={"Authorization": f"Basic {token}"}),
            http.get("/api/users", headers=[("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x")]),
            http.get("/api/users", headers={"Authorization": f"Bearer {place.program.refresh_token}"}),
            http.get("/api/users", headers={"Authorization": f"Bearer {code_in(place.program.authz())}"}),
        ]
        assert [answer.status_code for answer in answers] == [401] * len(answers)
        assert all(answer.json()["errors"][0]["status"] == 401 for answer in answers)
        assert place.upstream.calls == []


def test_the_service_s_token_stays_behind_the_bridge() -> None:
    """No answer of the bridge has the service's token in it, and the service's token is of no use at the bridge."""
    with passing() as place:
        program = place.program
        answers = [program.authz(), program.refresh(), program.call(), program.call(path="/nothing")]
        answers += [program.call(headers={"Authorization": f"Bearer {TOKEN}1"}), program.http.get("/_bridge/ready")]
        assert answers[4].status_code == 401
        for answer in answers:
            assert TOKEN not in repr(answer.headers.raw) + answer.text


@pytest.mark.parametrize("kept", ["the password", "its hash"])
def test_who_is_unknown_and_who_is_wrong_hear_the_same(kept: str) -> None:
    """An unknown user, company or client and a wrong password get one answer, to the last header."""
    settings = {"bridge_password": hash_password(SecretStr(PASSWORD))} if kept == "its hash" else {}
    with passing(settings=settings, password=PASSWORD) as place:
        program = place.program
        answers = [
            program.authz(password="wrong"),
            program.authz(username="nobody"),
            program.authz(company="1"),
            program.authz(client_id="another"),
        ]
        for answer in answers:
            del answer.headers["date"]
        assert len({(answer.status_code, answer.text, repr(answer.headers.raw)) for answer in answers}) == 1
        check_refused(answers[0])


def test_each_failure_takes_longer() -> None:
    """After three failures in a row an attempt waits, each one twice as long as the one before, up to a limit."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def fail(times: int) -> None:
        attempts = Attempts(monotonic=lambda: 1000.0, sleep=sleep)
        for _ in range(times):
            async with attempts.one("127.0.0.1", MAX_PER_MINUTE, "client", "user", "company") as attempt:
                attempt.failed()

    asyncio.run(fail(12))
    assert waited == [0.5, 1, 2, 4, 8, 8, 8, 8, 8]
    assert delay_after(FREE_FAILURES - 1) == 0
    assert delay_after(10**6) == MAX_DELAY


def test_logins_are_limited() -> None:
    """More logins in a minute than the limit are refused with 429, and when to try again; other logins go on."""
    with passing() as place:
        for _ in range(MAX_PER_MINUTE - 1):  # one was the program's own
            assert place.program.authz().status_code == 302
        answer = place.program.authz()
        check_refused(answer, "temporarily_unavailable", 429)
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert place.program.refresh().status_code == 200
        check_refused(place.program.authz(company="1"))


def test_no_cache_keeps_an_answer_with_a_token() -> None:
    """Answers of the OAuth endpoints say `no-store`, those that refuse as well."""
    with passing() as place:
        program = place.program
        code = program.authz()
        for answer in (code, exchange(program, code_in(code)), program.refresh(), program.authz(password="wrong")):
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["pragma"] == "no-cache"


def test_one_login_has_no_power_over_another() -> None:
    """A code or refresh token of one client is refused to another, and a token leads to its own company only."""
    with passing() as place:
        other = place.program.login.key[::-1]
        for kind in ("access_token", "refresh_token"):
            secret = getattr(place.program, kind)
            setattr(place.program, kind, f"{other}.{secret.partition('.')[2]}")
        assert place.program.call().status_code == 401
        check_refused(place.program.refresh())
