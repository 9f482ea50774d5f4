"""TLS to Redis: the files that a URL names for it, and what a handshake fails of."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

TLS_HINT: Final = (
    "ssl_ca_certs is a PEM file of authorities, and ssl_ca_path a folder of them; ssl_certfile and ssl_keyfile are PEM "
    "files with this client's certificate and its key, and ssl_password opens the key. This process has to be able to "
    "read them."
)

_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

HandshakeFault: TypeAlias = Literal["untrusted", "plain", "refused", "unfinished"]

_PLAIN: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"})
"""OpenSSL's reasons where the answer is no TLS; which one it is depends on its version."""

_REFUSED: Final = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)
"""OpenSSL's reasons where the server does not accept this client's certificate, or its lack of one."""


class CertificateFiles:
    """The files that a URL names for TLS.

    redis-py reads them for each connection, and can't tell one that is missing from a server that is.

    Args:
        options: redis-py's options for its connections.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = {name: value for name, value in options.items() if name.startswith("ssl_")}
        self._loaded: list[tuple[int, ...]] = []

    def problem(self) -> str | None:
        """Return what is wrong with them now, without their paths, or None. They are loaded if they have changed."""
        if "ssl_keyfile" in self._options and "ssl_certfile" not in self._options:
            return "has an ssl_keyfile without an ssl_certfile"
        states = []
        for name, path in self._paths():
            state = _state(name, path)
            if isinstance(state, str):
                return state
            states.append(state)
        if states == self._loaded:
            return None
        problem = self._problem_with_authorities() or self._problem_with_certificate()
        self._loaded = [] if problem else states
        return problem

    def _paths(self) -> list[tuple[str, Path]]:
        paths = [(name, self._options[name]) for name in _FILES if name in self._options]
        # OpenSSL takes several folders.
        folders = self._options.get("ssl_ca_path", "").split(os.pathsep)
        return [(name, Path(path)) for name, path in (*paths, *(("ssl_ca_path", each) for each in folders if each))]

    def _problem_with_authorities(self) -> str | None:
        file = self._options.get("ssl_ca_certs")
        return None if file is None or _has_certificates(file) else "has an ssl_ca_certs without a certificate in PEM"

    def _problem_with_certificate(self) -> str | None:
        certificate, key = self._options.get("ssl_certfile"), self._options.get("ssl_keyfile")
        if certificate is None:
            return None
        if not _has_certificates(certificate):
            return "has an ssl_certfile without a certificate in PEM"
        given, name = self._options.get("ssl_password"), "ssl_certfile" if key is None else "ssl_keyfile"
        asked = []

        def password() -> str:
            asked.append(True)
            return given or ""  # without an answer, OpenSSL asks at the terminal

        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password)
        except (OSError, ValueError) as error:  # a ValueError: of a password that is too long
            reason = getattr(error, "reason", None)
        else:
            return None
        if reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}:
            return f"has an {name} with a key that does not belong to the certificate"
        if asked:
            return f"has an {name} with a key that " + (
                "its ssl_password does not open" if given else "needs an ssl_password"
            )
        return f"has an {name} without a private key in PEM that can be used" + (f" ({reason})" if reason else "")


def handshake_fault(error: BaseException | None) -> HandshakeFault | None:
    """Return what is wrong with TLS, as far as an error of redis-py's tells.

    Returns:
        `untrusted`: the server's certificate; `plain`: the server has no TLS; `refused`: this client's certificate;
        `unfinished`: the connection has ended, or nothing was said, which may have any reason. None if it is not TLS.
    """
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return "untrusted"
        if isinstance(error, ssl.SSLError):
            reason = getattr(error, "reason", None)  # only OpenSSL's own errors have one
            return "plain" if reason in _PLAIN else "refused" if reason in _REFUSED else "unfinished"
        if isinstance(error, TimeoutError) and "handshake" in str(error):
            return "unfinished"
        error = error.__cause__ or error.__context__
    return None


def _state(name: str, path: Path) -> tuple[int, ...] | str:
    """Return what changes with a file or folder, or what is wrong with it."""
    try:
        found = path.stat()
        if name == "ssl_ca_path":
            if not stat.S_ISDIR(found.st_mode):
                return f"has an {name} that is no folder"
            (path / os.pardir).stat()  # OpenSSL looks into the folder by name, and does not list it
        elif not stat.S_ISREG(found.st_mode):
            return f"has an {name} that is no regular file"
        else:
            path.open("rb").close()
    except FileNotFoundError:
        return f"has an {name} that does not exist"
    except OSError as error:
        return f"has an {name} that can't be read ({error.strerror})"
    except ValueError:  # a NUL
        return f"has an {name} that can't exist"
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


def _has_certificates(file: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError:
        return False
    return True
