"""What Redis's errors mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from redis import exceptions

from procountor_auth.errors import StoreError, StoreUnavailable
from procountor_auth.stores.redis_sentinel import UnknownService
from procountor_auth.stores.redis_tls import TLS_HINT, handshake_fault

if TYPE_CHECKING:
    from procountor_auth.stores.redis_tls import HandshakeFault

PREFIX: Final = "procountor-auth"
"""The prefix of all entries' names."""

VARIABLE: Final = "PROCOUNTOR_TOKEN_STORE"

_TRY_LATER: Final = "Check that Redis is running and can be reached; then try again."

_TRY_TLS: Final = (
    "Check that Redis is running, has TLS on this port, and does not require another certificate of this client; then "
    "try again."
)

_FOR_NOW: Final = frozenset({"TRYAGAIN", "MISCONF", "BUSY", "OOM"})
"""Redis's codes for temporary errors of a server: not able to save, busy, out of memory."""

_GIVEN_UP: Final = frozenset({"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "UNBLOCKED", "NOREPLICAS"})
"""Those of a server that is not, or no longer, the one to write to: the name or proxy may lead elsewhere by now."""

_IN_SCRIPT: Final = re.compile(r" -([A-Z]+) ")
"""How a Redis before 7 names the code of an error that a script has met."""

_FORBIDDEN: Final = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})


def is_given_up(error: Exception) -> bool:
    """Whether an error says that its server is not the one to write to, so that its connections are of no use."""
    return _code(error) in _GIVEN_UP or isinstance(
        error, exceptions.BusyLoadingError | exceptions.ReadOnlyError | exceptions.ClusterDownError
    )


def _code(error: Exception) -> str:
    """Return Redis's code for an error, where redis-py has not made a class of it."""
    in_script = _IN_SCRIPT.search(str(error))
    return in_script[1] if in_script else str(error).split(" ", 1)[0].rstrip(":")


def translate(error: Exception, place: str) -> StoreError:
    """Return our error for one of redis-py's. What it says is not repeated, except for Redis's own codes."""
    where = f"Redis at {place}"
    said = _code(error)
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError) or said in _FORBIDDEN:
        return StoreError(
            f"{where} refused the user or the password.", hint=f"Check the user and the password in {VARIABLE}."
        )
    if isinstance(error, exceptions.NoPermissionError):
        return StoreError(
            f"{where} does not permit this user what is needed.",
            hint=f"Permit it the commands of scripts, hashes and strings on {PREFIX}:* (ACL SETUSER).",
        )
    fault = handshake_fault(error)
    if fault is not None and fault != "unfinished":
        return _without_tls(fault, where)
    hint = _TRY_LATER if fault is None else _TRY_TLS
    if isinstance(error, exceptions.TimeoutError):
        return StoreUnavailable(f"{where} has not answered in time.", hint=hint)
    if (
        said in _FOR_NOW
        or is_given_up(error)
        or isinstance(error, exceptions.TryAgainError | exceptions.OutOfMemoryError)
    ):
        return StoreUnavailable(f"{where} can't be used now ({type(error).__name__}).", hint=_TRY_LATER)
    if isinstance(error, exceptions.ConnectionError | exceptions.RedisClusterException | OSError):
        return StoreUnavailable(f"{where} can't be reached.", hint=hint)
    return _refused(error, said, where)


def unusable_files(problem: str, place: str) -> StoreUnavailable:
    """Return the error of files for TLS that loaded once and do not now: they may be about to be replaced."""
    return StoreUnavailable(f"Redis at {place} can't be reached: {VARIABLE} {problem}.", hint=TLS_HINT)


def _without_tls(fault: HandshakeFault, where: str) -> StoreError:
    if fault == "untrusted":
        return StoreError(
            f"{where} has a certificate that is not trusted.",
            hint=f"Name its authority's PEM file in {VARIABLE}: rediss://…?ssl_ca_certs=/path/to/ca.pem.",
        )
    if fault == "plain":
        return StoreError(
            f"{where} answers without TLS.", hint=f"In {VARIABLE}, name its port for TLS, or write redis:// for no TLS."
        )
    return StoreError(
        f"{where} refused the certificate of this client, or requires one.",
        hint=f"Check ssl_certfile and ssl_keyfile in {VARIABLE}, and which versions of TLS it accepts.",
    )


def _refused(error: Exception, said: str, where: str) -> StoreError:
    if isinstance(error, UnknownService):
        return StoreError(f"{where} is not known to the Sentinels.", hint=f"Correct the service's name in {VARIABLE}.")
    if said == "WRONGTYPE":
        return StoreError(
            f"{where} has something else under the name of the entry.",
            hint="Use another database: rediss://…/NUMBER.",
        )
    return StoreError(
        f"{where} refused a command ({type(error).__name__}).",
        hint="Use a Redis 4.0 or newer, or a Valkey; a cluster is redis+cluster://….",
    )
