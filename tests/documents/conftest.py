"""Sessions for documents that are about the service, and for those that start a sandbox themselves."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Sandbox

from .session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forkserver.forkserver import ForkServer

REDIRECT_URI = "http://127.0.0.1/callback"


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _bridge(port: int) -> dict[str, str]:
    """Return what stands for the address of the bridge that a document starts."""
    return {"http://127.0.0.1:8080": f"http://127.0.0.1:{port}", "--port 8080": f"--port {port}"}


@pytest.fixture
def session(tmp_path: Path, fork_server: ForkServer) -> Iterator[Session]:
    """A session at a sandbox that stands in the service's place."""
    with Sandbox(redirect_uri=REDIRECT_URI) as sandbox:
        known = {
            "https://api.procountor.com": sandbox.base_url,
            "http://127.0.0.1:8000": sandbox.base_url,
            **_bridge(_free_ports()[0]),
            "<client ID>": sandbox.client_id,
            "<client secret>": sandbox.client_secret,
            "<redirect URI>": sandbox.redirect_uri,
            "<user name>": sandbox.username,
            "<password>": sandbox.password,
            "<API key>": sandbox.api_key,
        }
        with Session(tmp_path, fork_server, sandbox, known) as session:
            yield session


@pytest.fixture
def session_alone(tmp_path: Path, fork_server: ForkServer) -> Iterator[Session]:
    """A session whose document starts its own sandbox."""
    port, bridge_port = _free_ports()
    known = {
        "http://127.0.0.1:8000": f"http://127.0.0.1:{port}",
        "--port 8000": f"--port {port}",
        **_bridge(bridge_port),
        "http://127.0.0.1:8400/callback": REDIRECT_URI,
        "<user name>": "sandbox.user",
    }
    with Session(tmp_path, fork_server, known=known) as session:
        yield session
