"""No secret of a bridge is in a log, at whatever level, nor in what its command prints."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from procountor_auth.transport.backend import backend as httpx
from tests.bridge.command import BridgeCommand
from tests.bridge.place import passing
from tests.bridge.raw_upstream import API_KEY, CLIENT_SECRET, PASSWORD, TOKEN, Call, RawUpstream
from tests.bridge.running import OldProgram, code_in
from tests.leaks.canaries import Canaries
from tests.leaks.watch import Watch

if TYPE_CHECKING:
    from tests.bridge.running import OldProgram as Program

pytestmark = pytest.mark.once

LOGGERS = (
    "",
    "procountor_auth",
    "uvicorn",
    "uvicorn.error",
    "uvicorn.asgi",
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
)


def use(program: Program) -> list[str]:
    """Do all that a program can do, right and wrong; return the secrets in it."""
    code = code_in(program.authz())
    secrets = [code]
    program.token("authorization_code", code=code, redirect_uri="another")
    program.token("authorization_code", code=code, redirect_uri=program.redirect_uri)
    program.log_in()
    secrets += [program.access_token, program.refresh_token]
    program.refresh()
    secrets.append(program.access_token)
    program.call()
    program.call("POST", "/api/x", content=b"x" * 100_000)
    program.call(path=f"/api/x?access_token={program.access_token}")
    program.authz(password="CanaryWrongPassword-31fe")
    program.http.post(f"/api/oauth/authz?password={quote(PASSWORD)}&client_secret={CLIENT_SECRET}&username=x")
    program.http.post(f"/api/oauth/token?refresh_token={program.refresh_token}&client_secret={CLIENT_SECRET}")
    program.http.post("/api/oauth/token", content=b"\xff%%%" * 10, headers={"Content-Type": "multipart/form-data"})
    program.call(headers={"Origin": "https://evil.example"})
    program.http.post("/logout", headers={"Authorization": f"Bearer {program.access_token}"})
    program.call()
    return [*secrets, PASSWORD, CLIENT_SECRET, API_KEY, TOKEN, "CanaryWrongPassword-31fe"]


def check_nothing_in(text: str, secrets: list[str]) -> None:
    """Make sure that no secret is in a text: of those with a dot, the part behind it."""
    parts = [secret.rpartition(".")[2] for secret in secrets]
    shown = [part[:9] for part in parts for form in (part, quote(part), quote_plus(part)) if form in text]
    assert not shown


def fail(call: Call) -> None:
    """Answer, or hang up in the middle."""
    if call.method == "POST":
        call.body()
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        call.close()
    else:
        call.answer()


def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at DEBUG, no password, code or token is in any record, its arguments, or a traceback."""
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, name)
    with passing() as place:
        secrets = use(place.program)
        place.upstream.act = fail
        place.program.log_in()
        with pytest.raises(httpx.TransportError):
            place.program.call("POST", content=b"x" * 100_000)
        secrets += [place.program.access_token, place.program.refresh_token]
    # The program runs in the main thread: what httpx says there is the program's.
    records = [record for record in caplog.records if record.threadName != "MainThread"]
    said = "".join(caplog.handler.format(record) + repr((record.args, record.__dict__)) for record in records)
    assert "oauth/token" in said
    check_nothing_in(said, secrets)


@pytest.mark.parametrize("kind", ["text", "json"])
def test_nothing_secret_is_printed(kind: str) -> None:
    """The command's log of requests has what happened, and no secret."""
    with RawUpstream() as upstream:
        login = upstream.login()
        with BridgeCommand(login, "--log", kind) as bridge, OldProgram(bridge.url, login) as program:
            secrets = use(program)
    assert "a secret stood in the URL" in bridge.said or '"secret_in_url": true' in bridge.said
    check_nothing_in(bridge.said, secrets)


def test_the_scanner_knows_the_bridge_s_secrets() -> None:
    """The leak scanner, which looks at every test, learns each code and token as the bridge gives it out."""
    canaries = Canaries()
    watch = Watch(canaries)
    watch._listening = True
    watch._listen_to_secrets()
    try:
        with passing(settings={"bridge_password": "CanaryOtherPassword-77e1"}) as place:
            code = code_in(place.program.authz())
            place.program.refresh()
            tokens = {place.program.access_token, place.program.refresh_token}
    finally:
        watch.stop()
    for kind, text in (("code", code), ("password", "CanaryOtherPassword-77e1")):
        assert {each.kind for each in canaries.search(f"so {text} it is", own_words=False)} == {kind}
    assert {each.kind for text in tokens for each in canaries.search(text, own_words=False)} == {
        "access_token",
        "refresh_token",
    }
    assert not canaries.search(f"bridge-{code.partition('.')[0]}", own_words=False)
