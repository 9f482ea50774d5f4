"""Visitors of the loopback listener during a login, with the exchange of the code over a real socket."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.login.listener import LoopbackListener
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.strategies import AuthorizationCodeStrategy
from procountor_auth.transport.transport import Transport

from .acts import ACCESS, CODE, token
from .callbacks import CALLBACKS, GOOD, Callback
from .conftest import CALLS, CLIENT_SECRET, NOW, SECRETS, Run
from .server import FaultServer
from .witness import ADDRESSES, Witness, hidden_in, shown

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server that trades every code for a token."""
    running = FaultServer({"oauth/token": token()})
    yield running
    running.close()


def _send(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionResetError):
            while more := connection.recv(65_536):
                answer += more
    return answer


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("callback", CALLBACKS, ids=lambda callback: callback.id)
def test_a_visitor(callback: Callback, how: str, server: FaultServer, capfd: pytest.CaptureFixture[str]) -> None:
    """A visitor that is not the redirect changes nothing; the code is traded once; nothing is repeated or logged."""
    client = OAuthClient(
        Endpoints(server.url), "client-1", SecretStr(CLIENT_SECRET), "http://127.0.0.1/callback", clock=lambda: NOW
    )
    source = TokenSource(AuthorizationCodeStrategy(client), transport=Transport())
    capfd.readouterr()
    with Witness() as witness, LoopbackListener(client.redirect_uri) as listener:
        login = source.begin_login(listener.redirect_uri)
        state = dict(parse_qsl(urlsplit(login.url).query))["state"]
        port = urlsplit(listener.redirect_uri).port or 80
        complete = login.complete if how == "token" else lambda address: asyncio.run(login.acomplete(address))
        ended: list[Run] = []
        waiting = threading.Thread(target=lambda: ended.append(Run(lambda: listener.wait(complete, 30))))
        with ADDRESSES.listening() as addresses:
            waiting.start()
            answers = [_send(port, _filled(callback.sent, state, port))]
            if callback.stays_open:
                assert not ended
                answers.append(_send(port, _filled(GOOD, state, port)))
                assert answers[-1].startswith(b"HTTP/1.1 200 ")
            waiting.join(30)
    status = re.match(rb"HTTP/1\.1 ([0-9]{3}) ", answers[0])
    assert (int(status[1]) if status else None) == callback.status
    succeeded = callback.stays_open or callback.id == "right"
    assert len(server.requests) == (1 if succeeded else 0)
    _check_end(ended[0], source, succeeded=succeeded)
    for answer in answers:
        assert not hidden_in(answer.decode("latin-1"), [*SECRETS, state])
        assert b"<script" not in answer
    assert not hidden_in("".join(capfd.readouterr()) + witness.said, [*SECRETS, state])
    assert addresses <= {("127.0.0.1", server.port), ("127.0.0.1", port)}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def _check_end(run: Run, source: TokenSource, *, succeeded: bool) -> None:
    if succeeded:
        result: Any = run.result
        assert result.access_token == ACCESS
        assert source.token() == result
        return
    assert isinstance(run.error, ProcountorAuthError)
    assert not run.error.retryable
    assert not hidden_in(shown(run.error), SECRETS)


def _filled(data: bytes, state: str, port: int) -> bytes:
    host = f"127.0.0.1:{port}"
    for name, value in (("code", CODE), ("state", state), ("host", host)):
        data = data.replace(b"{%s}" % name.encode(), value.encode())
    return data
