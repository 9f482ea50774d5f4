"""A real browser. One Chromium and one profile for a module, a fresh page without cookies for each test."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

#: Chromium otherwise asks its maker's hosts for updates and more at every start.
_ALONE = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
#: The first is Chromium without windows, which starts and draws faster.
_PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
#: Says how many rules the page passes, and what is wrong. All that axe-core has seen is half a second in transit.
_AXE: Final = """
axe.run({resultTypes: ["violations"]}).then(({passes, violations}) => [
  passes.length,
  violations.flatMap(({id, nodes}) => nodes.map(({html}) => `${id}: ${html}`)),
])
"""


def _lacks(what: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"{what}, and CI must not skip its tests")
    pytest.skip(what)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium."""
    found = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    return found or _lacks("Chromium is not installed")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A running Chromium, for one module: Playwright keeps an event loop as long as it runs."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - 50 ms for whoever runs other tests

    # Its sandbox needs what containers do not give, and refuses root.
    sandboxed = sys.platform != "linux" or os.geteuid() != 0
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=[*_ALONE, *([] if sandboxed else ["--no-sandbox"])]
        )
        yield running
        running.close()


@pytest.fixture(scope="module")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """A profile whose pages wait 10 seconds at most."""
    context = browser.new_context()
    context.set_default_timeout(30_000)
    # As long as one page is open, others need neither a new window nor a new process, which take half a second.
    idle = context.new_page()
    idle.route("http://127.0.0.1/", lambda route: route.fulfill(body=""))
    idle.goto("http://127.0.0.1/")
    yield context
    context.close()


@pytest.fixture
def page(profile: BrowserContext) -> Iterator[Page]:
    """A fresh page, in a profile without cookies."""
    from playwright.sync_api import Error  # noqa: PLC0415 - see above

    profile.clear_cookies()
    others = profile.pages
    yield profile.new_page()
    for opened in profile.pages:
        if opened not in others:
            # Left, but open: Chromium may never end closing a page that moves to another site at that moment. The
            # profile's end closes them all.
            with suppress(Error):
                opened.goto("about:blank")


@pytest.fixture(scope="session")
def axe_script() -> str:
    """The accessibility checker axe-core, which `make` gets from npm."""
    script = Path(sys.prefix, "node_modules", "axe-core", "axe.min.js")
    return script.read_text("utf-8") if script.is_file() else _lacks(f"axe-core is not in {script.parent}")


@pytest.fixture
def violations(axe_script: str) -> Callable[[Page], list[str]]:
    """Everything that axe-core finds wrong on a page, one line for each."""

    def check(page: Page) -> list[str]:
        # As an argument of the browser's debugger: the page's own policy forbids scripts.
        if page.evaluate("typeof axe === 'undefined'"):
            page.evaluate(axe_script)
        found: list[str]
        passed, found = page.evaluate(_AXE)
        assert passed
        return found

    return check
