"""Whose failure it is where there is a proxy on the way: the proxy's, or the host's behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from pydantic import SecretStr

from procountor_auth.errors import ConnectionFailed
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.transport.proxy import Proxy
from procountor_auth.transport.transport import Transport
from tests.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.protocol.flow import Flow
    from tests.proxy import ProxyServer

    StartProxy = Callable[..., ProxyServer]

HOST: Final = "https://192.0.2.1"


def _get() -> Flow[Response]:
    return (yield Request("GET", f"{HOST}/api/sessioninfo"))


def _failure(proxy: str, **options: object) -> ConnectionFailed:
    transport = Transport(proxy=SecretStr(proxy), sleep=lambda _: None, **options)  # type: ignore[arg-type]
    with pytest.raises(ConnectionFailed) as caught:
        transport.run(_get())
    return caught.value


@pytest.mark.parametrize(
    ("user", "status", "retryable", "hint"),
    [
        ("", 407, False, "It requires a user name and password"),
        ("me:canary@", 407, False, "Check the user name and password in PROCOUNTOR_PROXY"),
        ("me:canary@", 403, False, f"Check PROCOUNTOR_PROXY, and whether this proxy allows connections to {HOST}."),
        ("", 503, True, "It may be busy, or unable to reach the host"),
    ],
)
def test_a_refusal_names_the_proxy(
    start_proxy: StartProxy, user: str, status: int, hint: str, *, retryable: bool
) -> None:
    """A refused CONNECT says which proxy refused what, with its status and no password, and what to do."""
    proxy = start_proxy(status)
    error = _failure(f"http://{user}{proxy.address}")
    assert error.message == f"The proxy {proxy.address} refused ({status}) to connect to {HOST}."
    assert error.hint.startswith(hint)
    assert (error.retryable, error.sent) == (retryable, False)
    assert set(proxy.asked) == {"CONNECT 192.0.2.1:443 HTTP/1.1"}
    assert "canary" not in str(error)


def test_a_proxy_that_hangs_up_is_named(start_proxy: StartProxy) -> None:
    """A proxy that ends the connection before there is a tunnel is named, and nothing was sent to the host."""
    proxy = start_proxy(0)
    error = _failure(f"http://{proxy.address}")
    assert error.message.startswith(f"The proxy {proxy.address} did not connect to {HOST}: ")
    assert "PROCOUNTOR_PROXY" in error.hint
    assert not error.sent


def test_a_proxy_that_is_silent_is_named(start_proxy: StartProxy) -> None:
    """A proxy that takes too long to open the tunnel is named."""
    proxy = start_proxy(None)
    error = _failure(f"http://{proxy.address}", timeout=0.3)
    assert error.message == f"The proxy {proxy.address} did not connect to {HOST} within 0.3 seconds."
    assert not error.sent


def test_a_proxy_s_certificate_is_not_the_host_s(start_proxy: StartProxy, tmp_path: Path) -> None:
    """An `https://` proxy whose certificate nobody vouches for is named, and not the host."""
    proxy = start_proxy(own_tls=Certificate(tmp_path).shown)
    error = _failure(f"https://{proxy.address}")
    assert error.message.startswith(f"The proxy {proxy.address} can't be reached: ")
    assert error.hint == "Check PROCOUNTOR_PROXY. For your own authority, set PROCOUNTOR_CA_BUNDLE to its PEM file."


def test_what_happens_in_the_tunnel_is_the_host_s(start_proxy: StartProxy, tmp_path: Path) -> None:
    """Once the tunnel is open, a host that hangs up or shows a strange certificate is named, and not the proxy."""
    error = _failure(f"http://{start_proxy().address}")
    assert error.message.startswith(f"{HOST} can't be reached: ")
    assert "PROCOUNTOR_BASE_URL" in error.hint
    proxy = start_proxy(leads_to=9, tls=Certificate(tmp_path, "192.0.2.1").shown)
    error = _failure(f"http://{proxy.address}")
    assert error.message.startswith(f"{HOST} can't be reached: ")
    assert error.hint == "Check PROCOUNTOR_BASE_URL. For your own authority, set PROCOUNTOR_CA_BUNDLE to its PEM file."


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://proxy.example:3128", "proxy.example:3128"),
        ("http://me:canary@Proxy.Example", "proxy.example"),
        ("http://me:p@canary@proxy.example:3128/", "proxy.example:3128"),
        ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443"),
        ("http://me:12/canary@proxy.example:3128", ""),
        ("http://me:p@canary/x@proxy.example:3128", ""),
        ("http://me:p@canary#x@proxy.example:3128", ""),
        ("http://me:p@canary?x@proxy.example:3128", ""),
        ("http://me:canary", ""),
        ("http://[canary", ""),
        ("canary", ""),
    ],
)
def test_no_part_of_a_password_is_taken_for_the_address(url: str, address: str) -> None:
    """Host and port are told where the URL leaves no doubt about them, and else nothing is."""
    assert Proxy.at(SecretStr(url)).address == address
