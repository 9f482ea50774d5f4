"""The login pages in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth import TokenSource
from procountor_auth.sandbox import Quirks
from procountor_auth.transport.backend import backend as httpx
from tests.browser.person import (
    ask,
    brought_back,
    company_of,
    log_in,
    login_url,
    pick,
    visitor,
    wrong_with_looks,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, ConsoleMessage, Page

    from procountor_auth.sandbox import Sandbox


def see_home(page: Page, sandbox: Sandbox) -> None:
    """Look at what the sandbox says about itself."""
    page.goto(sandbox.base_url)


def see_login(page: Page, sandbox: Sandbox) -> None:
    """Come from an integration."""
    page.goto(login_url(sandbox))


def see_wrong_password(page: Page, sandbox: Sandbox) -> None:
    """Mistype the password."""
    page.goto(login_url(sandbox))
    log_in(page, sandbox, "wrong")
    page.get_by_role("alert").wait_for()


def see_key_login(page: Page, sandbox: Sandbox) -> None:
    """Come from an integration that wants an API key."""
    page.goto(login_url(sandbox, "keylogin"))


def see_companies(page: Page, sandbox: Sandbox) -> None:
    """Log in, and get the choice."""
    page.goto(login_url(sandbox))
    log_in(page, sandbox)
    page.get_by_role("radio").first.wait_for()


def see_copy(page: Page, sandbox: Sandbox) -> None:
    """Come back with a code."""
    see_companies(page, sandbox)
    pick(page, "Second Sandbox Oy")
    brought_back(page)


def see_denied(page: Page, sandbox: Sandbox) -> None:
    """Come back without a code."""
    page.goto(login_url(sandbox))
    page.get_by_role("button", name="Deny").click()
    brought_back(page)


def see_refused(page: Page, sandbox: Sandbox) -> None:
    """Come back without a code, and without having denied."""
    page.goto(login_url(sandbox, response_type="token"))
    assert brought_back(page)["error"] == "unsupported_response_type"


def see_error(page: Page, sandbox: Sandbox) -> None:
    """Come from an integration that has somebody else's redirect URI."""
    page.goto(login_url(sandbox, redirect_uri="https://other.example/"))


def see_login_page_instead_of_json(page: Page, sandbox: Sandbox) -> None:
    """See what an integration gets that still sends people's passwords after the flow was removed."""
    sandbox.quirks = Quirks(legacy_removed="login_page")
    answer = httpx.post(f"{sandbox.base_url}/api/oauth/authz", trust_env=False)
    page.route("**/api/oauth/authz", lambda route: route.fulfill(body=answer.text, content_type="text/html"))
    page.goto(f"{sandbox.base_url}/api/oauth/authz")


STATES = {
    "home": see_home,
    "login": see_login,
    "wrong-password": see_wrong_password,
    "key-login": see_key_login,
    "company": see_companies,
    "copy": see_copy,
    "denied": see_denied,
    "refused": see_refused,
    "error": see_error,
    "login-page-instead-of-json": see_login_page_instead_of_json,
}


@pytest.mark.parametrize("state", STATES)
def test_accessible(page: Page, violations: Callable[[Page], list[str]], sandbox: Sandbox, state: str) -> None:
    """axe-core finds nothing wrong on any page in any look, and none is wider than a phone."""
    STATES[state](page, sandbox)
    assert page.get_by_role("heading", level=1).count() == 1
    assert "not the Procountor service" in page.get_by_role("banner").inner_text()
    assert wrong_with_looks(page, violations) == []


def test_login_to_token_to_sessioninfo(
    page: Page, sandbox: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """The library's login in a browser brings a token for the company that the person chose."""
    environment(sandbox.environment("authorization_code"))
    login = TokenSource.from_env().begin_login()
    page.goto(login.url)
    log_in(page, sandbox)
    pick(page, "Second Sandbox Oy")
    brought_back(page)
    token = login.complete(page.url)
    assert company_of(sandbox, token.access_token) == 14160


def test_key_login_to_key_to_token(page: Page, sandbox: Sandbox) -> None:
    """The key login page says what it is for, and its code buys a key, which brings a token."""
    page.goto(login_url(sandbox, "keylogin"))
    assert "asks for an API key" in page.get_by_role("main").inner_text()
    log_in(page, sandbox)
    assert "will get an API key for the company that you choose" in page.get_by_role("group").inner_text()
    pick(page, "Second Sandbox Oy")
    code = brought_back(page)["code"]
    api_key = ask(sandbox, "key", "authorization_code", code=code).json()["api_key"]
    token = ask(sandbox, "token", "client_credentials", api_key=api_key).json()["access_token"]
    assert company_of(sandbox, token) == 14160


def test_keyboard_alone(page: Page, sandbox: Sandbox) -> None:
    """Somebody without a mouse logs in and chooses a company, and sees where the focus is all the time."""
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    page.goto(login_url(sandbox))
    page.locator("#username:focus").wait_for()
    order = []
    for _ in range(4):
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert page.evaluate(outline) == "solid"
        page.keyboard.press("Tab")
    assert order == ["username", "password", "Log in", "Deny"]
    page.get_by_label("User name").focus()
    page.keyboard.type(sandbox.username)
    page.keyboard.press("Tab")
    page.keyboard.type(sandbox.password)
    page.keyboard.press("Enter")
    page.locator("input[type=radio]:focus").wait_for()
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("ArrowDown")
    assert page.get_by_label("Second Sandbox Oy").is_checked()
    page.keyboard.press("Enter")
    answer = ask(sandbox, "token", "authorization_code", code=brought_back(page)["code"]).json()
    assert company_of(sandbox, answer["access_token"]) == 14160


def test_a_company_has_to_be_chosen(page: Page, sandbox: Sandbox) -> None:
    """Enter without a choice goes nowhere: no company is chosen for the person."""
    see_companies(page, sandbox)
    page.locator("input[type=radio]:focus").wait_for()
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('input[type=radio]:invalid') !== null")
    assert page.get_by_role("heading", level=1).inner_text() == "Choose a company"


def test_wrong_then_right_password(page: Page, sandbox: Sandbox) -> None:
    """A wrong password is announced, the name stays, the next try starts at the password and succeeds."""
    see_wrong_password(page, sandbox)
    assert "The user name or the password is wrong." in page.get_by_role("alert").inner_text()
    assert page.title().startswith("Error: Log in")
    page.locator("#password:focus").wait_for()
    for label in ("User name", "Password"):
        field = page.get_by_label(label)
        assert field.get_attribute("aria-invalid") == "true"
        assert page.locator(f"#{field.get_attribute('aria-describedby')}").get_attribute("role") == "alert"
    assert page.get_by_label("User name").input_value() == sandbox.username
    assert not page.get_by_label("Password").input_value()
    page.keyboard.type(sandbox.password)
    page.keyboard.press("Enter")
    pick(page, "Second Sandbox Oy")
    assert brought_back(page)["state"] == "s1"


def test_deny(page: Page, sandbox: Sandbox) -> None:
    """Who denies needs to fill in nothing, and the page says so, and that nothing is left to do."""
    see_denied(page, sandbox)
    assert brought_back(page) == {"error": "access_denied", "state": "s1"}
    assert page.get_by_role("heading", name="You declined the login").is_visible()
    assert page.get_by_text("You can close this tab.").is_visible()


def test_a_login_that_is_refused(page: Page, sandbox: Sandbox) -> None:
    """Who comes back with another error than a denial reads that there is no code, and who says what to do."""
    see_refused(page, sandbox)
    assert "without a code" in page.get_by_role("main").inner_text()
    assert page.get_by_role("heading", name="The login failed").is_visible()


def test_deny_at_the_companies(page: Page, sandbox: Sandbox) -> None:
    """Who has logged in can still deny, without choosing a company."""
    see_companies(page, sandbox)
    page.get_by_role("button", name="Deny").click()
    assert brought_back(page) == {"error": "access_denied", "state": "s1"}


def test_without_script(browser: Browser, sandbox: Sandbox) -> None:
    """Every step works in a browser that runs no script."""
    with visitor(browser, java_script_enabled=False) as page:
        page.goto(login_url(sandbox))
        log_in(page, sandbox, "wrong")
        page.get_by_role("alert").wait_for()
        log_in(page, sandbox)
        pick(page, "Second Sandbox Oy")
        answer = ask(sandbox, "token", "authorization_code", code=brought_back(page)["code"]).json()
    assert company_of(sandbox, answer["access_token"]) == 14160


def test_markup_in_a_name_stays_text(page: Page, sandbox: Sandbox) -> None:
    """What people and developers typed is shown, never run."""
    sandbox.world.add_company("<img src=x onerror=alert(1)> & Sons")
    company = sandbox.world.companies()[-1]
    sandbox.world.grant_user_access(sandbox.user_id, company.id)
    see_companies(page, sandbox)
    assert page.get_by_label("<img src=x onerror=alert(1)> & Sons").count() == 1
    page.goto(login_url(sandbox))
    page.get_by_label("User name").fill('"><b id=planted>')
    page.get_by_label("Password").fill("wrong")
    page.get_by_label("Password").press("Enter")
    page.get_by_role("alert").wait_for()
    assert page.get_by_label("User name").input_value() == '"><b id=planted>'
    assert page.locator("#planted").count() == 0


def test_styled_and_quiet(page: Page, sandbox: Sandbox) -> None:
    """The pages' policy lets their own styles in, and what they load stays out of the request log."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    page.on("console", note)
    see_copy(page, sandbox)
    see_home(page, sandbox)
    assert complaints == []
    assert page.evaluate("getComputedStyle(document.querySelector('.sheet')).borderStyle") == "solid"
    assert page.evaluate("getComputedStyle(document.querySelector('.container')).maxWidth") != "none"
    assert [entry["path"] for entry in sandbox.log()] == ["/login"] * 3 + ["/redirect-uri-placeholder", "/"]
