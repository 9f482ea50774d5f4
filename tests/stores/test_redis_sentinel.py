"""What Sentinels are asked, and with which options."""

from __future__ import annotations

import ssl
from typing import Any, Final, Self

import pytest
import redis
from pydantic import SecretStr
from redis import exceptions

from procountor_auth.stores.redis_sentinel import PATIENCE, Sentinels, UnknownService
from procountor_auth.stores.redis_url import RedisAddress, address_of

_DOWN: Final = exceptions.ConnectionError("refused")


class Servers:
    """Sentinels that answer what they are told to, and remember what they were asked.

    Attributes:
        answers: By the host: what it returns or raises.
        asked: The hosts that were asked, in this order.
        options: redis-py's options of the last one.
        command: What it was asked.
    """

    def __init__(self, **answers: Any) -> None:  # noqa: ANN401 - as redis-py
        self.answers = answers
        self.asked: list[str] = []
        self.options: dict[str, Any] = {}
        self.command: tuple[object, ...] = ()

    def __call__(self, **options: Any) -> Servers:  # noqa: ANN401 - redis-py's own
        """Connect to one."""
        redis.Redis(**options)  # which refuses an option that it does not know
        self.options = options
        self.asked.append(options["host"])
        return self

    def __enter__(self) -> Self:
        """Be the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def execute_command(self, *command: object) -> object:
        """Answer."""
        self.command = command
        answer = self.answers[self.asked[-1]]
        if isinstance(answer, Exception):
            raise answer
        return answer


def sentinels_of(url: str, left: float = 60.0) -> Sentinels:
    """Return the Sentinels of a URL, with so many seconds left."""
    address = address_of(SecretStr(url))
    assert isinstance(address, RedisAddress)
    return Sentinels(address, lambda limit: min(limit, left))


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    """Sentinels in the place of redis-py's client."""
    servers = Servers(a=[b"primary", b"6379"], b=["primary", 1], down=_DOWN, late=TimeoutError(), unknown=None)

    class Module:
        Redis = servers

    monkeypatch.setattr("procountor_auth.stores.redis_sentinel.redis", Module)
    return servers


def test_a_sentinel_is_asked_for_the_primary(servers: Servers) -> None:
    """Nothing is tried again, nothing takes longer than there is time, and nothing of the primary's is sent."""
    found = sentinels_of("redis+sentinel://user:n0t4u@a:7/main/2", left=0.25).primary()
    assert found == ("primary", 6379)
    assert servers.command == ("SENTINEL GET-MASTER-ADDR-BY-NAME", "main")
    retry = servers.options.pop("retry")
    assert retry._retries == 0
    assert servers.options == {
        "host": "a",
        "port": 7,
        "protocol": 2,
        "socket_timeout": 0.25,
        "socket_connect_timeout": 0.25,
    }
    sentinels_of("redis+sentinel://b/main").primary()
    assert (servers.options["port"], servers.options["socket_timeout"]) == (26379, PATIENCE)


def test_a_sentinel_is_reached_as_the_primary_is(servers: Servers) -> None:
    """Over TLS where the primary is, with the same certificates; a user of the Sentinels' own is sent to them."""
    url = "rediss+sentinel://user:n0t4u@b/main?ssl_ca_certs=/ca.pem&sentinel_username=s&sentinel_password=pw"
    assert sentinels_of(url).primary() == ("primary", 1)
    assert servers.options["ssl"] is True
    assert servers.options["ssl_ca_certs"] == "/ca.pem"
    assert servers.options["credential_provider"].get_credentials() == ("s", "pw")


def test_the_one_that_answered_last_comes_first(servers: Servers) -> None:
    """Those that do not answer are passed over, and not asked first the next time."""
    sentinels = sentinels_of("redis+sentinel://down,late,unknown,b,a/main")
    assert [sentinels.primary(), sentinels.primary()] == [("primary", 1)] * 2
    assert servers.asked == ["down", "late", "unknown", "b", "b"]
    servers.answers["b"] = _DOWN
    assert sentinels.primary() == ("primary", 6379)
    assert servers.asked[5:] == ["b", "down", "late", "unknown", "a"]


@pytest.mark.parametrize(
    ("hosts", "kind"), [("down,unknown", UnknownService), ("unknown,late", UnknownService), ("down,late", type(_DOWN))]
)
def test_without_a_primary_there_is_an_error(servers: Servers, hosts: str, kind: type[Exception]) -> None:
    """Where one of them does not know the service, it is unknown; where none answers, that passes."""
    with pytest.raises(exceptions.RedisError) as caught:
        sentinels_of(f"redis+sentinel://{hosts}/main").primary()
    assert type(caught.value) is kind
    said = "No Sentinel knows the service." if kind is UnknownService else "No Sentinel answers."
    assert str(caught.value) == said
    assert servers.asked == hosts.split(",")


@pytest.mark.parametrize("refused", ["password", "certificate"])
def test_a_refusal_is_no_outage(servers: Servers, refused: str) -> None:
    """Where none answers and one refuses the password, or is not to be trusted, that is the error."""
    untrusted = exceptions.ConnectionError("refused")
    untrusted.__context__ = ssl.SSLCertVerificationError("self-signed")
    servers.answers |= {"password": exceptions.AuthenticationError("WRONGPASS"), "certificate": untrusted}
    with pytest.raises(exceptions.ConnectionError) as caught:
        sentinels_of(f"rediss+sentinel://down,{refused},late/main").primary()
    assert caught.value is servers.answers[refused]
    assert servers.asked == ["down", refused, "late"]
    assert sentinels_of(f"rediss+sentinel://{refused},b/main").primary() == ("primary", 1)


def test_without_time_no_other_is_asked(servers: Servers) -> None:
    """Where the time is over, that is the error."""
    address = address_of(SecretStr("redis+sentinel://down,a/main"))
    assert isinstance(address, RedisAddress)
    times = iter([1.0])

    def left(_: float) -> float:
        for each in times:
            return each
        raise exceptions.TimeoutError

    with pytest.raises(exceptions.TimeoutError):
        Sentinels(address, left).primary()
    assert servers.asked == ["down"]
