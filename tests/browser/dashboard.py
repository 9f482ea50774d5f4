"""The dashboard, as a developer sees it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from procountor_auth.transport.backend import backend as httpx
from tests.browser.person import ask

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from procountor_auth.sandbox import Sandbox


def open_dashboard(page: Page, sandbox: Sandbox) -> None:
    """Look at the dashboard after two requests, one of them with a secret in the URL."""
    token_request(sandbox)
    httpx.post(f"{sandbox.base_url}/api/oauth/token?client_secret=x", trust_env=False)
    page.goto(f"{sandbox.base_url}/_sandbox/")


def token_request(sandbox: Sandbox, api_key: str | None = None) -> httpx.Response:
    """Ask for a token with an API key."""
    return ask(sandbox, "token", "client_credentials", api_key=sandbox.api_key if api_key is None else api_key)


def client_credentials(page: Page) -> Locator:
    """The log's word for a request with an API key."""
    return page.locator("#log summary").get_by_text("client_credentials")


def quick(page: Page, name: str) -> Locator:
    """The button of a quick fault."""
    return page.get_by_role("region", name="Faults", exact=True).get_by_role("button", name=name, exact=True)


def bar(page: Page) -> Locator:
    """The bar of the active faults."""
    return page.get_by_role("region", name="Active faults", include_hidden=True)


def active(page: Page) -> Locator:
    """The active faults in the bar."""
    return bar(page).get_by_role("status")


def wait_in_sight(page: Page, element: Locator) -> None:
    """Wait until all of an element is in the window, and not below the bar.

    A browser scrolls to what the address names some time after the element is there.
    """
    deadline = time.monotonic() + 10
    while not _is_in_sight(page, element):
        assert time.monotonic() < deadline, f"{element} is not in sight"
        page.wait_for_timeout(20)


def _is_in_sight(page: Page, element: Locator) -> bool:
    box, covered = element.bounding_box(), bar(page).bounding_box()
    assert box is not None
    assert page.viewport_size is not None
    # The bar is in its place, or at the top of the window. Scrolling goes by whole pixels.
    top = covered["y"] + covered["height"] if covered is not None and covered["y"] <= 0 else 0
    return top <= box["y"] and box["y"] + box["height"] < page.viewport_size["height"] + 1
