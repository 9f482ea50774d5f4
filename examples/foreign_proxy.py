"""Stands in front of a sandbox for programs that have Procountor's hosts baked in.

An HTTPS proxy that sends every host to one place: whatever `https://…` a program asks for, it reaches the sandbox, and
no request goes anywhere else. The program is unchanged; two standard variables configure the proxy:

    python examples/foreign_proxy.py --to http://127.0.0.1:8080 --certificate proxy.pem
    HTTPS_PROXY=http://127.0.0.1:… REQUESTS_CA_BUNDLE=proxy.pem python the_program.py

The certificate is generated at start; the file does not contain its key, and only programs that name the file trust it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import ssl
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

#: The hosts that public clients have baked in; the test server has moved twice.
HOSTS = (
    "api.procountor.com",
    "api-test.procountor.com",
    "pts-procountor.pubdev.azure.procountor.com",
    "pts-api.procountor.com",
)
_CHUNK = 65_536


def main() -> None:
    """Serve until a signal ends it; print the proxy's URL when it can be used."""
    parser = argparse.ArgumentParser(description="Send every HTTPS host to one sandbox.")
    parser.add_argument("--to", required=True, metavar="URL", help="the sandbox, such as http://127.0.0.1:8080")
    parser.add_argument("--certificate", required=True, type=Path, metavar="FILE", help="where to write what to trust")
    given = parser.parse_args()
    target = urlsplit(given.to)
    if target.scheme != "http" or target.hostname is None or target.port is None:
        parser.error("--to must be a sandbox's URL, such as http://127.0.0.1:8080")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Proxy(target.hostname, target.port, certified(given.certificate)).serve())


def certified(certificate: Path) -> ssl.SSLContext:
    """Create a certificate for Procountor's hosts, write it to a file, and return the server's TLS context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a sandbox, not Procountor")])
    public = key.public_key()
    now = dt.datetime.now(dt.UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
    )
    signed = (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        # From Python 3.13 on, an authority without these two is refused.
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, encipher_only=False, decipher_only=False, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .sign(key, hashes.SHA256())
    ).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate.write_bytes(signed)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL reads the key only from a file.
    with tempfile.TemporaryDirectory() as folder:
        both = Path(folder) / "both.pem"
        both.touch(mode=0o600)
        both.write_bytes(secret + signed)
        context.load_cert_chain(both)
    return context


class Proxy:
    """Accepts ``CONNECT`` for every host, terminates TLS, and forwards the content to the sandbox.

    Args:
        host: The sandbox's host.
        port: The sandbox's port.
        context: The server's side of TLS.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self._host = host
        self._port = port
        self._context = context

    async def serve(self) -> None:
        """Listen on a free loopback port, print its URL, and serve until cancelled."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        async with server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that hangs up, or does not trust the certificate, reports that itself.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await self._tunnel(reader, writer)
        writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if not asked.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.start_tls(self._context)
        from_sandbox, to_sandbox = await asyncio.open_connection(self._host, self._port)
        try:
            # The first side to close ends both: HTTP/1.1 has no use for a half-open connection.
            ways = [
                asyncio.ensure_future(_pass_on(reader, to_sandbox)),
                asyncio.ensure_future(_pass_on(from_sandbox, writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            to_sandbox.close()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while some := await source.read(_CHUNK):
        target.write(some)
        await target.drain()


if __name__ == "__main__":
    main()
