"""What the strategies' errors say, word by word: people search for these sentences."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest
from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, InteractionRequired, LegacyNotAllowed, ProcountorAuthError
from procountor_auth.protocol.flow import Repeat, Request, Response
from procountor_auth.protocol.token import Token
from procountor_auth.settings import Settings
from procountor_auth.strategies import AuthorizationCodeStrategy, ClientCredentialsStrategy, LegacyPasswordStrategy
from procountor_auth.strategies.api_key import KeyRequest
from procountor_auth.strategies.authorization_code import WAYS
from procountor_auth.strategies.deprecation import LegacyAuthWarning, apply_legacy_policy, legacy_refusal
from procountor_auth.strategies.guarded import initial_refresh_token, token_flow
from procountor_auth.strategies.registry import build

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.strategies.deprecation import LegacyPolicy

_REFUSED: Final = Response(401, {"content-type": ("text/html",)}, b"<html>")
_SECRET: Final = SecretStr("s3cret")


def _authorization_code(client: OAuthClient) -> Flow[Any]:
    strategy = AuthorizationCodeStrategy(client)
    return strategy.exchange(_SECRET, strategy.authorization_request())


def _key(client: OAuthClient) -> Flow[Any]:
    request = KeyRequest(client)
    return request.exchange(_SECRET, request.authorization_request())


def _legacy(client: OAuthClient) -> LegacyPasswordStrategy:
    return LegacyPasswordStrategy(client, username=_SECRET, password=_SECRET, company=_SECRET, policy="allow")


_FLOWS: Final = {
    "code": (
        _authorization_code,
        "the authorization code grant",
        "A code can be used once, within a few minutes: log in again.",
    ),
    "key": (_key, "the request for an API key", "Start the key login again."),
    "credentials": (
        lambda client: ClientCredentialsStrategy(client, api_key=_SECRET).acquire(),
        "the client credentials grant",
        "Check PROCOUNTOR_API_KEY: it may be revoked, or belong to another PROCOUNTOR_CLIENT_ID.",
    ),
    "refresh": (
        lambda client: AuthorizationCodeStrategy(client, refresh_token=_SECRET).acquire(),
        "the refresh token grant",
        WAYS,
    ),
}


@pytest.mark.parametrize(("start", "what", "hint"), _FLOWS.values(), ids=_FLOWS)
def test_a_refused_grant_is_named(client: OAuthClient, start: Any, what: str, hint: str) -> None:  # noqa: ANN401
    """The error of a refused token request names the grant, and says in one sentence what to do."""
    flow = start(client)
    next(flow)
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(_REFUSED)
    assert (caught.value.message, caught.value.hint) == (f"The server rejected {what} (status 401).", hint)


def test_a_refused_code_of_the_legacy_login_is_named(client: OAuthClient) -> None:
    """The error of the legacy login's second request names the code, and not the password."""
    flow = _legacy(client).acquire()
    state = next(flow).url.partition("state=")[2]
    flow.send(Response(302, {"location": (f"redirect-uri-placeholder?code=c0de&state={state}",)}))
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(_REFUSED)
    assert caught.value.message == "The server rejected the authorization code grant (status 401)."
    assert caught.value.hint == "The code was not accepted: try again."


_ADVICE: Final = (
    "Set either PROCOUNTOR_STRATEGY=client_credentials and PROCOUNTOR_API_KEY, or "
    "PROCOUNTOR_STRATEGY=authorization_code and PROCOUNTOR_REFRESH_TOKEN (or log in). "
    "https://procountor-auth.readthedocs.io/migration/ explains how."
)
_REMOVED: Final = "Procountor removed it from production with API version 21.04 in April 2021"
_ANSWERED: Final = "oauth/authz responded with status"
_OTHER_HOSTS: Final = f"{_ADVICE} If other hosts still offer it, check PROCOUNTOR_BASE_URL."


@pytest.mark.parametrize(
    ("response", "message", "hint"),
    [
        (
            Response(403, {"content-type": ("text/html",)}, b"<html>"),
            f"The legacy login is gone, or a gateway blocks it: {_ANSWERED} 403 and a web page ({_REMOVED}).",
            _OTHER_HOSTS,
        ),
        (
            Response(410),
            f"The legacy login is gone: {_ANSWERED} 410 ({_REMOVED}).",
            _OTHER_HOSTS,
        ),
        (
            Response(200, {"content-type": ("application/json",)}, b"{}"),
            "The legacy login responded with status 200 instead of a redirect.",
            "Check PROCOUNTOR_BASE_URL and PROCOUNTOR_API_VERSION.",
        ),
        (
            Response(302),
            "The response to the legacy login has 0 Location headers instead of one.",
            f"Try again. If it happens again, the server has changed: switch the strategy. {_ADVICE}",
        ),
        (
            Response(401, {"content-type": ("application/json",)}, b"{}"),
            "The server rejected the legacy login (status 401).",
            "Check PROCOUNTOR_USERNAME, PROCOUNTOR_PASSWORD and PROCOUNTOR_COMPANY.",
        ),
    ],
)
def test_what_oauth_authz_answers_is_told(client: OAuthClient, response: Response, message: str, hint: str) -> None:
    """The error of the legacy login's first request says what came instead of a redirect."""
    flow = _legacy(client).acquire()
    next(flow)
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(response)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize("profile", [None, "acme\n"])
def test_the_policy_of_the_legacy_login_is_told(caplog: pytest.LogCaptureFixture, profile: str | None) -> None:
    """The warning names the profile and what to do, as the refusal does; what is allowed is one line of the log."""
    whose = "Profile acme : " if profile else ""
    others = " `procountor-auth migrate status` lists every profile that still uses it." if profile else ""
    with caplog.at_level("DEBUG"):
        with pytest.warns(LegacyAuthWarning) as warned:
            apply_legacy_policy("warn", profile)
        with pytest.raises(LegacyNotAllowed) as refused:
            apply_legacy_policy("error", profile)
        assert caplog.messages == []
        apply_legacy_policy("allow", profile)
    assert [str(each.message) for each in warned] == [
        f"{whose}PROCOUNTOR_STRATEGY=legacy_password is deprecated: {_REMOVED}. {_ADVICE}{others}"
    ]
    assert refused.value.message == (
        "PROCOUNTOR_STRATEGY=legacy_password is not allowed, because PROCOUNTOR_LEGACY_POLICY=error."
    )
    assert refused.value.hint == _ADVICE
    assert caplog.record_tuples == [
        (
            "procountor_auth",
            logging.INFO,
            "the deprecated strategy legacy_password is in use (PROCOUNTOR_LEGACY_POLICY=allow)",
        )
    ]


@pytest.mark.parametrize(
    ("policy", "chosen", "refused"),
    [
        ("error", ("client_credentials", "legacy_password"), True),
        ("error", ("client_credentials", None), False),
        ("warn", ("legacy_password",), False),
        ("allow", ("legacy_password",), False),
    ],
)
def test_only_one_policy_refuses(policy: LegacyPolicy, chosen: tuple[str | None, ...], *, refused: bool) -> None:
    """The legacy login is refused by the policy `error` alone, also as a fallback."""
    assert (legacy_refusal(policy, *chosen) is not None) is refused


def test_the_legacy_login_warns_where_nothing_else_is_said(client: OAuthClient) -> None:
    """The policy of a strategy that is made without one is the warning, which names its profile."""
    strategy = LegacyPasswordStrategy(client, username=_SECRET, password=_SECRET, company=_SECRET, profile="acme")
    with pytest.warns(LegacyAuthWarning, match="^Profile acme: "):
        strategy.apply_policy()


def test_a_refused_refresh_token_needs_a_login(client: OAuthClient) -> None:
    """The error of a refused refresh token says what the server said, how to log in, and that it was definite."""
    flow = AuthorizationCodeStrategy(client, refresh_token=_SECRET).acquire()
    next(flow)
    with pytest.raises(InteractionRequired) as caught:
        flow.send(Response(400, {"content-type": ("application/json",)}, b'{"error": "invalid_grant"}'))
    assert caught.value.message == "The server rejected the refresh token grant (status 400): invalid_grant."
    assert caught.value.hint == WAYS
    assert caught.value.definite is True


def test_a_refused_logout_is_told(client: OAuthClient) -> None:
    """The error of a refused logout names it, and says why it need not worry anybody."""
    strategy = ClientCredentialsStrategy(client, api_key=_SECRET)
    flow = strategy.logout(Token("acc3ss", 0, 1, "client_credentials"))
    assert next(flow) == Request("POST", "https://api.example/logout", bearer="acc3ss", repeat=Repeat.SAFE)
    with pytest.raises(ProcountorAuthError) as caught:
        flow.send(Response(400, {"content-type": ("application/json",)}, b'{"error": "x"}'))
    assert caught.value.message == "The server rejected the logout (status 400): x."
    assert caught.value.hint == "The token expires within an hour anyway."


def test_why_a_strategy_is_not_pickled_is_told(client: OAuthClient) -> None:
    """The error says what to do instead."""
    with pytest.raises(TypeError) as caught:
        pickle.dumps(ClientCredentialsStrategy(client, api_key=_SECRET))
    said = "A ClientCredentialsStrategy holds secrets and is not pickled: create it where it is used."
    assert str(caught.value) == said


def test_a_login_that_is_needed_is_told(client: OAuthClient) -> None:
    """Without a refresh token the error says so."""
    with pytest.raises(ProcountorAuthError) as caught:
        next(AuthorizationCodeStrategy(client).acquire())
    assert caught.value.message == "The authorization_code strategy has no refresh token to start with."
    assert caught.value.hint == WAYS


def test_an_unknown_strategy_is_named() -> None:
    """A strategy that nobody has registered is named in the error."""
    with pytest.raises(ConfigurationError) as caught:
        build(Settings.model_construct(), name="nobodys")
    assert caught.value.message == "There is no strategy nobodys."
    assert caught.value.hint == "Correct PROCOUNTOR_STRATEGY."


class _Foreign(ClientCredentialsStrategy):
    """A strategy of another package, which breaks the contract."""

    name = "vault\u202e"

    def __init__(self, client: OAuthClient, does: Callable[[], Any]) -> None:
        super().__init__(client, api_key=_SECRET)
        self._does = does

    def acquire(self) -> Any:  # noqa: ANN401 - whatever it does
        return self._does()

    @property
    def initial_refresh_token(self) -> Any:  # noqa: ANN401 - whatever it does
        return self._does()


def _raise() -> NoReturn:
    raise OSError("s3cret")


def _ask_and_return(asked: Any, returned: object = None) -> Generator[Any, Response, object]:  # noqa: ANN401
    yield asked
    return returned


_ASKED: Final = Request("POST", "https://vault.example/")

_FOREIGN: Final[dict[str, tuple[Callable[[], Any], str]]] = {
    "an error": (_raise, "failed (OSError)"),
    "no flow": (lambda: "s3cret", "failed (AttributeError)"),
    "no request": (lambda: _ask_and_return("s3cret"), "asked for something else than a request"),
    "no token": (lambda: _ask_and_return(_ASKED), "returned something else than a token"),
    "text": (lambda: _ask_and_return(_ASKED, "s3cret"), "returned something else than a token"),
}


@pytest.mark.parametrize(("does", "said"), _FOREIGN.values(), ids=_FOREIGN)
def test_what_another_package_does_wrong_is_told(client: OAuthClient, does: Callable[[], Any], said: str) -> None:
    """A strategy of another package that breaks the contract is named with what it did, and not with what it said."""
    strategy = _Foreign(client, does)
    flow = token_flow(strategy, strategy.acquire)

    def drive() -> None:
        next(flow)
        flow.send(Response(200))

    _refused(drive, said)


@pytest.mark.parametrize(
    ("does", "said"),
    [(_raise, "failed (OSError)"), (lambda: "s3cret", "returned something else than a refresh token")],
)
def test_a_refresh_token_that_is_none_is_told(client: OAuthClient, does: Callable[[], Any], said: str) -> None:
    """A strategy of another package that has something else for a refresh token is named."""
    _refused(lambda: initial_refresh_token(_Foreign(client, does)), said)


def _refused(does: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        does()
    assert caught.value.message == f"The strategy vault  {said}."
    assert caught.value.hint == "Upgrade or reinstall the package that it comes from, or choose another strategy."
    assert caught.value.__context__ is None
