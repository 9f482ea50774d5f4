"""The dashboard's faults in a real browser: one click, what is left of them, and wrong values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth import Settings, TokenSource
from procountor_auth.sandbox import Faults, Quirks, Sandbox
from procountor_auth.transport.retry import Retry
from tests.browser.dashboard import active, bar, open_dashboard, quick, token_request, wait_in_sight
from tests.browser.person import hurry, visitor, wrong_with_looks
from tests.variables import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page
    from tenacity import RetryCallState


def set_impossible_status(page: Page, sandbox: Sandbox) -> None:
    """Ask for a status that is none."""
    open_dashboard(page, sandbox)
    page.get_by_label("Latency").fill("0.5")
    page.get_by_label("Status", exact=True).fill("teapot")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("alert").wait_for()


def break_everything(page: Page, sandbox: Sandbox) -> None:
    """Have more faults at once than the bar shows."""
    open_dashboard(page, sandbox)
    sandbox.quirks = Quirks(subject="string", state="omit", refresh_token="repeat")
    page.locator("#quick-503-three-times").click()
    active(page).get_by_text("503 for 3 more token requests").wait_for()
    for name in ("key revoked", "legacy removed", "tokens last 10 s"):
        quick(page, name).click()
        page.locator("[aria-pressed=true]", has_text=name).wait_for()
    page.get_by_text("What each of them does").click()
    bar(page).get_by_role("link", name="and 3 more").wait_for()


def see_that_it_is_over(page: Page, sandbox: Sandbox) -> None:
    """Have a fault hit its one request while the page is open."""
    hurry(page)
    open_dashboard(page, sandbox)
    quick(page, "429 once").click()
    active(page).get_by_text("429 for the next token request").wait_for()
    token_request(sandbox)
    active(page).get_by_text("The fault has ended").wait_for()


STATES = {"error": set_impossible_status, "broken": break_everything, "over": see_that_it_is_over}


@pytest.mark.parametrize("state", STATES)
def test_accessible(page: Page, violations: Callable[[Page], list[str]], sandbox: Sandbox, state: str) -> None:
    """axe-core finds nothing wrong with the dashboard in any of these states and looks, and it fits on a phone."""
    STATES[state](page, sandbox)
    assert wrong_with_looks(page, violations) == []


def test_a_fault_in_one_click(page: Page, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """One click makes the next token request fail: the page shows the fault, the client's retry, and its end."""
    waits: list[float] = []
    real_wait = Retry._wait

    def wait_no_time(retry: Retry, attempt: RetryCallState) -> float:
        waits.append(real_wait(retry, attempt))
        return 0.0

    # The client's own decision, without the time that it takes.
    monkeypatch.setattr(Retry, "_wait", wait_no_time)
    hurry(page)
    open_dashboard(page, sandbox)
    page.evaluate("document.documentElement.dataset.opened = 'once'")
    quick(page, "429 once").click()
    active(page).get_by_text("429 for the next token request").wait_for()
    # In one step: the page may replace its buttons between two.
    assert page.evaluate("document.activeElement.textContent.trim()") == "429 once"
    program = TokenSource.from_settings(Settings(**arguments(sandbox.environment("client_credentials"))))
    assert program.token().access_token
    assert waits == [2.0]
    active(page).get_by_text("The fault has ended. Requests are answered normally again.").wait_for()
    rows = page.locator("#log summary")
    rows.nth(3).wait_for()
    assert [row.locator(".chip").inner_text() for row in rows.all()[:2]] == ["200", "429"]
    assert "injected: status" in rows.nth(1).inner_text()
    assert "injected" not in rows.nth(0).inner_text()
    # All of it on the page as it was opened, in the first window full.
    assert page.evaluate("document.documentElement.dataset.opened") == "once"
    assert page.evaluate("scrollY") == 0


def test_the_bar_counts_down_and_stays_in_sight(page: Page, sandbox: Sandbox) -> None:
    """Wherever one has scrolled to, the bar says what is left; the form follows, unless somebody is typing there."""
    hurry(page)
    open_dashboard(page, sandbox)
    page.locator("#quick-503-three-times").click()
    active(page).get_by_text("503 for 3 more token requests").wait_for()
    # At once: the form is replaced when the state changes, perhaps between two steps of Playwright's own way.
    page.evaluate("document.querySelector('button[value=apply]').scrollIntoView()")
    token_request(sandbox)
    active(page).get_by_text("503 for 2 more token requests").wait_for()
    box = bar(page).bounding_box()
    assert box is not None
    assert (box["y"], page.evaluate("scrollY") > 500) == (0, True)
    page.locator("#times[value='2']").wait_for()
    page.get_by_label("Latency").fill("0.5")
    token_request(sandbox)
    active(page).get_by_text("503 for the next token request").wait_for()
    assert page.get_by_label("Latency").input_value() == "0.5"
    assert page.get_by_label("Times").input_value() == "2"


def test_what_lasts_is_a_toggle(page: Page, sandbox: Sandbox) -> None:
    """A condition's button is pressed while it lasts, and ends it when it is pressed again; others stay."""
    page.goto(f"{sandbox.base_url}/_sandbox/")
    for name in ("key revoked", "slow 5 s"):
        quick(page, name).click()
        page.locator("[aria-pressed=true]", has_text=name).wait_for()
    assert sandbox.faults == Faults(revoked_keys=True, where="all", latency=5)
    quick(page, "slow 5 s").click()
    page.locator("[aria-pressed=false]", has_text="slow 5 s").wait_for()
    assert sandbox.faults == Faults(revoked_keys=True)
    bar(page).get_by_role("button", name="Clear").press("Enter")
    bar(page).wait_for(state="hidden")
    assert sandbox.faults == Faults()
    page.locator("#quick-clear:focus").wait_for()


@pytest.mark.parametrize("width", [1280, 320])
def test_the_bar_hides_no_focus(page: Page, sandbox: Sandbox, width: int) -> None:
    """Whoever goes through the page with the keyboard, forth and back, sees what has the focus."""
    page.set_viewport_size({"width": width, "height": 640})
    sandbox.faults = Faults(status=503, where="token", times=3, revoked_keys=True)
    sandbox.quirks = Quirks(legacy_removed="404", access_token_lifetime=10, subject="string")
    page.goto(f"{sandbox.base_url}/_sandbox/#switches")
    wait_in_sight(page, page.get_by_role("heading", name="Switches", exact=True))
    page.get_by_label("Where").focus()
    for key in ["Tab"] * 12 + ["Shift+Tab"] * 20:
        page.keyboard.press(key)
        if not page.evaluate("document.activeElement.closest('#active-faults') !== null"):
            wait_in_sight(page, page.locator(":focus"))


def test_one_stays_where_one_was(browser: Browser, sandbox: Sandbox) -> None:
    """After Apply, and after a click in the row of faults, one is where one was, without script too."""
    for script in (True, False):
        with visitor(browser, java_script_enabled=script, viewport={"width": 360, "height": 740}) as page:
            page.goto(f"{sandbox.base_url}/_sandbox/")
            page.get_by_label("Latency").fill("0.5")
            page.get_by_role("button", name="Apply").click()
            page.get_by_text("The switches are set.").wait_for()
            wait_in_sight(page, page.get_by_text("The switches are set."))
            quick(page, "key revoked").click()
            active(page).get_by_text("key revoked").wait_for()
            wait_in_sight(page, quick(page, "key revoked"))
            bar(page).get_by_role("button", name="Clear").click()
            bar(page).wait_for(state="hidden")


def test_without_script(browser: Browser, sandbox: Sandbox) -> None:
    """The buttons and the bar work in a browser that runs no script."""
    with visitor(browser, java_script_enabled=False) as page:
        open_dashboard(page, sandbox)
        assert bar(page).is_hidden()
        quick(page, "429 once").click()
        page.get_by_text("The fault is set.").wait_for()
        assert active(page).inner_text() == "429 for the next token request"
        assert token_request(sandbox).status_code == 429
        quick(page, "key revoked").click()
        page.locator("[aria-pressed=true]", has_text="key revoked").wait_for()
        assert active(page).inner_text() == "key revoked"
        bar(page).get_by_role("button", name="Clear").click()
        page.get_by_text("every switch has its default.").first.wait_for()
        assert bar(page).is_hidden()
    assert token_request(sandbox).status_code == 200


def test_impossible_values_change_nothing(page: Page, sandbox: Sandbox) -> None:
    """A wrong value is told beside its field, which has the focus, and in a list of links; nothing else is lost."""
    set_impossible_status(page, sandbox)
    assert page.title().startswith("Error: ")
    assert "Status must be a whole number from 400 to 599, or off" in page.get_by_role("alert").inner_text()
    assert sandbox.faults == Faults()
    page.locator("#status:focus").wait_for()
    field = page.get_by_label("Status", exact=True)
    assert field.get_attribute("aria-invalid") == "true"
    described = str(field.get_attribute("aria-describedby")).split()
    assert described == ["problem-status", "help-status"]
    problem = page.locator("#problem-status")
    assert problem.inner_text() == "Must be a whole number from 400 to 599, or off, not 'teapot'."
    below, above = problem.bounding_box(), field.bounding_box()
    assert below
    assert above
    assert below["y"] - above["y"] - above["height"] < 20
    assert (field.input_value(), page.get_by_label("Latency").input_value()) == ("teapot", "0.5")
    assert page.locator("[aria-invalid]").count() == 1


def test_every_wrong_value_is_told(page: Page, sandbox: Sandbox) -> None:
    """Of two wrong values both are told beside their fields, the first has the focus, and links lead to each."""
    page.goto(f"{sandbox.base_url}/_sandbox/")
    page.get_by_label("Code lifetime").fill("0")
    page.get_by_label("Latency").fill("fast")
    page.get_by_role("button", name="Apply").click()
    page.locator("#latency:focus").wait_for()
    assert page.locator(".problem").count() == 2
    page.get_by_role("alert").get_by_role("link", name="Code lifetime").click()
    page.wait_for_url("**#code_lifetime")
    wait_in_sight(page, page.get_by_label("Code lifetime"))
