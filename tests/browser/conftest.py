"""A real browser. One Chromium for the tests of a module, a fresh profile for each test."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

#: Chromium otherwise asks its maker's hosts for updates and more at every start.
_ALONE = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


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


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a fresh profile, which waits 10 seconds at most."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


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
        page.evaluate(axe_script)
        found: dict[str, Any] = page.evaluate("axe.run()")
        assert found["passes"]
        return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]

    return check
