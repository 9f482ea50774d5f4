"""Secrets that are rotated while a program runs: references are followed again after a definite refusal."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import pytest
from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import ConfigurationError, CredentialsRefused, WrongCompany
from procountor_auth.tokens import rotation as rotation_module
from procountor_auth.tokens.rotation import PAUSE, Rotation
from tests.variables import inherited

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.events import Event
    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]

pytestmark = [pytest.mark.server]

_KEY: Final = "PROCOUNTOR_API_KEY"

_FORK: Final = """
import os, threading
from procountor_auth import Settings, TokenSource

source = TokenSource.from_env()
rotation = source.bind().provider.rotation
begun, done = threading.Event(), threading.Event()
followed = Settings.followed

def slowly(self, **how):
    begun.set()
    done.wait()
    return followed(self, **how)

Settings.followed = slowly
thread = threading.Thread(target=rotation.found)
thread.start()
begun.wait()
child = os.fork()
if not child:
    Settings.followed = followed
    os._exit(0 if rotation.found() is None else 1)
done.set()
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


class Keys:
    """An API key in a file, and the way to replace it."""

    def __init__(self, sandbox: Sandbox, path: Path) -> None:
        self.sandbox = sandbox
        self.path = path
        self.variables = sandbox.environment("client_credentials")
        path.write_text(self.variables[_KEY])

    def revoke(self) -> None:
        """Make the key worthless."""
        self.sandbox.world.revoke_api_key(self.path.read_text())

    def rotate(self, company: int | None = None) -> str:
        """Put a new key in its place, and return it."""
        old = self.sandbox.world.api_keys()[0]
        new = self.sandbox.world.create_api_key(old.client_id, old.user_id, company or old.company_id)
        self.revoke()
        self.path.write_text(new)
        return new


@pytest.fixture
def keys(sandbox: Sandbox, tmp_path: Path, environment: Environment) -> Keys:
    """The environment of client_credentials, with a reference to its key."""
    keys = Keys(sandbox, tmp_path / "key")
    environment(keys.variables | {_KEY: f"file:{keys.path}"})
    return keys


def test_a_rotated_key_is_used_without_a_restart(keys: Keys, caplog: pytest.LogCaptureFixture) -> None:
    """After the server has refused the old key, the reference leads to the new one, and callers get their token."""
    source = TokenSource.from_env()
    first = source.token()
    keys.rotate()
    with caplog.at_level(logging.INFO, "procountor_auth"):
        second = source.renew(first)
    assert "a secret was refused, and its reference leads to another one by now (api_key)" in caplog.messages
    assert second.access_token != first.access_token
    source.invalidate()
    assert source.token().access_token not in {first.access_token, second.access_token}


def test_the_same_key_is_refused_once(keys: Keys, token_requests: Callable[[Sandbox], list[str]]) -> None:
    """Where the reference still leads to the same secret, the refusal stands, and nothing is sent again."""
    source = TokenSource.from_env()
    keys.revoke()
    with pytest.raises(CredentialsRefused):
        source.token()
    assert token_requests(keys.sandbox) == ["client_credentials"]


def test_a_reference_that_fails_by_now_leaves_the_refusal(keys: Keys, caplog: pytest.LogCaptureFixture) -> None:
    """The caller is told what the server said; the log has why the reference could not be followed again."""
    source = TokenSource.from_env()
    keys.revoke()
    keys.path.unlink()
    with pytest.raises(CredentialsRefused), caplog.at_level(logging.WARNING):
        source.token()
    assert "its reference can't be followed again: PROCOUNTOR_API_KEY names a file that does not exist" in caplog.text


def test_another_company_s_key_is_not_gone_on_with(keys: Keys) -> None:
    """A request that was begun for one company is never repeated with the token of another one."""
    world = keys.sandbox.world
    source = TokenSource.from_env()
    first = source.token()
    company = world.add_company("Another").id
    world.grant_user_access(world.api_keys()[0].user_id, company)
    keys.rotate(company)
    with pytest.raises(WrongCompany, match=rf"is of company {company} by now"):
        source.renew(first)
    assert source.reload()
    assert source.token().company_id == company


def test_a_key_that_is_wrong_as_well_is_replaced_without_a_restart(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever puts a wrong key in place of a revoked one, and then the right one, need not restart the program."""
    now = time.monotonic()
    source = TokenSource.from_env()
    rotation = source.bind().provider.rotation
    monkeypatch.setattr(rotation, "_monotonic", lambda: now)
    source.token()
    right = keys.rotate()
    keys.path.write_text("wr0ng-key")
    source.invalidate()
    for _ in range(2):
        with pytest.raises(CredentialsRefused):
            source.token()
    keys.path.write_text(right)
    now += PAUSE
    caplog.clear()
    with caplog.at_level(logging.INFO, "procountor_auth"):
        assert source.token().company_id == int(keys.sandbox.company)
    assert "a secret was refused, and its reference leads to another one by now (api_key)" in caplog.messages


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_wait_for_what_its_parent_follows(keys: Keys) -> None:
    """A process that is forked while a thread follows references again, such as a command, follows them itself."""
    said = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORK],
        env=inherited() | keys.variables | {_KEY: f"file:{keys.path}"},
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert said.stdout == "0\n"


def test_a_reference_that_leads_back_is_followed_back() -> None:
    """What was found is used until the reference leads elsewhere, fails or leads back; the log tells of each once."""
    now, secrets = 0.0, iter(["b", "b", None, "c", "a"])

    class Following:
        references: ClassVar = {"api_key": SecretStr("file:key")}

        def __init__(self, key: str) -> None:
            self.key = key
            self.company = None

        def followed(self, *, again: bool) -> Following:
            assert again
            found = next(secrets)
            if found is None:
                raise ConfigurationError("It is gone.")
            return Following(found)

    rotation = Rotation(cast("Any", Following("a")), lambda: now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotation_module, "credentials_digest", lambda settings: settings.key)
        found = []
        for _ in range(5):
            each: Any = rotation.found()
            assert rotation.found() is each  # not followed again at once
            found.append(getattr(each, "key", None))
            now += PAUSE
    assert found == ["b", "b", "b", "c", None]


def test_a_rotation_names_the_profile(keys: Keys, environment: Environment, caplog: pytest.LogCaptureFixture) -> None:
    """With profiles, the log and the error of a rotation to another company say whose it is."""
    world = keys.sandbox.world
    named = {f"PROCOUNTOR_PROFILES__ACME__{_KEY.removeprefix('PROCOUNTOR_')}": f"file:{keys.path}"}
    environment({name: value for name, value in keys.variables.items() if name != _KEY} | named)
    source = TokenSource.from_env(profile="acme")
    first = source.token()
    company = world.add_company("Another").id
    world.grant_user_access(world.api_keys()[0].user_id, company)
    keys.rotate(company)
    with caplog.at_level(logging.INFO, "procountor_auth"), pytest.raises(WrongCompany) as caught:
        source.renew(first)
    assert caught.value.profile == "acme"
    told = [each for each in caplog.records if "leads to another one" in each.getMessage()]
    assert {getattr(record, "procountor_profile", None) for record in told} == {"acme"}


def test_reload_follows_references_again(keys: Keys) -> None:
    """`reload()` takes the new key at once, and says that tokens come from elsewhere; a broken one changes nothing."""
    source = TokenSource.from_env()
    source.token()
    keys.rotate()
    assert source.reload()
    good = source.token()
    keys.path.unlink()
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_API_KEY"):
        source.reload()
    assert source.token() is good


def test_a_rotated_secret_comes_before_the_fallback(keys: Keys, environment: Environment) -> None:
    """With a fallback, the new secret is tried first, and nobody falls back to the legacy login."""
    legacy = keys.sandbox.environment("legacy_password")
    environment(
        legacy
        | keys.variables
        | {
            _KEY: f"file:{keys.path}",
            "PROCOUNTOR_FALLBACK_STRATEGY": "legacy_password",
            "PROCOUNTOR_LEGACY_POLICY": "allow",
        }
    )
    events: list[Event] = []
    source = TokenSource.from_env(on_event=events.append)
    first = source.token()
    keys.rotate()
    assert source.renew(first).strategy == "client_credentials"
    assert "FellBack" not in {type(event).__name__ for event in events}


@pytest.mark.process
def test_four_secrets_of_two_profiles_are_rotated(sandbox: Sandbox, tmp_path: Path, environment: Environment) -> None:
    """Client secret and API key of two profiles come from commands; each is rotated while both sources go on."""
    world = sandbox.world
    common = sandbox.environment("client_credentials")
    clients: dict[str, str] = {}
    variables = {
        "PROCOUNTOR_STRATEGY": "client_credentials",
        "PROCOUNTOR_BASE_URL": common["PROCOUNTOR_BASE_URL"],
        "PROCOUNTOR_REDIRECT_URI": common["PROCOUNTOR_REDIRECT_URI"],
    }
    user = world.users()[0].id
    for name in ("acme", "beta"):
        client = world.add_client(common["PROCOUNTOR_REDIRECT_URI"])
        company = world.add_company(name).id
        world.grant_user_access(user, company)
        clients[name] = client.client_id
        key = world.create_api_key(client.client_id, user, company)
        prefix = f"PROCOUNTOR_PROFILES__{name.upper()}__"
        variables[f"{prefix}CLIENT_ID"] = client.client_id
        for setting, value in {"client_secret": client.client_secret, "api_key": key}.items():
            (tmp_path / f"{name}-{setting}").write_text(value)
            variables[f"{prefix}{setting.upper()}"] = f"command:cat {tmp_path / f'{name}-{setting}'}"
    environment(variables)
    sources = {name: TokenSource.from_env(profile=name) for name in clients}
    tokens = {name: source.token() for name, source in sources.items()}
    for name, source in sources.items():
        (old,) = (each for each in world.api_keys() if each.client_id == clients[name])
        world.revoke_api_key((tmp_path / f"{name}-api_key").read_text())
        (tmp_path / f"{name}-api_key").write_text(world.create_api_key(old.client_id, old.user_id, old.company_id))
        (tmp_path / f"{name}-client_secret").write_text(world.replace_client_secret(clients[name]).client_secret)
        renewed = source.renew(tokens[name])
        assert renewed.company_id == tokens[name].company_id
        assert renewed.access_token != tokens[name].access_token
