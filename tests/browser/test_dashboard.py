"""The dashboard in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Faults, Sandbox
from procountor_auth.transport.backend import backend as httpx
from tests.browser.dashboard import client_credentials, open_dashboard, token_request
from tests.browser.person import company_of, hurry, visitor, wrong_with_looks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

TOKEN = "a-token-that-only-this-test-knows"


@pytest.fixture
def public_sandbox() -> Iterator[Sandbox]:
    """A sandbox that wants to see a token."""
    with Sandbox(admin_token=TOKEN) as running:
        yield running


def create_key(page: Page, sandbox: Sandbox) -> None:
    """Get a new API key."""
    open_dashboard(page, sandbox)
    page.get_by_role("button", name="Create the API key").click()
    page.get_by_label("New API key").wait_for()


def set_faults(page: Page, sandbox: Sandbox) -> None:
    """Let the token endpoint be busy."""
    open_dashboard(page, sandbox)
    page.get_by_label("Status", exact=True).fill("429")
    page.get_by_label("Retry after").fill("7")
    page.get_by_label("Where").select_option("token")
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("The switches are set.").wait_for()


def see_nothing(page: Page, sandbox: Sandbox) -> None:
    """Look at a sandbox without requests and without keys."""
    sandbox.world.revoke_api_key(sandbox.api_key)
    page.goto(f"{sandbox.base_url}/_sandbox/")
    page.get_by_text("There are no requests yet.").wait_for()


STATES = {
    "open": open_dashboard,
    "new-key": create_key,
    "faults": set_faults,
    "empty": see_nothing,
}


@pytest.mark.parametrize("state", STATES)
def test_accessible(page: Page, violations: Callable[[Page], list[str]], sandbox: Sandbox, state: str) -> None:
    """axe-core finds nothing wrong with the dashboard in any state and look, and it fits on a phone."""
    STATES[state](page, sandbox)
    assert "not the Procountor service" in page.get_by_role("banner").inner_text()
    assert wrong_with_looks(page, violations) == []


def test_a_key_is_created_used_and_revoked(page: Page, sandbox: Sandbox) -> None:
    """A new key is shown once and works, for the chosen company; after its revocation it is refused."""
    page.goto(f"{sandbox.base_url}/_sandbox/")
    page.get_by_label("User and company").select_option(label="Sandbox User in Second Sandbox Oy (14160)")
    page.get_by_role("button", name="Create the API key").click()
    api_key = page.get_by_label("New API key").input_value()
    assert company_of(sandbox, token_request(sandbox, api_key).json()["access_token"]) == 14160
    page.reload()
    page.get_by_text("has already been shown").wait_for()
    assert api_key not in page.content()
    key_id = sandbox.world.credentials.api_key_id(api_key)
    page.get_by_role("button", name=f"Revoke the API key {key_id}").click()
    page.get_by_text("The API key is revoked.").wait_for()
    assert page.get_by_text(key_id).count() == 0
    assert token_request(sandbox, api_key).status_code == 400
    assert token_request(sandbox).status_code == 200


def test_a_key_that_is_gone(page: Page, sandbox: Sandbox) -> None:
    """Who revokes a key that somebody else has revoked meanwhile is told so."""
    page.goto(f"{sandbox.base_url}/_sandbox/")
    sandbox.world.revoke_api_key(sandbox.api_key)
    page.get_by_role("button", name="Revoke the API key").click()
    assert "no such API key" in page.get_by_role("alert").inner_text()
    assert page.title().startswith("Error: ")


@pytest.mark.parametrize("status", [429, 503])
def test_faults_by_form(page: Page, sandbox: Sandbox, status: int) -> None:
    """The next token request has the faults that were set, and a reset removes them."""
    page.goto(f"{sandbox.base_url}/_sandbox/")
    page.get_by_label("Status", exact=True).fill(str(status))
    page.get_by_label("Retry after").fill("7")
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("The switches are set.").wait_for()
    assert page.get_by_label("Status", exact=True).input_value() == str(status)
    answer = token_request(sandbox)
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "7")
    page.get_by_role("button", name="Reset all").click()
    page.get_by_text("every switch has its default.").wait_for()
    assert token_request(sandbox).status_code == 200


def test_every_kind_of_switch(page: Page, sandbox: Sandbox) -> None:
    """Choices, flags, numbers and texts arrive as they were set, and what was left alone stays as it was."""
    sandbox.faults = Faults(times=3, clock_skew=-2.5)
    page.goto(f"{sandbox.base_url}/_sandbox/")
    page.get_by_label("Revoked keys").check()
    page.get_by_label("Reset", exact=True).select_option("middle")
    page.get_by_label("Sunset", exact=True).fill("2027-01-31")
    page.get_by_label("Access token lifetime").fill("60")
    page.get_by_label("Sunset").first.press("Enter")
    page.get_by_text("The switches are set.").wait_for()
    assert sandbox.faults == Faults(times=3, clock_skew=-2.5, revoked_keys=True, reset="middle", sunset="2027-01-31")
    assert sandbox.quirks.access_token_lifetime == 60
    assert page.get_by_label("Revoked keys").is_checked()
    page.get_by_label("Revoked keys").uncheck()
    page.get_by_label("Reset", exact=True).select_option("off")
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("revoked_keys = true").wait_for(state="detached")
    assert sandbox.faults == Faults(times=3, clock_skew=-2.5, sunset="2027-01-31")


def test_live_log(page: Page, sandbox: Sandbox) -> None:
    """Requests appear on the open page, with words for a secret in the URL and for the fault, and no secret."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    page.on("console", note)
    hurry(page)
    page.goto(f"{sandbox.base_url}/_sandbox/")
    token_request(sandbox)
    rows = page.get_by_role("region", name="Requests").locator("summary")
    rows.first.wait_for()
    sandbox.faults = Faults(status=503, times=1)
    httpx.post(f"{sandbox.base_url}/api/oauth/token?password=hunter2", trust_env=False)
    page.get_by_text("secret in URL").wait_for()
    cells = [row.locator("> :not(time)").all_inner_texts() for row in rows.all()]
    owner = f"company {sandbox.company} user {sandbox.user_id} {sandbox.client_id}"
    assert [[" ".join(cell.split()) for cell in row] for row in cells] == [
        ["503", "POST /api/oauth/token", "secret in URL injected: status", ""],
        ["200", "POST /api/oauth/token client_credentials", "", owner],
    ]
    before = rows.all_inner_texts()
    page.reload()
    assert rows.all_inner_texts() == before
    assert "hunter2" not in page.content()
    assert complaints == []


def test_the_log_can_be_paused(browser: Browser, sandbox: Sandbox) -> None:
    """Who pauses the log can read it in peace, and sees what was missed after resuming."""
    with visitor(browser) as page:
        page.clock.install()
        page.goto(f"{sandbox.base_url}/_sandbox/")
        page.get_by_text("appear here automatically").wait_for()
        page.get_by_role("button", name="Pause").click()
        page.get_by_text("Paused.").wait_for()
        token_request(sandbox)
        page.clock.run_for(5_000)
        assert client_credentials(page).count() == 0
        page.get_by_role("button", name="Resume").click()
        page.clock.run_for(1_000)
        client_credentials(page).wait_for()


def test_clear_the_log(page: Page, sandbox: Sandbox) -> None:
    """After clearing the log is empty, and later requests appear again."""
    hurry(page)
    open_dashboard(page, sandbox)
    page.get_by_role("button", name="Clear the request log").click()
    page.get_by_text("There are no requests yet.").wait_for()
    assert sandbox.log() == []
    token_request(sandbox)
    client_credentials(page).wait_for()


def test_a_sandbox_that_stops(page: Page, sandbox: Sandbox) -> None:
    """The page says that the sandbox does not respond, and goes on when it does again."""
    hurry(page)
    page.goto(f"{sandbox.base_url}/_sandbox/")
    sandbox.stop()
    page.get_by_text("does not respond").wait_for()
    sandbox.start()
    token_request(sandbox)
    client_credentials(page).wait_for()


def test_without_script(browser: Browser, sandbox: Sandbox) -> None:
    """The log, a new key and the switches work in a browser that runs no script."""
    with visitor(browser, java_script_enabled=False) as page:
        set_faults(page, sandbox)
        assert page.get_by_role("button", name="Pause").count() == 0
        assert client_credentials(page).count() == 1
        page.get_by_role("button", name="Create the API key").click()
        api_key = page.get_by_label("New API key").input_value()
        assert token_request(sandbox, api_key).status_code == 429
        page.get_by_role("button", name="Reset all").click()
        page.get_by_text("every switch has its default.").wait_for()
    assert token_request(sandbox, api_key).status_code == 200


def test_a_person_tries_the_login(page: Page, sandbox: Sandbox) -> None:
    """From the dashboard one gets to a login page that works."""
    page.goto(f"{sandbox.base_url}/_sandbox/")
    page.get_by_role("link", name="log in for an API key").click()
    page.get_by_role("heading", name="Log in for an API key").wait_for()
    page.go_back()
    page.get_by_role("link", name="Log in", exact=True).click()
    page.get_by_role("heading", name="Log in", exact=True).wait_for()


def test_token_form(page: Page, violations: Callable[[Page], list[str]], public_sandbox: Sandbox) -> None:
    """A public sandbox's dashboard asks for the token, says when it is wrong, and can be left again."""
    hurry(page)
    page.goto(f"{public_sandbox.base_url}/_sandbox/")
    assert public_sandbox.client_id not in page.content()
    assert wrong_with_looks(page, violations) == []
    page.get_by_label("Token").fill("not-the-token-at-all")
    page.get_by_label("Token").press("Enter")
    assert "not the sandbox's token" in page.get_by_role("alert").inner_text()
    assert page.title().startswith("Error: ")
    page.locator("#token:focus").wait_for()
    assert wrong_with_looks(page, violations) == []
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Dashboard", exact=True).wait_for()
    assert TOKEN not in page.url
    token_request(public_sandbox)
    client_credentials(page).wait_for()
    assert wrong_with_looks(page, violations) == []
    page.get_by_role("button", name="Leave the dashboard").click()
    page.get_by_label("Token").wait_for()


def test_a_session_that_ends(page: Page, public_sandbox: Sandbox) -> None:
    """The open page says that the session has expired, instead of showing an old log as the newest."""
    hurry(page)
    page.goto(f"{public_sandbox.base_url}/_sandbox/")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_label("Token").press("Enter")
    page.get_by_text("appear here automatically").wait_for()
    page.context.clear_cookies()
    page.get_by_text("Your session has expired").wait_for()


def test_another_sites_page_changes_nothing(page: Page, sandbox: Sandbox) -> None:
    """A form on a page of another site cannot switch faults on."""
    target = f"{sandbox.base_url}/_sandbox/dashboard/switches"
    form = f'<form method="post" action="{target}"><input name="status" value="503"><button>Go</button></form>'
    page.route("http://other.example/", lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto("http://other.example/")
    with page.expect_response(target) as refusal:
        page.get_by_role("button", name="Go").click()
    assert refusal.value.status == 403
    assert sandbox.faults == Faults()
