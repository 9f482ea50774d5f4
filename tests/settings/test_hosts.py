"""What a host may be."""

from __future__ import annotations

import pytest

from procountor_auth.settings.hosts import BY_ENVIRONMENT, clean_host, is_loopback


@pytest.mark.parametrize("host", BY_ENVIRONMENT.values())
def test_the_vendor_s_hosts_are_clean(host: str) -> None:
    """The hosts that are built in are HTTPS and pass their own rule unchanged."""
    assert host.startswith("https://")
    assert clean_host(host) == host


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.example", "https://api.example"),
        ("https://api.example/", "https://api.example"),
        ("HTTPS://API.Example", "https://api.example"),
        ("https://api.example:443", "https://api.example"),
        ("https://api.example:8443", "https://api.example:8443"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://procountor.localhost", "http://procountor.localhost"),
    ],
)
def test_a_host_is_made_uniform(url: str, host: str) -> None:
    """Case, a slash at the end and the default port make no difference."""
    assert clean_host(url) == host


@pytest.mark.parametrize(
    "url",
    [
        *("", "api.example", "//api.example", "https://", "https:///", "https:api.example"),
        *("ftp://api.example", "file:///etc/passwd", "javascript:alert(1)"),
        *("https://:443", "https://api.example:port", "https://api.example:99999", "https://api.example:0"),
        *("https://[::1", "https://ä.example", "https://api.exa\nmple", "https://api.example\x00"),
        *("https://api.example\\evil.example", "https://%61pi.example", "https://api example", "https://[fe80::1%25x]"),
    ],
)
def test_what_is_no_url_of_a_host_is_refused(url: str) -> None:
    """A value that two readers could take for two hosts, or for none, is refused with an example of a right one."""
    with pytest.raises(ValueError, match="must") as caught:
        clean_host(url)
    assert str(caught.value) in {
        "must be a URL such as https://api.procountor.com",
        "must have a port from 1 to 65535, or none",
    }


@pytest.mark.parametrize(
    "url",
    [
        *("https://api.example/api", "https://api.example/api/", "https://api.example/latest/api"),
        *("https://api.example//", "https://api.example?a=b", "https://api.example#fragment"),
    ],
)
def test_the_host_stands_alone(url: str) -> None:
    """A base URL with anything after the host is refused, and told that `/api` does not belong there."""
    with pytest.raises(ValueError, match="host alone") as caught:
        clean_host(url)
    assert str(caught.value) == (
        "must be the host alone, such as https://api.procountor.com, with at most the API's path (/api) after it"
    )


@pytest.mark.parametrize(
    "url", ["https://us3r@api.example", "https://us3r:passw0rd@api.example", "https://@api.example"]
)
def test_no_credentials_in_the_url(url: str) -> None:
    """User information is refused, and not repeated."""
    with pytest.raises(ValueError, match="must not contain a user name or password") as caught:
        clean_host(url)
    assert str(caught.value) == "must not contain a user name or password"


@pytest.mark.parametrize(
    "url",
    [
        *("http://api.example", "http://192.168.0.1", "http://10.0.0.1:8080", "http://0.0.0.0", "http://[2001:db8::1]"),
        *("http://localhost.example", "http://notlocalhost", "http://127.0.0.1.example", "http://127.1"),
    ],
)
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    """Without TLS no other machine than this one is talked to."""
    with pytest.raises(ValueError, match="must start with") as caught:
        clean_host(url)
    assert str(caught.value) == "must start with https:// (http:// is for this machine only)"


@pytest.mark.parametrize("hostname", ["localhost", "a.localhost", "127.0.0.1", "127.255.255.254", "::1"])
def test_this_machine_is_known(hostname: str) -> None:
    """The loopback names and addresses are this machine."""
    assert is_loopback(hostname)


@pytest.mark.parametrize("hostname", ["", "example", "0.0.0.0", "::", "128.0.0.1", "localhost.", "127.0.0.1.example"])  # noqa: S104
def test_other_machines_are_known(hostname: str) -> None:
    """Nothing that another machine could answer to is this one."""
    assert not is_loopback(hostname)


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    """A URL that is right but for its port says so."""
    with pytest.raises(ValueError, match="must have a port") as caught:
        clean_host(f"https://api.example:{port}")
    assert str(caught.value) == "must have a port from 1 to 65535, or none"
