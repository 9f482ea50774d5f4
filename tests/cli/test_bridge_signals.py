"""The signals that `procountor-auth bridge` hears: those that end it, and the one that has it read profiles again."""

from __future__ import annotations

import os
import pty
import signal
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from procountor_auth.transport.backend import backend as httpx
from tests.certificate import Certificate
from tests.cli.bridge import OTHER, Serving, Unfinished, common, configured, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Command

    Start = Callable[..., Command]
    WriteProfiles = Callable[..., Path]

RELOADED = r"the configuration was read again: (\d logins are served, \d of them new, and \d no longer)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_under_way_is_answered(start: Start, sandbox: Sandbox, number: int) -> None:
    """A signal ends it with status 0: nobody can connect any more, and who is connected gets the answer first."""
    serving = Serving(start, environment=configured(sandbox))
    with serving.program(sandbox) as program:
        unfinished = Unfinished(serving.url, program)
    serving.command.process.send_signal(number)
    serving.refuses_connections()
    assert unfinished.ends().startswith("HTTP/1.1 302 ")
    status, out, _ = serving.command.ends()
    assert (status, out) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(start: Start, sandbox: Sandbox, number: int) -> None:
    """After a second one nobody waits for a request: its connection is closed, and the log says that it was aborted."""
    serving = Serving(start, environment=configured(sandbox))
    with serving.program(sandbox) as program:
        unfinished = Unfinished(serving.url, program)
    serving.command.process.send_signal(number)
    serving.refuses_connections()
    status, out, log = serving.stops(number)
    assert (status, out) == (0, "")
    assert [(each["level"], each["message"]) for each in log] == [("info", "POST /api/oauth/authz aborted")]
    assert "302" not in unfinished.says()


def test_sighup_reads_the_profiles_again(start: Start, sandbox: Sandbox, write_profiles: WriteProfiles) -> None:
    """Who is new can log in; who was there keeps connection and tokens; who is gone is refused from then on."""
    path = write_profiles(acme=table(sandbox), beta=table(sandbox, **OTHER))
    serving = Serving(start, environment=common(sandbox, profiles_file=str(path)))
    gamma = {"username": "gamma", "password": "of gamma"}
    with (
        serving.program(sandbox) as acme,
        serving.program(sandbox, **OTHER) as beta,
        serving.program(sandbox, **gamma) as new,
    ):
        acme.log_in()
        beta.log_in()
        assert acme.company() == beta.company() == int(sandbox.company)
        assert new.authz().status_code == 400
        connection = acme.call().extensions["network_stream"].get_extra_info("client_addr")
        asked = len([entry for entry in sandbox.log() if entry["grant_type"]])
        write_profiles(acme=table(sandbox), gamma=table(sandbox, **gamma))
        serving.command.process.send_signal(signal.SIGHUP)
        assert serving.logs(RELOADED) == "2 logins are served, 1 of them new, and 1 no longer"
        answer = acme.call()
        assert answer.status_code == 200
        assert answer.extensions["network_stream"].get_extra_info("client_addr") == connection
        assert len([entry for entry in sandbox.log() if entry["grant_type"]]) == asked  # the same token
        assert (beta.call().status_code, beta.refresh().status_code, beta.authz().status_code) == (401, 400, 400)
        new.log_in()
        assert new.company() == int(sandbox.company)


def test_a_changed_profile_gets_another_token(start: Start, sandbox: Sandbox, write_profiles: WriteProfiles) -> None:
    """A call after SIGHUP goes out with the new credentials: the old key may be revoked by then."""
    world = sandbox.world
    user = next(user for user in world.users() if user.username == sandbox.username)
    key = world.create_api_key(sandbox.client_id, user.id, int(sandbox.company))
    path = write_profiles(acme=table(sandbox))
    serving = Serving(start, environment=common(sandbox, profiles_file=str(path)))
    with serving.program(sandbox) as program:
        program.log_in()
        write_profiles(acme=table(sandbox, api_key=key, bridge_password="another one"))
        serving.command.process.send_signal(signal.SIGHUP)
        assert serving.logs(RELOADED) == "1 logins are served, 0 of them new, and 0 no longer"
        world.revoke_api_key(sandbox.api_key)
        assert program.company() == int(sandbox.company)
        assert program.authz().status_code == 400
        assert program.authz(password="another one").status_code == 302


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_url": "nowhere"}, "PROCOUNTOR_BASE_URL"),
        ({"token_store": "file:elsewhere"}, "PROCOUNTOR_TOKEN_STORE or its key is another one than before"),
        ({"strategy": "client_credential"}, "PROCOUNTOR_STRATEGY"),
    ],
)
def test_a_wrong_configuration_changes_nothing(
    start: Start, sandbox: Sandbox, write_profiles: WriteProfiles, changes: dict[str, str], said: str
) -> None:
    """Where the new configuration can't be used, the old one goes on, and an ERROR line says why."""
    path = write_profiles(acme=table(sandbox))
    serving = Serving(start, environment=common(sandbox, profiles_file=str(path)))
    with serving.program(sandbox) as program:
        program.log_in()
        write_profiles(acme=table(sandbox) | changes)
        serving.command.process.send_signal(signal.SIGHUP)
        line = serving.logs(r'^(.*"level": "error".*)$')
        assert "the new configuration can't be used, and the old one goes on" in line
        assert said in line
        assert program.company() == int(sandbox.company)
    assert serving.stops()[0] == 0


def test_sighup_reads_the_certificate_again(start: Start, sandbox: Sandbox, tmp_path: Path) -> None:
    """Who connects afterwards is shown the certificate that the file has then; one that is broken changes nothing."""
    certificate = Certificate(tmp_path)
    options = ("--certificate", str(certificate.file), "--key", str(tmp_path / "key.pem"))
    serving = Serving(start, *options, environment=configured(sandbox))

    def is_ready(file: Path) -> bool:
        trusted = ssl.create_default_context(cafile=file)
        answer = httpx.get(f"{serving.url}/_bridge/ready", verify=trusted, trust_env=False)
        return answer.status_code == 200

    assert is_ready(certificate.file)
    (tmp_path / "key.pem").write_text("no key")
    serving.command.process.send_signal(signal.SIGHUP)
    serving.logs(r"(the certificate can't be used, and the old one goes on)")
    serving.logs(RELOADED)
    assert is_ready(certificate.file)
    renewed = Certificate(tmp_path)
    serving.command.process.send_signal(signal.SIGHUP)
    serving.logs(RELOADED)
    assert is_ready(renewed.file)
    assert serving.stops()[0] == 0


def test_it_ends_with_its_terminal(sandbox: Sandbox) -> None:
    """Where somebody closes the window that it was started in, it ends, and does not take that for a wish to reload."""
    ours, side = pty.openpty()
    name = os.ttyname(side)
    process = subprocess.Popen(
        [sys.executable, "-m", "procountor_auth", "bridge", "--port", "0", "--json"],
        env=os.environ | configured(sandbox),
        stdin=side,
        stdout=subprocess.PIPE,
        stderr=side,
        start_new_session=True,
        preexec_fn=lambda: os.close(os.open(name, os.O_RDWR)),  # noqa: PLW1509 - so it is the terminal of the session
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline()
        os.close(side)
        os.close(ours)
        assert process.wait(60) == 0
