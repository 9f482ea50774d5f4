"""The command `procountor-auth login`, run as a process. `row_NN` is a row of the conformance list."""

from __future__ import annotations

import json
import random
import re
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from procountor_auth import TokenSource
from procountor_auth.errors import InteractionRequired
from procountor_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Browser, Command, Person

    Variables = Callable[..., dict[str, str]]
    Start = Callable[..., Command]

PORTLESS: Final = "http://127.0.0.1/callback"
HIDE: Final = "import sys; sys.modules[{!r}] = None; from procountor_auth.cli import main; main()"


@pytest.fixture
def service() -> Iterator[Sandbox]:
    """A sandbox whose client has a redirect URI on this machine, without a port."""
    with Sandbox(redirect_uri=PORTLESS) as sandbox:
        yield sandbox


def port_of(url: str) -> int:
    """Return the port of the redirect URI in a login URL."""
    return urlsplit(dict(parse_qsl(urlsplit(url).query))["redirect_uri"]).port or 80


def is_listened_at(port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def test_a_login_is_stored_for_the_programs(
    service: Sandbox,
    variables: Variables,
    start: Start,
    person: Person,
    *,
    system_browser: Browser,
    environment: Callable[[dict[str, str]], None],
) -> None:
    """One line says what was stored where; a program with the same environment then has the token, with no login."""
    command = start("login", at=service)
    url, _ = system_browser.opened()
    page = person.opens(person.logs_in(url, service))
    status, out, err = command.ends()
    assert (status, "Login complete" in page) == (0, True)
    assert re.fullmatch(
        rf"Logged in: company {service.company}, user {service.user_id} \(from the token\)\. "
        r"The token is stored in file:\S+/tokens and can be renewed until \d{4}-\d\d-\d\d \d\d:\d\d UTC\.\n"
        r"Next: procountor-auth token\n",
        out,
    )
    environment(variables(service))
    asked = len(service.log())
    token = TokenSource.from_env().token()
    assert token.company_id == int(service.company)
    assert len(service.log()) == asked
    assert token.access_token not in out + err
    assert str(token.refresh_token) not in out + err


def test_row_23_the_system_s_browser_is_opened(
    service: Sandbox,
    start: Start,
    person: Person,
    system_browser: Browser,
) -> None:
    """The login happens in the system's browser, which gets the printed address and none of our variables."""
    command = start("login", "--json", at=service)
    url, passed_on = system_browser.opened()
    assert command.login_url() == url
    assert url.startswith(f"{service.base_url}/login?")
    assert [name for name in passed_on if "PROCOUNTOR" in name.upper()] == []
    assert service.client_secret not in str(passed_on)
    person.opens(person.logs_in(url, service))
    status, out, _ = command.ends()
    # The browser's own words do not get into our output.
    assert (status, out.count("\n"), json.loads(out)["company_id"]) == (0, 1, int(service.company))


def test_json_has_what_was_stored_and_no_token(service: Sandbox, start: Start, person: Person) -> None:
    """With `--json`, standard output is one object, with the IDs, the times and the store."""
    command = start("login", "--json", at=service)
    person.opens(person.logs_in(command.login_url(), service))
    status, out, _ = command.ends()
    stored = json.loads(out)
    names = ["profile", "company_id", "user_id", "expires_at", "refresh_expires_at", "store"]
    assert (status, list(stored)) == (0, names)
    assert (stored["company_id"], stored["user_id"]) == (int(service.company), service.user_id)
    assert 0 < stored["expires_at"] < stored["refresh_expires_at"]
    assert stored["store"].startswith("file:/")


def test_a_store_s_url_is_not_printed(service: Sandbox, start: Start, person: Person, redis_url: str) -> None:
    """A URL may have a password in it: only the kind of store is named."""
    command = start("login", "--json", at=service, token_store=redis_url)
    person.opens(person.logs_in(command.login_url(), service))
    status, out, err = command.ends()
    assert (status, json.loads(out)["store"]) == (0, "redis")
    assert redis_url not in out + err


@pytest.mark.parametrize("registered", [PORTLESS, "redirect-uri-placeholder", "https://app.example/callback"])
def test_the_address_can_be_pasted(start: Start, person: Person, registered: str) -> None:
    """With `--no-browser`, wrong pastes are explained and asked for again, and the right one brings the token."""
    with Sandbox(redirect_uri=registered) as service:
        command = start("login", "--no-browser", "--json", at=service)
        url = command.login_url()
        assert dict(parse_qsl(urlsplit(url).query))["redirect_uri"] == registered
        right = person.logs_in(url, service)
        for wrong, problem in (
            ("", ""),
            ("what?", "does not lead to the client's redirect URI"),
            (url, "does not lead to the client's redirect URI"),
            (right.replace("state=", "state=x"), "not the one that was sent"),
            (right.partition("&")[0], "has no state"),
        ):
            command.says(wrong)
            if problem:
                assert command.asks(f"does not complete the login.*({problem})")
        command.says(f"  {right}  ")
        status, out, err = command.ends()
        assert (status, json.loads(out)["company_id"]) == (0, int(service.company))
        assert dict(parse_qsl(urlsplit(right).query))["code"] not in out + err


def test_where_nothing_can_listen_the_browser_opens_and_the_address_is_pasted(
    sandbox: Sandbox,
    start: Start,
    person: Person,
    system_browser: Browser,
) -> None:
    """With a redirect URI that does not lead to this machine, a line says why the address has to be pasted."""
    command = start("login", at=sandbox)
    url, _ = system_browser.opened()
    assert command.asks("(PROCOUNTOR_REDIRECT_URI) does not lead to this machine")
    command.says(person.logs_in(url, sandbox))
    status, out, _ = command.ends()
    assert (status, out.startswith("Logged in: ")) == (0, True)


def test_the_last_line_needs_no_end(service: Sandbox, start: Start, person: Person) -> None:
    """An address that comes from a pipe without a line end is taken too."""
    command = start("login", "--no-browser", at=service)
    command.says(person.logs_in(command.login_url(), service), end="")
    assert command.ends()[0] == 0


def test_an_end_of_input_ends_the_login(service: Sandbox, start: Start) -> None:
    """If there is nothing to read any more, the command says that there is no login."""
    status, out, err = start("login", "--no-browser", at=service).ends()
    assert (status, out) == (1, "")
    assert err.endswith("Nothing was pasted; the login is not complete.\n")


@pytest.mark.parametrize("pasted", [False, True])
def test_a_denial_is_told(service: Sandbox, start: Start, person: Person, *, pasted: bool) -> None:
    """If the person declines, the command says so with status 1, and the page says the same."""
    command = start("login", *(["--no-browser"] if pasted else []), at=service)
    denied = person.logs_in(command.login_url(), service, action="deny")
    if pasted:
        command.says(denied)
    else:
        assert "declined" in person.opens(denied)
    status, out, err = command.ends()
    assert (status, out) == (1, "")
    assert err.endswith("procountor-auth: The login was declined on the login page.\nStart the login again.\n")


def test_row_06_a_wrong_state_does_not_end_the_command(service: Sandbox, start: Start, person: Person) -> None:
    """While the command waits, a redirect with another state is refused, and then the right one accepted."""
    command = start("login", at=service)
    right = person.logs_in(command.login_url(), service)
    assert "not the response to the login" in person.opens(right.replace("state=", "state=x"))
    assert "Login complete" in person.opens(right)
    assert command.ends()[0] == 0


@pytest.mark.parametrize("how", [[], ["--no-browser"]])
def test_row_21_nobody_comes_back(service: Sandbox, start: Start, how: list[str]) -> None:
    """After `--timeout` seconds the command gives up with status 1, and says what to do."""
    command = start("login", *how, "--timeout", "1", at=service)
    command.process.wait(30)  # with the input still open
    status, out, err = command.ends()
    assert (status, out) == (1, "")
    assert re.search(r"^procountor-auth: .* within 1 seconds\.\n.*--timeout", err, re.MULTILINE)


@pytest.mark.parametrize("how", [[], ["--no-browser"]])
def test_row_21_ctrl_c(start: Start, how: list[str]) -> None:
    """Ctrl-C ends the command with status 130 and without a word, and frees the port."""
    # Below those that the system gives away, so that no other test gets it as soon as it is free.
    some = random.SystemRandom().sample(range(10_000, 30_000), 100)  # the two of them run at the same time
    port = next(port for port in some if not is_listened_at(port))
    with Sandbox(redirect_uri=f"http://127.0.0.1:{port}/callback") as service:
        command = start("login", *how, at=service)
        command.login_url()
        command.asks("(Waiting|Log in there)")
        assert is_listened_at(port) is not bool(how)
        command.interrupt()
        status, out, err = command.ends()
    assert (status, out) == (130, "")
    assert err.strip() in {"", "No browser could be started here.", "Paste that whole address here:"}
    assert not is_listened_at(port)


def test_row_19_a_registered_port_that_is_taken(start: Start) -> None:
    """If somebody has the registered port, the command says which variable names it, and what else can be done."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with Sandbox(redirect_uri=f"http://127.0.0.1:{port}/callback") as service:
            status, out, err = start("login", at=service).ends()
            assert service.log() == []
    assert (status, out) == (1, "")
    assert f"Port {port} of 127.0.0.1, as in PROCOUNTOR_REDIRECT_URI" in err
    assert "--no-browser" in err


def test_a_browser_that_can_t_be_started_is_told(service: Sandbox, start: Start, person: Person) -> None:
    """Without a browser here, the printed address can be opened in another one, and the login goes on."""
    command = start("login", at=service, environment={"BROWSER": "/bin/false", "PATH": ""})
    url = command.login_url()
    assert command.asks("(No browser could be started)")
    assert "Login complete" in person.opens(person.logs_in(url, service))
    assert command.ends()[0] == 0


def test_a_file_named_like_a_module_is_not_run(
    service: Sandbox,
    start: Start,
    system_browser: Browser,
    tmp_path: Path,
) -> None:
    """A `webbrowser.py` in the working directory is not what opens the browser."""
    (tmp_path / "webbrowser.py").write_text("raise SystemExit(1)\n")
    command = start("login", at=service)
    assert system_browser.opened()[0] == command.login_url()


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"token_store": "memory"}, 2, r"PROCOUNTOR_TOKEN_STORE is memory.*\n.*file, keyring or redis"),
        ({"token_store": ""}, 2, r"PROCOUNTOR_TOKEN_STORE is memory"),
        ({"strategy": "client_credentials", "api_key": "x"}, 2, r"PROCOUNTOR_STRATEGY=authorization_code procountor-"),
        (
            {"strategy": "legacy_password", "username": "x", "password": "x", "company": "1"},
            2,
            r"PROCOUNTOR_STRATEGY=authorization_code procountor-",
        ),
        ({"client_secret": ""}, 2, r"PROCOUNTOR_CLIENT_SECRET is missing"),
        ({"base_url": "https://x/rest"}, 2, r"PROCOUNTOR_BASE_URL must be the host alone"),
        ({"token_store": "file:/dev/null/x"}, 1, r"/dev/null"),
        ({"token_store": "redis://127.0.0.1:1/0"}, 1, r"Redis"),
    ],
)
@pytest.mark.parametrize("how", [[], ["--no-browser"]])
def test_what_can_t_end_well_does_not_begin(
    service: Sandbox,
    start: Start,
    *,
    changes: dict[str, str],
    status: int,
    said: str,
    how: list[str],
) -> None:
    """A configuration or a store that can't be used is told before anybody logs in."""
    ended, out, err = start("login", *how, at=service, **changes).ends()
    assert (ended, out) == (status, "")
    assert err.startswith("procountor-auth: ")
    assert re.search(said, err)
    assert "login?" not in err
    assert service.log() == []


def test_a_token_that_could_not_be_stored_is_no_success(service: Sandbox, start: Start, person: Person) -> None:
    """If the store takes no token after all, the command fails and says so."""
    no_files = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); "
        "from procountor_auth.cli import main; main()"
    )
    command = start("login", at=service, program=no_files)
    person.opens(person.logs_in(command.login_url(), service))
    status, out, err = command.ends()
    assert (status, out) == (1, "")
    why, what = err.splitlines()[-3:-1]
    assert why.startswith("procountor-auth: error: the new token is not stored: ")
    assert what == "procountor-auth: The login succeeded, but the token could not be stored."


def test_an_exchange_that_fails_is_told(service: Sandbox, start: Start, person: Person) -> None:
    """If the server refuses the client's secret, page and command name the variable, and nothing is stored."""
    command = start("login", at=service, client_secret="wr0ng")
    page = person.opens(person.logs_in(command.login_url(), service))
    status, out, err = command.ends()
    assert (status, out) == (1, "")
    for said in (page, err):
        assert "PROCOUNTOR_CLIENT_SECRET" in said
        assert "wr0ng" not in said


def test_accounts_are_apart(
    service: Sandbox,
    variables: Variables,
    start: Start,
    person: Person,
    environment: Callable[[dict[str, str]], None],
) -> None:
    """`--account` stores the token where `TokenSource.from_env(account=…)` looks for it, and nowhere else."""
    command = start("login", "--account", "anna", at=service)
    person.opens(person.logs_in(command.login_url(), service))
    assert command.ends()[0] == 0
    environment(variables(service))
    assert TokenSource.from_env(account="anna").token().user_id == service.user_id
    with pytest.raises(InteractionRequired, match="no refresh token") as caught:
        TokenSource.from_env().token()
    assert "procountor-auth login" in caught.value.hint


def test_a_profile_s_login_is_for_the_profile(
    service: Sandbox,
    variables: Variables,
    start: Start,
    person: Person,
    *,
    environment: Callable[[dict[str, str]], None],
    write_profiles: Callable[..., Path],
) -> None:
    """`--profile` stores the token where `TokenSource.from_env(profile=…)` looks for it, and nowhere else."""
    file = write_profiles(acme={}, beta={"strategy": "client_credentials", "api_key": "x"})
    described = variables(service) | {"PROCOUNTOR_PROFILES_FILE": str(file)}
    command = start("login", "--profile", "ACME", "--json", environment=described)
    person.opens(person.logs_in(command.login_url(), service))
    status, out, _ = command.ends()
    assert (status, json.loads(out)["profile"]) == (0, "acme")
    environment(described)
    assert TokenSource.from_env(profile="acme").token().user_id == service.user_id
    with pytest.raises(InteractionRequired):
        TokenSource.from_env().token()
    status, _, err = start("login", "--profile", "beta", environment=described).ends()
    assert status == 2
    assert "PROCOUNTOR_PROFILES__BETA__STRATEGY=authorization_code procountor-auth login --profile beta\n" in err


@pytest.mark.parametrize("arguments", [["--timeout", "0"], ["--timeout", "x"], ["--timeout", "nan"], ["more"]])
def test_usage_errors(start: Start, arguments: list[str]) -> None:
    """A wrong option is a usage error, status 2."""
    status, out, err = start("login", *arguments).ends()
    assert (status, out) == (2, "")
    assert arguments[0] in err


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("typer", ["login"]),
        ("typer", ["key", "create"]),
        ("typer", ["sandbox", "faults"]),
        ("typer", []),
        ("rich", ["status"]),
        ("rich", ["doctor", "--offline"]),
    ],
)
def test_a_missing_extra_is_the_right_one(start: Start, package: str, arguments: list[str]) -> None:
    """Without the command's packages, the extra to install is `[cli]`, except for the sandbox."""
    status, out, err = start(*arguments, program=HIDE.format(package)).ends()
    assert (status, out) == (2, "")
    assert err == "procountor-auth needs its command line extra: pip install 'procountor-auth[cli]'\n"


@pytest.mark.parametrize("package", ["flask", "typer"])
def test_the_sandbox_has_an_extra_of_its_own(start: Start, package: str) -> None:
    """The sandbox asks for `[sandbox]`."""
    assert start("sandbox", program=HIDE.format(package)).ends() == (
        2,
        "",
        "procountor-auth needs its command line extra: pip install 'procountor-auth[sandbox]'\n",
    )


def test_a_login_needs_no_flask(service: Sandbox, start: Start, person: Person) -> None:
    """With the extra `[cli]` alone the login works."""
    command = start("login", at=service, program=HIDE.format("flask"))
    person.opens(person.logs_in(command.login_url(), service))
    assert command.ends()[0] == 0


def test_the_module_is_the_command(start: Start) -> None:
    """`python -m procountor_auth` lists the commands."""
    status, out, _ = start("--help").ends()
    assert status == 0
    assert all(name in out for name in ("login", "key", "sandbox"))
