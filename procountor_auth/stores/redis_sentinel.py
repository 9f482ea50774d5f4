"""Asks Sentinels which Redis is the primary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from procountor_auth.stores.redis_tls import handshake_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from procountor_auth.stores.redis_url import RedisAddress

PATIENCE: Final = 1.0
"""Seconds that one Sentinel may take to answer, before the next one is asked."""


class UnknownService(exceptions.RedisError):
    """The Sentinels know no service of this name."""


class Sentinels:
    """Asks the Sentinels of a service for its primary: the one that has answered last comes first.

    Args:
        address: Where they are.
        left: Returns the seconds that may be waited, given a limit; raises where there are none.
    """

    def __init__(self, address: RedisAddress, left: Callable[[float], float]) -> None:
        self._address = address
        self._left = left
        self._hosts = list(address.hosts)

    def primary(self) -> tuple[str, int]:
        """Return the host and the port of the primary.

        Raises:
            UnknownService: Those that answer know no such service.
            redis.ConnectionError: None of them answers, or there is no primary now. Where one has refused the user, the
                password or TLS, it says so.
            redis.TimeoutError: There is no time left.
        """
        unknown = False
        refusal: Exception | None = None
        for host in list(self._hosts):
            try:
                found = self._ask(host)
            except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
                if refusal is None and _is_refusal(error):
                    refusal = error
                self._left(PATIENCE)
                continue
            if found is not None:
                self._hosts.remove(host)
                self._hosts.insert(0, host)
                return found
            unknown = True
        if unknown:
            raise UnknownService("No Sentinel knows the service.")
        if refusal is not None:
            raise refusal
        raise exceptions.ConnectionError("No Sentinel answers.")

    def _ask(self, host: tuple[str, int]) -> tuple[str, int] | None:
        patience = self._left(PATIENCE)
        tls = {name: value for name, value in self._address.options.items() if name.startswith("ssl_")}
        options: dict[str, Any] = {
            **self._address.credentials,
            **({"ssl": True, **tls} if self._address.tls else {}),
            "protocol": 2,
            "socket_timeout": patience,
            "socket_connect_timeout": patience,
            "retry": Retry(NoBackoff(), 0),
        }
        with redis.Redis(host=host[0], port=host[1], **options) as sentinel:
            found = cast(
                "Sequence[object] | None",
                sentinel.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", self._address.service),
            )
        if not found:
            return None
        name, port = (part.decode() if isinstance(part, bytes) else str(part) for part in found)
        return name, int(port)


def _is_refusal(error: Exception) -> bool:
    """Whether it does not pass, so that a Sentinel that said so is not one that is down."""
    return isinstance(error, exceptions.AuthenticationError) or handshake_fault(error) not in {None, "unfinished"}
