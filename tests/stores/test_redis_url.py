"""Where a URL of Redis leads to, and what is wrong with one."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from procountor_auth.stores.redis_url import RedisAddress, address_of

_QUERY = "has a query or fragment that is not known"
_PASSWORD = "a special character in the password may be the reason"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http+cluster://host", "has a scheme that is not known"),
        ("redis+nothing://host", "has a scheme that is not known"),
        ("redis://host:port/0", f"is not a URL; {_PASSWORD}"),
        ("redis://host?db", f"is not a URL; {_PASSWORD}"),
        ("redis:///0", f"has no host; {_PASSWORD}"),
        ("http://host", f"has no host; {_PASSWORD}"),
        ("unix://", "has no path of a socket"),
        ("unix://run/redis.sock", "has a host, and a socket has a path alone, with three slashes: unix:///PATH"),
        ("unix://:n0t4u@run/redis.sock", "has a host, and a socket has a path alone, with three slashes: unix:///PATH"),
        ("redis://host/name", "has something else than the number of a database as its path"),
        ("redis://host/X", "has something else than the number of a database as its path"),
        ("redis://host/0#fragment", _QUERY),
        ("redis://host/0?option=1", _QUERY),
        ("redis://host?db=one", "has something else than a number as its database"),
        ("redis://host?db=", "has something else than a number as its database"),
        ("redis://host?ssl_ca_certs=/ca.pem", "has TLS options, which need rediss://"),
        ("rediss+cluster://host/1", "has a path, and a cluster has one database alone"),
        ("redis+sentinel://host", "has no name of the service, which stands behind the Sentinels: …/SERVICE"),
        ("redis+sentinel://a,b:port/main", f"has something that is no host, or no port; {_PASSWORD}"),
        ("redis+sentinel://a,/main", f"has something that is no host, or no port; {_PASSWORD}"),
        ("redis+sentinel://a/main?db", _QUERY),
        ("redis+sentinel://a/main?option=1", _QUERY),
    ],
)
def test_what_is_wrong_is_said(url: str, said: str) -> None:
    """Each URL that can't be used has a sentence of its own, which shows nothing of it."""
    assert address_of(SecretStr(url)) == said


@pytest.mark.parametrize(
    ("url", "kind", "place", "tls"),
    [
        ("redis://host", "server", "host:6379/0", False),
        ("redis://host/", "server", "host:6379/0", False),
        ("rediss://user:n0t4u@host:1/2", "server", "host:1/2", True),
        ("rediss://host?db=3", "server", "host:6379/3", True),
        ("unix:///run/redis.sock?db=1", "server", "/run/redis.sock/1", False),
        ("rediss+cluster://a,b:1", "cluster", "the cluster at a:6379,b:1", True),
        ("redis+cluster://a/", "cluster", "the cluster at a:6379", False),
        ("redis+sentinel://a,b:1/m%20n/2", "sentinel", "the service m n at a:26379,b:1", False),
    ],
)
def test_a_place_is_named_without_its_secrets(url: str, kind: str, place: str, *, tls: bool) -> None:
    """A URL says which kind of Redis it is, over TLS or not, and is called by hosts, ports and database alone."""
    found = address_of(SecretStr(url))
    assert isinstance(found, RedisAddress)
    assert (found.kind, found.place, found.tls) == (kind, place, tls)
    assert "n0t4u" not in repr(found)
    assert found.socket is url.startswith("unix")


def test_the_sentinels_have_a_user_of_their_own() -> None:
    """Their user and password are taken out of the query, an empty password as well; the rest is the server's."""
    url = "redis+sentinel://user:n0t4u@a/main/1?sentinel_username=s&sentinel_password=&db=2"
    found = address_of(SecretStr(url))
    assert isinstance(found, RedisAddress)
    assert found.options["db"] == 2
    assert found.options["credential_provider"].get_credentials() == ("user", "n0t4u")
    assert found.credentials["credential_provider"].get_credentials() == ("s", "")
    assert not {"host", "port", "sentinel_username", "sentinel_password"} & found.options.keys()
