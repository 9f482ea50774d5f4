"""A person at a browser, and what an integration does with the code that the person brings back."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from procountor_auth.transport.backend import backend as httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from procountor_auth.sandbox import Sandbox

#: The ways to look at a page that each page has to stand: width and height in CSS pixels, colour scheme.
_LOOKS: tuple[tuple[int, int, Literal["light", "dark"]], ...] = (
    (1280, 800, "light"),
    (360, 740, "dark"),
    (320, 640, "light"),
)


@contextmanager
def visitor(browser: Browser, **options: Any) -> Iterator[Page]:  # noqa: ANN401 - Playwright's own options
    """Give a page in a fresh profile with options such as `viewport`, which waits 10 seconds at most."""
    context = browser.new_context(**options)
    context.set_default_timeout(30_000)
    try:
        yield context.new_page()
    finally:
        context.close()


def hurry(page: Page) -> None:
    """Let what the page's scripts wait for come in a tenth of the time, from the next document on."""
    page.add_init_script("{ const set = setTimeout; setTimeout = (what, after) => set(what, after / 10); }")


def login_url(sandbox: Sandbox, page: str = "login", **changes: str) -> str:
    """Return the address that an integration sends people to."""
    query = {"response_type": "code", "client_id": sandbox.client_id, "redirect_uri": sandbox.redirect_uri}
    return f"{sandbox.base_url}/{page}?{urlencode({**query, 'state': 's1', **changes})}"


def log_in(page: Page, sandbox: Sandbox, password: str | None = None) -> None:
    """Fill in the login form on the page, and press Enter."""
    page.get_by_label("User name").fill(sandbox.username)
    page.get_by_label("Password").fill(sandbox.password if password is None else password)
    page.get_by_label("Password").press("Enter")


def pick(page: Page, company: str) -> None:
    """Choose a company, and continue."""
    page.get_by_label(company).check()
    page.get_by_role("button", name="Continue").click()


def brought_back(page: Page) -> dict[str, str]:
    """Wait until the browser is back at the redirect URI; return what it was sent back with."""
    page.wait_for_url("**/redirect-uri-placeholder?**")
    return {name: value for name, (value,) in parse_qs(urlsplit(page.url).query).items()}


def ask(sandbox: Sandbox, endpoint: str, grant_type: str, **parameters: str) -> httpx.Response:
    """Send a token or key request as the sandbox's client."""
    form = {
        "grant_type": grant_type,
        "redirect_uri": sandbox.redirect_uri,
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        **parameters,
    }
    return httpx.post(f"{sandbox.base_url}/api/oauth/{endpoint}", data=form, trust_env=False)


def company_of(sandbox: Sandbox, access_token: str) -> int:
    """Return the company that an access token is for, by asking `sessioninfo`."""
    headers = {"Authorization": f"Bearer {access_token}"}
    answer = httpx.get(f"{sandbox.base_url}/api/sessioninfo", headers=headers, trust_env=False)
    return int(answer.raise_for_status().json()["companyId"])


def wrong_with_looks(page: Page, violations: Callable[[Page], list[str]]) -> list[str]:
    """Return what is wrong with the page, on a desk and on phones, in the light and in the dark."""
    found = []
    for width, height, colours in _LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        # Colours that are still changing would be measured halfway.
        page.emulate_media(color_scheme=colours, reduced_motion="reduce")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found.append(f"{width} pixels: one has to scroll sideways")
        found += [f"{width} pixels, {colours}: {violation}" for violation in violations(page)]
    return found
