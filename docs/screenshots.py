"""Take the screenshots in docs/images: a sandbox, Chromium, and the pages as people see them."""  # noqa: INP001 - a script

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlencode

import httpx
from playwright.sync_api import sync_playwright

from procountor_auth.login import pages
from procountor_auth.sandbox import Faults, Quirks, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).with_name("images")
PROGRAMS = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
#: Fixed, as the pages show it.
PORT = 8423
CLIENT = "invoice-robot"

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


class Shoot(Protocol):
    """Writes what the window shows into a file of this name."""

    def __call__(self, page: Page, name: str, height: int | None = None) -> None: ...  # noqa: D102 - see the class


class Clock:
    """A clock that shows the same times in every run, one second later at each request."""

    def __init__(self) -> None:
        self.now = 1_798_794_000.0

    def __call__(self) -> float:
        """Return the Unix time in seconds."""
        return self.now

    def advance(self) -> None:
        """Let a second pass."""
        self.now += 1


def main() -> None:
    """Write every image."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        sys.exit(f"The screenshots need Chromium: none of {', '.join(PROGRAMS)} is installed.")
    IMAGES.mkdir(exist_ok=True)
    clock = Clock()
    # Chromium's own sandbox refuses root.
    arguments = ["--no-sandbox"] if sys.platform == "linux" and os.geteuid() == 0 else []
    with Sandbox(port=PORT, clock=clock) as sandbox, sync_playwright() as playwright:
        sandbox.world.add_client(sandbox.redirect_uri, client_id=CLIENT, client_secret="not-a-secret")  # noqa: S106
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        for scheme in SCHEMES:
            take(browser, sandbox, clock, scheme)
        browser.close()


def take(browser: Browser, sandbox: Sandbox, clock: Clock, scheme: Scheme) -> None:
    """Take every picture in one colour scheme."""
    look = partial(open_page, browser, color_scheme=scheme)
    shoot = partial(write_image, suffix="" if scheme == "light" else f"-{scheme}")
    sandbox.faults, sandbox.quirks = Faults(), Quirks()
    with look(width=720, height=660) as page:
        shoot_login(page, sandbox, shoot)
        shoot_landing(page, shoot)
    with look(width=360, height=660) as page:
        page.goto(login_url(sandbox, "login"))
        shoot(page, "login-phone")
    sandbox.clear_log()
    with look(width=1240, height=760) as page:
        page.goto(f"{sandbox.base_url}/_sandbox/")
        shoot(page, "first-steps")
    use(sandbox, clock)
    with look(width=1240, height=760) as page:
        shoot_dashboard(page, sandbox, shoot)
        page.goto(sandbox.base_url)
        shoot(page, "home", height=620)
    with look(width=360, height=760) as page:
        page.goto(f"{sandbox.base_url}/_sandbox/#requests")
        page.get_by_text("appear here automatically").wait_for()
        shoot(page, "dashboard-phone")


@contextmanager
def open_page(browser: Browser, *, width: int, height: int, **options: Any) -> Iterator[Page]:  # noqa: ANN401 - Playwright's
    """Give a page of this size in CSS pixels, with animations off."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce", locale="en-GB", **options
    )
    yield context.new_page()
    context.close()


def shoot_landing(page: Page, shoot: Shoot) -> None:
    """Show what a browser sees when it comes back to this machine."""
    for name, landing in (("login-complete", pages.SUCCESS), ("login-declined", pages.DECLINED)):
        page.goto("about:blank")  # else the page before forbids its style
        page.set_content(landing.html().decode())
        shoot(page, name, height=320)


def shoot_login(page: Page, sandbox: Sandbox, shoot: Shoot) -> None:
    """Walk through a login, with a mistake on the way."""
    page.goto(login_url(sandbox, "keylogin"))
    shoot(page, "key-login")
    page.goto(login_url(sandbox, "login"))
    page.get_by_label("User name").fill(sandbox.username)
    page.get_by_label("Password").fill("something else")
    shoot(page, "login")
    # Not with the mouse: it would rest on the next page's button.
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    page.locator("#password:focus").wait_for()
    shoot(page, "wrong-password")
    page.get_by_label("Password").fill(sandbox.password)
    page.keyboard.press("Enter")
    page.locator("input[type=radio]:focus").wait_for()
    page.keyboard.press("Space")
    shoot(page, "company")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/redirect-uri-placeholder?**")
    shoot(page, "copy")
    page.goto(f"{sandbox.base_url}/login?client_id=unknown")
    shoot(page, "error")


def use(sandbox: Sandbox, clock: Clock) -> None:
    """Send what integrations send, with something wrong here and there."""
    client = {
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "redirect_uri": sandbox.redirect_uri,
    }
    machine = {**client, "grant_type": "client_credentials", "api_key": sandbox.api_key}
    person = {"username": sandbox.username, "password": sandbox.password, "company": sandbox.company}
    with httpx.Client(base_url=sandbox.base_url, trust_env=False) as http:
        token = http.post("/api/oauth/token", data=machine).json()["access_token"]
        clock.advance()
        http.get("/api/sessioninfo", headers={"Authorization": f"Bearer {token}"})
        clock.advance()
        http.post("/latest/api/oauth/authz/", params={**client, **person, "response_type": "code"})
        clock.advance()
        sandbox.faults = Faults(status=503, times=1)
        http.post("/api/oauth/token", data=machine)
        clock.advance()
        http.post("/api/oauth/token", data={**machine, "api_key": "revoked"})
        clock.advance()
        http.post("/api/oauth/token", data=machine)
    sandbox.faults = Faults(status=429, retry_after="7", where="token")


def shoot_dashboard(page: Page, sandbox: Sandbox, shoot: Shoot) -> None:
    """Show the dashboard's parts, and a new key."""
    page.goto(f"{sandbox.base_url}/_sandbox/")
    page.get_by_text("appear here automatically").wait_for()
    shoot(page, "dashboard")
    page.locator("#log summary").nth(1).click()
    page.locator("#log details[open]").scroll_into_view_if_needed()
    shoot(page, "request")
    page.evaluate("document.querySelector('#switches').scrollIntoView({behavior: 'instant'})")
    shoot(page, "switches", height=640)
    page.get_by_role("button", name="Create the API key").click()
    page.locator("#new-key").wait_for()
    shoot(page, "new-key", height=420)


def write_image(page: Page, name: str, height: int | None = None, *, suffix: str) -> None:
    """Write what the window shows, or the upper part of it."""
    size = page.viewport_size
    assert size is not None  # noqa: S101 - every page here has one
    page.screenshot(
        path=IMAGES / f"{name}{suffix}.png",
        clip={"x": 0, "y": 0, "width": size["width"], "height": height or size["height"]},
    )


def login_url(sandbox: Sandbox, page: str) -> str:
    """Return the address that the integration in the pictures sends people to."""
    query = {"response_type": "code", "client_id": CLIENT, "redirect_uri": sandbox.redirect_uri, "state": "s1"}
    return f"{sandbox.base_url}/{page}?{urlencode(query)}"


if __name__ == "__main__":
    main()
