"""What somebody else's strategy does, with whatever it raises or returns instead as an error of ours.

Its errors may hold what it sent or got, so they are replaced, not chained. `docs/strategies.md` has the contract.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, ProcountorAuthError, printable
from procountor_auth.protocol.flow import Request
from procountor_auth.protocol.plain_token import is_plain_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.strategies.base import Strategy

T = TypeVar("T")

_OURS: Final = "procountor_auth."


def ask(strategy: Strategy, call: Callable[[], T]) -> T:
    """Return what a strategy says.

    Args:
        strategy: The strategy.
        call: Asks it.

    Raises:
        ProcountorAuthError: What it raises itself.
        ConfigurationError: It has raised something else.
    """
    if type(strategy).__module__.startswith(_OURS):
        return call()  # an error of ours is a fault to be seen, with its cause
    failed = ""
    try:
        return call()
    except ProcountorAuthError:
        raise
    except Exception as error:  # noqa: BLE001 - somebody's strategy can raise anything
        failed = type(error).__name__
    raise _unusable(strategy, f"failed ({failed})")


def owns(strategy: Strategy, token: Token) -> bool:
    """Return whether a strategy says that a stored token is its own. Raises what `ask` raises."""
    return ask(strategy, lambda: bool(strategy.owns(token)))


def token_flow(strategy: Strategy, begin: Callable[[], Flow[Token]]) -> Flow[Token]:
    """Return the same flow, which ends with a token or an error of ours.

    Args:
        strategy: The strategy.
        begin: Begins its flow.
    """
    token: object = yield from guarded_flow(strategy, begin)
    if not is_plain_token(token):
        raise _unusable(strategy, "returned something else than a token")
    return token


def initial_refresh_token(strategy: Strategy) -> SecretStr | None:
    """Return the refresh token that a strategy begins with, if it has one. Raises what `ask` raises.

    Args:
        strategy: The strategy.
    """
    found = cast("object", ask(strategy, lambda: strategy.initial_refresh_token))
    if found is None or isinstance(found, SecretStr):
        return found
    raise _unusable(strategy, "returned something else than a refresh token")


def guarded_flow(strategy: Strategy, begin: Callable[[], Flow[T]]) -> Flow[T]:
    """Return the same flow, which raises errors of ours only.

    Args:
        strategy: The strategy.
        begin: Begins its flow.
    """
    flow: Any = ask(strategy, begin)
    response: Any = None  # a generator is started with None
    try:
        while True:
            step = ask(strategy, partial(_step, flow, response))
            if isinstance(step, _Result):
                result: T = step.value
                return result
            if step is None:
                raise _unusable(strategy, "asked for something else than a request")
            response = yield step
    finally:
        with suppress(Exception):  # it is over, whatever it thinks of that
            flow.close()


class _Result(NamedTuple):
    """What a flow has returned."""

    value: Any


def _step(flow: Any, response: Any) -> Request | _Result | None:  # noqa: ANN401 - whatever the strategy has returned
    """Return a flow's next request, or its result, or None where there is neither."""
    try:
        request = flow.send(response)
    except StopIteration as done:
        return _Result(done.value)
    return request if isinstance(request, Request) else None


def _unusable(strategy: Strategy, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"The strategy {printable(str(strategy.name))} {what}.",
        hint="Upgrade or reinstall the package that it comes from, or choose another strategy.",
    )
