"""The servers, proxies, certificates and names of one case."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from tests.faults.acts import token
from tests.faults.server import FaultServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    import pytest

    from tests.faults.acts import Act
    from tests.faults.server import Visit

NAME: Final = "api.example"
"""The service's host, where a name is looked up."""

LOCAL_NAME: Final = "api.localhost"

ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"

_ADDRESSES: Final = ("127.0.0.1", "127.0.0.2", "::1")


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority, and the certificate of it for the service.

    Attributes:
        file: The authority, as a CA bundle.
        shown: What a server shows the certificate with.
    """

    file: Path
    shown: ssl.SSLContext = field(repr=False)

    @classmethod
    def make(cls, folder: Path, name: str, *, host: str = NAME) -> Authority:
        """Make one, whose certificate is for `host`, for the name of this machine, and for the tests' addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        names: list[x509.GeneralName] = [x509.DNSName(host)]
        if host == NAME:
            names += [x509.DNSName(LOCAL_NAME), *(x509.IPAddress(ipaddress.ip_address(each)) for each in _ADDRESSES)]
        certificate = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        file, secret = folder / f"{name}.pem", folder / f"{name}-key.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown.load_cert_chain(file, secret)
        return cls(file, shown)


@dataclass(frozen=True, slots=True)
class Route:
    """How the service is reached.

    Attributes:
        host: Scheme, host and port.
        trusts: The authorities that PROCOUNTOR_CA_BUNDLE has, such as `service`; none for no bundle.
        proxy: The proxy, if there is one.
        renewals: How many tokens are asked for, one after the other.
        may_reach: Addresses that may be connected to, beside the host's and the proxy's.
    """

    host: str
    trusts: tuple[str, ...] = ()
    proxy: SecretStr | None = None
    renewals: int = 1
    may_reach: frozenset[tuple[str, int]] = frozenset()


class Network:
    """Builds what a case needs, until its test ends.

    Args:
        authorities: By name: `service`, `inspector`, and `stranger`, whose certificate is for another name.
        trap: A server that nothing must reach.
        stack: Ends the servers.
        patch: Replaces the lookup of names.

    Attributes:
        servers: Those that may get token requests.
        asked: The names that were looked up.
    """

    def __init__(
        self, authorities: dict[str, Authority], trap: FaultServer, stack: ExitStack, patch: pytest.MonkeyPatch
    ) -> None:
        self.authorities = authorities
        self.trap = trap
        self.servers: list[FaultServer] = []
        self.asked: list[str] = []
        self._stack = stack
        self._patch = patch

    def serve(
        self, act: Act | None = None, tls: str = "", *, address: str = "127.0.0.1", port: int = 0, accepts: bool = True
    ) -> FaultServer:
        """Start a server of tokens."""
        shown = self.authorities[tls].shown if tls else None
        script: dict[str, Callable[[Visit], None]] = {"oauth/token": act or token()}
        server = FaultServer(script, tls=shown, accepts=accepts, trap=self.trap.url, at=(address, port))
        self._stack.callback(server.close)
        self.servers.append(server)
        return server

    def start_proxy(self, connect: Act, act: Act | None = None) -> FaultServer:
        """Start a proxy; what it does with CONNECT may be a tunnel, in which the service answers with `act`."""
        proxy = self.serve(act)
        proxy.script[":443"] = connect
        return proxy

    def tunnel(self, tls: str = "service", head: bytes = ESTABLISHED) -> Act:
        """Open a tunnel, at whose end somebody shows a certificate."""
        shown = self.authorities[tls].shown

        def act(visit: Visit) -> None:
            visit.send(head)
            with shown.wrap_socket(visit.socket, server_side=True) as within:
                visit.server.converse_within(within)

        return act

    def through(self, proxy: FaultServer, *trusts: str) -> Route:
        """Return the route through a proxy."""
        return Route(f"https://{NAME}", trusts, SecretStr(proxy.url))

    def resolve(self, *answers: tuple[str, ...] | BaseException | Callable[[], tuple[str, ...]]) -> None:
        """Answer each lookup of the service's name with the next one of these; the last one stays."""
        left = list(answers)
        real = socket.getaddrinfo

        def look_up(host: Any, port: Any, *rest: Any, **named: Any) -> list[Any]:  # noqa: ANN401 - as it is
            if host not in {NAME, LOCAL_NAME}:
                return real(host, port, *rest, **named)
            self.asked.append(host)
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, BaseException):
                raise answer
            addresses = answer() if callable(answer) else answer
            return [each for address in addresses for each in real(address, port, *rest, **named)]

        self._patch.setattr(socket, "getaddrinfo", look_up)

    def bundle(self, trusts: tuple[str, ...], folder: Path) -> Path | None:
        """Return a file with some authorities, or None."""
        if not trusts:
            return None
        file = folder / f"{'-'.join(trusts)}.pem"
        file.write_bytes(b"".join(self.authorities[each].file.read_bytes() for each in trusts))
        return file

    def count(self) -> int:
        """Return how many token requests have arrived."""
        return sum(server.count("oauth/token") for server in self.servers)

    def connects(self) -> int:
        """Return how many tunnels were asked for."""
        return sum(asked.method == "CONNECT" for server in self.servers for asked in server.requests)
