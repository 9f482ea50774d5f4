"""The request log on the dashboard: what each request says, in detail as well, and which ones are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Faults, Sandbox
from procountor_auth.transport.backend import backend as httpx
from tests.browser.person import ask, hurry, visitor, wrong_with_looks

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Locator, Page


def send_all_kinds(sandbox: Sandbox) -> None:
    """Be served, refused, reset in both ways, and be mistaken, for two companies."""
    second = sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, 14160)
    ask(sandbox, "token", "client_credentials", api_key=sandbox.api_key)
    ask(sandbox, "token", "client_credentials", api_key=second)
    sandbox.world.revoke_api_key(second)
    ask(sandbox, "token", "client_credentials", api_key=second)
    ask(sandbox, "token", "hunter2")
    for when in ("before", "middle"):
        sandbox.faults = Faults(reset=when, times=1)
        with pytest.raises(httpx.TransportError):
            ask(sandbox, "token", "client_credentials", api_key=sandbox.api_key)
    httpx.get(f"{sandbox.base_url}/api/users/{'x' * 300}", trust_env=False)


def rows(page: Page) -> Locator:
    """Return the requests on the page."""
    return page.get_by_role("region", name="Requests").locator("summary")


def chips(page: Page) -> list[str]:
    """Return what came of the requests on the page, the newest first."""
    return rows(page).locator("> :first-child").all_inner_texts()


def test_what_happened(page: Page, sandbox: Sandbox) -> None:
    """Each request starts with what came of it: a reset is none of 200, and a refusal has its reason and its owner."""
    send_all_kinds(sandbox)
    page.goto(f"{sandbox.base_url}/_sandbox/")
    assert chips(page) == ["404", "reset", "reset", "400", "400", "200", "200"]
    refused = rows(page).nth(4).inner_text()
    assert "invalid_grant: Invalid 'api_key' in request. The API key is revoked." in refused
    assert "company 14160" in refused
    assert sandbox.client_id in refused
    assert "hunter2" not in page.content()


def test_a_click_opens_the_request(page: Page, sandbox: Sandbox) -> None:
    """A click shows the request and the answer without a secret, and the news that come in leave it open."""
    hurry(page)
    send_all_kinds(sandbox)
    page.goto(f"{sandbox.base_url}/_sandbox/")
    text = page.get_by_text("api_key=…").last
    assert not text.is_visible()
    rows(page).last.click()
    text.wait_for()
    assert '"access_token": "…"' in page.locator("details[open]").inner_text()
    assert "Sandbox Oy (14159)" in page.locator("details[open]").inner_text()
    ask(sandbox, "token", "client_credentials", api_key=sandbox.api_key)
    rows(page).nth(7).wait_for()
    assert text.is_visible()
    for secret in (sandbox.client_secret, sandbox.api_key):
        assert secret not in page.locator("#requests").inner_html()


def test_keyboard_alone(page: Page, sandbox: Sandbox) -> None:
    """A request is opened with the keyboard."""
    send_all_kinds(sandbox)
    page.goto(f"{sandbox.base_url}/_sandbox/")
    rows(page).last.focus()
    page.keyboard.press("Enter")
    page.get_by_text("api_key=…").last.wait_for()


@pytest.mark.parametrize("state", ["list", "open", "filtered", "nothing"])
def test_accessible(page: Page, violations: Callable[[Page], list[str]], sandbox: Sandbox, state: str) -> None:
    """axe-core finds nothing wrong with the log in any state and look, and it fits on a phone."""
    send_all_kinds(sandbox)
    query = {"filtered": "?of=14160&refused=1", "nothing": "?of=7"}.get(state, "")
    page.goto(f"{sandbox.base_url}/_sandbox/{query}")
    if state == "open":
        for row in rows(page).all():
            row.click()
    assert wrong_with_looks(page, violations) == []
    assert page.evaluate("(log => log.scrollWidth - log.clientWidth)(document.getElementById('log'))") == 0


@pytest.mark.parametrize("script", [True, False])
def test_filters(browser: Browser, sandbox: Sandbox, script: bool) -> None:  # noqa: FBT001 - pytest gives it
    """One sees one company's requests, or the refused ones, or all; with and without script."""
    send_all_kinds(sandbox)
    with visitor(browser, java_script_enabled=script) as page:
        page.goto(f"{sandbox.base_url}/_sandbox/")
        page.get_by_label("Filter by company").select_option("14160")
        page.get_by_role("button", name="Filter the requests").click()
        page.get_by_role("link", name="Show all").wait_for()
        assert chips(page) == ["400", "200"]
        page.get_by_label("refused only").check()
        page.get_by_role("button", name="Filter the requests").click()
        page.wait_for_url("**refused=1*")
        assert chips(page) == ["400"]
        page.get_by_role("link", name="Reload").click()
        assert chips(page) == ["400"]
        page.get_by_role("link", name="Show all").click()
        page.get_by_role("link", name="Show all").wait_for(state="detached")
        assert len(chips(page)) == 7


def test_the_filter_holds_for_the_news(page: Page, sandbox: Sandbox) -> None:
    """What comes in later is filtered as well."""
    hurry(page)
    page.goto(f"{sandbox.base_url}/_sandbox/?refused=1")
    page.get_by_text("No request matches the filter.").wait_for()
    ask(sandbox, "token", "client_credentials", api_key=sandbox.api_key)
    ask(sandbox, "token", "client_credentials", api_key="unknown")
    rows(page).first.wait_for()
    assert chips(page) == ["400"]


def test_many_companies(page: Page, sandbox: Sandbox) -> None:
    """Where there are too many companies to choose from, the number is typed; one that is none shows all."""
    for number in range(60):
        sandbox.world.add_company(f"Company {number}")
    send_all_kinds(sandbox)
    page.goto(f"{sandbox.base_url}/_sandbox/")
    page.get_by_label("Filter by company").fill("14160")
    page.get_by_label("Filter by company").press("Enter")
    page.get_by_role("link", name="Show all").wait_for()
    assert chips(page) == ["400", "200"]
    page.goto(f"{sandbox.base_url}/_sandbox/?of=x%3Cb%3E")
    assert len(chips(page)) == 7


def test_another_sandbox_at_the_address(page: Page, sandbox: Sandbox) -> None:
    """When the sandbox is started anew at the same address, the open page shows the new one's requests."""
    hurry(page)
    send_all_kinds(sandbox)
    page.goto(f"{sandbox.base_url}/_sandbox/")
    sandbox.stop()
    port = int(sandbox.base_url.rpartition(":")[2])
    with Sandbox(port=port) as another:
        ask(another, "token", "client_credentials", api_key=another.api_key)
        page.get_by_text(another.client_id).first.wait_for()
        assert chips(page) == ["200"]
