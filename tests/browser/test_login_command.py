"""The commands `login` and `key create` with a real browser, end to end. `row_NN`: the conformance list."""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from procountor_auth.sandbox import Sandbox
from procountor_auth.transport.backend import backend
from tests.browser.person import log_in, pick, wrong_with_looks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from tests.forkserver.forkserver import ForkServer

    Environment = Callable[[dict[str, str]], None]

ROOT: Final = Path(__file__).parents[2]


class Command:
    """The command while it runs."""

    def __init__(self, program: str, *arguments: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # The address is opened in the browser of the test, not in that of whoever runs it.
            env=os.environ | {"PYTHONPATH": str(ROOT), "BROWSER": "/bin/true"} | variables,
        )

    def login_url(self) -> str:
        """Return the address of the login page, which is printed."""
        assert self.process.stderr
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            if found := re.fullmatch(r"    (http\S+)\n", line):
                return found[1]
        raise AssertionError("".join(seen))

    def ends(self) -> tuple[int, str, str]:
        """Wait for its end; return the status and the rest of what it prints."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def start(fork_server: ForkServer) -> Iterator[Callable[..., Command]]:
    """Start the command."""
    commands = []

    def run(*arguments: str, **variables: str) -> Command:
        commands.append(Command(fork_server.command, *arguments, **variables))
        return commands[-1]

    yield run
    for command in commands:
        with command.process as process:
            process.kill()


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(params=["portless", "fixed", "name"])
def service(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox whose client has a redirect URI on this machine, of each kind in turn."""
    registered = {
        "portless": "http://127.0.0.1/callback",
        "fixed": f"http://127.0.0.1:{free_port()}/callback",
        "name": f"http://localhost:{free_port()}/callback",
    }
    with Sandbox(redirect_uri=registered[request.param]) as sandbox:
        yield sandbox


@pytest.fixture
def portless() -> Iterator[Sandbox]:
    """A sandbox whose client has a redirect URI on this machine without a port."""
    with Sandbox(redirect_uri="http://127.0.0.1/callback") as sandbox:
        yield sandbox


def stored(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """Return the variables of a sandbox, with tokens in a folder."""
    return sandbox.environment("authorization_code") | {"PROCOUNTOR_TOKEN_STORE": f"file:{folder / 'tokens'}"}


def companies_name(api_url: str) -> str:
    """Read `sessioninfo` as a program does, with what the environment describes; return the company's name."""
    authentication = importlib.import_module(f"procountor_auth.{backend.__name__}").ProcountorAuth()
    assert authentication.api_url == api_url
    with backend.Client(auth=authentication, base_url=api_url, trust_env=False) as client:
        return str(client.get("sessioninfo").raise_for_status().json()["name"])


def test_a_login_ends_in_sessioninfo(
    service: Sandbox, start: Callable[..., Command], page: Page, environment: Environment, tmp_path: Path
) -> None:
    """A person logs in and picks a company; the page says so, and a program reads `sessioninfo` with what is stored."""
    variables = stored(service, tmp_path)
    command = start("login", "--json", **variables)
    page.goto(command.login_url())
    log_in(page, service)
    pick(page, "Second Sandbox Oy")
    page.get_by_role("heading", name="Login complete.").wait_for()
    status, out, _ = command.ends()
    assert (status, json.loads(out)["company_id"]) == (0, 14160)
    environment(variables)
    assert companies_name(f"{service.base_url}/api") == "Second Sandbox Oy"
    assert [entry["secret_in_url"] for entry in service.log() if entry["secret_in_url"]] == []


def test_row_25_the_page_after_the_login(
    portless: Sandbox,
    start: Callable[..., Command],
    page: Page,
    tmp_path: Path,
    violations: Callable[[Page], list[str]],
) -> None:
    """The page is readable with any means and at any width, light and dark; it loads nothing and breaks no policy."""
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    command = start("login", **stored(portless, tmp_path))
    page.goto(command.login_url())
    log_in(page, portless)
    page.on("request", lambda request: asked.append(request.url))
    pick(page, "Second Sandbox Oy")
    page.get_by_role("heading", name="Login complete.").wait_for()
    assert command.ends()[0] == 0
    assert page.get_by_role("main").inner_text().split("\n\n") == [
        "Login complete.",
        "Close this tab and return to your terminal.",
    ]
    assert page.title() == "Login complete - procountor-auth"
    assert complaints == []
    assert asked
    # The redirect, and perhaps the icon that browsers look for; nothing that the page names.
    asked = [url for url in asked if not url.startswith(portless.base_url)]
    assert [url for url in asked if "/callback?" not in url and "favicon" not in url] == []
    code = re.findall("code=([^&]+)", page.url)[0]
    assert code not in page.content()
    assert wrong_with_looks(page, violations) == []
    # The style that is in the page is the one that its policy lets through.
    assert page.evaluate("getComputedStyle(document.querySelector('main')).borderLeftStyle") == "solid"


def test_a_denial_ends_the_command(
    portless: Sandbox,
    start: Callable[..., Command],
    page: Page,
    tmp_path: Path,
    violations: Callable[[Page], list[str]],
) -> None:
    """If the person denies, the page and the command say so, and nothing is stored."""
    command = start("login", **stored(portless, tmp_path))
    page.goto(command.login_url())
    page.get_by_role("button", name="Deny").click()
    page.get_by_role("heading", name="You declined the login.").wait_for()
    assert page.get_by_role("main").inner_text().split("\n\n") == ["You declined the login.", "You can close this tab."]
    status, out, err = command.ends()
    assert (status, out) == (1, "")
    assert "declined" in err
    assert not list((tmp_path / "tokens").glob("*.json"))
    assert wrong_with_looks(page, violations) == []


def test_a_wrong_password_can_be_corrected(
    portless: Sandbox, start: Callable[..., Command], page: Page, tmp_path: Path
) -> None:
    """A wrong password stays between the person and the login page: the command waits on."""
    command = start("login", **stored(portless, tmp_path))
    page.goto(command.login_url())
    log_in(page, portless, password="wrong")
    page.get_by_role("alert").wait_for()
    log_in(page, portless)
    pick(page, "Second Sandbox Oy")
    page.get_by_role("heading", name="Login complete.").wait_for()
    assert command.ends()[0] == 0


def test_row_06_a_wrong_state_in_a_second_tab(
    portless: Sandbox, start: Callable[..., Command], page: Page, tmp_path: Path
) -> None:
    """A redirect with a state of somebody else is refused in its own tab, and the login goes on in the first."""
    command = start("login", "--json", **stored(portless, tmp_path))
    url = command.login_url()
    page.goto(url)
    redirect_uri = parse_qs(urlsplit(url).query)["redirect_uri"][0]
    other = page.context.new_page()
    for query in ("code=stolen&state=wrong", "code=stolen", "error=access_denied", ""):
        other.goto(f"{redirect_uri}?{query}")
        assert other.get_by_role("heading", name="This is not the response to the login").is_visible()
        assert other.get_by_text("The login is still open").is_visible()
        assert "stolen" not in other.content()
    log_in(page, portless)
    pick(page, "Second Sandbox Oy")
    page.get_by_role("heading", name="Login complete.").wait_for()
    status, out, _ = command.ends()
    assert (status, json.loads(out)["company_id"]) == (0, 14160)


def test_row_25_a_server_s_words_are_text(
    portless: Sandbox, start: Callable[..., Command], page: Page, tmp_path: Path
) -> None:
    """What a login page sends as error and description does not become part of our page."""
    command = start("login", **stored(portless, tmp_path))
    asked = {name: value for name, (value,) in parse_qs(urlsplit(command.login_url()).query).items()}
    attack = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(
        asked["redirect_uri"]
        + "?"
        + urlencode(
            {"state": asked["state"], "error": attack, "error_description": attack, "error_uri": "javascript:1"}
        )
    )
    page.get_by_role("heading", name="The login failed").wait_for()
    assert page.title() == "The login failed - procountor-auth"
    assert page.locator("script, img, a").count() == 0
    assert "taken" not in page.content()
    status, _, err = command.ends()
    assert (status, "The login page responded with an error." in err, "taken" in err) == (1, True, False)


def test_a_key_ends_in_a_token(
    portless: Sandbox, start: Callable[..., Command], page: Page, environment: Environment, tmp_path: Path
) -> None:
    """A person logs in for an API key; the printed variable gets a program to `sessioninfo` with no person."""
    client = portless.environment("client_credentials")
    del client["PROCOUNTOR_API_KEY"]
    command = start("key", "create", **client)
    page.goto(command.login_url())
    log_in(page, portless)
    pick(page, "Second Sandbox Oy")
    page.get_by_role("heading", name="Login complete.").wait_for()
    status, out, _ = command.ends()
    assert status == 0
    (tmp_path / ".env").write_text(out)
    environment(client)
    assert companies_name(f"{portless.base_url}/api") == "Second Sandbox Oy"
