"""The first steps on the dashboard in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth import TokenSource
from tests.browser.dashboard import open_dashboard, token_request
from tests.browser.person import visitor, wrong_with_looks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from procountor_auth.sandbox import Sandbox


def test_the_first_steps_come_first(page: Page, sandbox: Sandbox) -> None:
    """Without traffic the page begins with how to point a program here; with traffic that is folded away below."""
    page.goto(f"{sandbox.base_url}/_sandbox/")
    assert page.get_by_role("heading", level=2).first.inner_text() == "Connect a program"
    assert page.get_by_role("region", name="Connect a program").get_by_text("procountor-auth token").count() == 3
    token_request(sandbox)
    page.reload()
    assert page.get_by_role("heading", level=2).last.inner_text() == "Connect a program"
    assert page.get_by_label("client_credentials", exact=True).is_hidden()


def test_accessible_when_it_is_folded_away(
    page: Page, violations: Callable[[Page], list[str]], sandbox: Sandbox
) -> None:
    """axe-core finds nothing wrong with the first steps at the end of the page, and they fit on a phone."""
    open_dashboard(page, sandbox)
    page.locator("summary", has_text="Connect a program").click()
    page.get_by_label("authorization_code", exact=True).wait_for()
    assert wrong_with_looks(page, violations) == []


def test_without_script(browser: Browser, sandbox: Sandbox) -> None:
    """Without script there is no button that does nothing, and the text can be selected."""
    with visitor(browser, java_script_enabled=False) as page:
        page.goto(f"{sandbox.base_url}/_sandbox/")
        field = page.get_by_label("client_credentials", exact=True)
        assert f"PROCOUNTOR_API_KEY={sandbox.api_key}" in field.input_value()
        assert page.get_by_role("button", name="Copy").count() == 0


def test_a_copied_env_gets_a_token(browser: Browser, sandbox: Sandbox, tmp_path: Path) -> None:
    """What the copy button copies is an .env with which a program gets a token."""
    with visitor(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"{sandbox.base_url}/_sandbox/")
        page.get_by_role("button", name="Copy the .env for client_credentials").click()
        page.get_by_text("Copied.").wait_for()
        # It is the working directory of the test.
        (tmp_path / ".env").write_text(page.evaluate("navigator.clipboard.readText()"), "utf-8")
    assert TokenSource.from_env().token().company_id == int(sandbox.company)


def test_a_browser_that_may_not_copy(page: Page, sandbox: Sandbox) -> None:
    """Where the browser refuses to copy, the text is selected and the page says which keys copy it."""
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error());")
    page.goto(f"{sandbox.base_url}/_sandbox/")
    page.get_by_role("button", name="Copy the .env for legacy_password").click()
    page.get_by_text("press Ctrl+C").wait_for()
    text = page.get_by_label("legacy_password", exact=True).input_value()
    assert page.evaluate("document.getSelection().toString()") == text
    assert sandbox.password in text


def test_secrets_stand_in_the_first_steps_alone(page: Page, sandbox: Sandbox) -> None:
    """The client's secret, the password and the first key stand in the .env texts and nowhere else in the page."""
    open_dashboard(page, sandbox)
    assert sandbox.client_id in page.content()
    page.evaluate("for (const each of document.querySelectorAll('#first-steps textarea')) each.remove()")
    for secret in (sandbox.client_secret, sandbox.password, sandbox.api_key):
        assert secret not in page.content()
