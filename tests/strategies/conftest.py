"""A client of a host that does not exist: tests drive the flows, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl

import pytest
from pydantic import SecretStr

from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.flow import Flow, Request, Response

    Finish: TypeAlias = Callable[[Flow[Any], Response], Any]


@pytest.fixture
def now() -> float:
    """When everything is asked for, in Unix seconds: shortly after the vendor's own sample was issued."""
    return 1_607_962_481.0


@pytest.fixture
def client(now: float) -> OAuthClient:
    """The API client."""
    return OAuthClient(
        Endpoints("https://api.example"), "client-1", SecretStr("cl13nt"), "redirect-uri-placeholder", clock=lambda: now
    )


@pytest.fixture
def finish() -> Finish:
    """Send a flow its last answer and return what the flow returns."""

    def send(flow: Flow[Any], response: Response) -> Any:  # noqa: ANN401 - whatever the flow is for
        with pytest.raises(StopIteration) as done:
            flow.send(response)
        return done.value.value

    return send


@pytest.fixture
def form() -> Callable[[Request], dict[str, str]]:
    """Read the form body of a request; a parameter that is there twice fails the test."""

    def read(request: Request) -> dict[str, str]:
        pairs = parse_qsl(request.body, keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return read
