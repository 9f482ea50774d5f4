"""The site as people see it: built once, served on this machine, and visited page by page."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import tomllib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from filelock import FileLock

from tests.browser.person import visitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from playwright.sync_api import Browser

ROOT: Final = Path(__file__).parents[2]
SITE: Final = ROOT / "site"

KINDS: Final = {
    ("light", 1280): ("index.md", "api.md", "architecture.md"),
    ("light", 360): ("settings.md", "secrets.md"),
    ("dark", 1280): ("api.md",),
    ("dark", 360): ("index.md", "settings.md", "architecture.md", "secrets.md"),
}
"""A page of each kind: the home page, what mkdocstrings draws, wide tables, a diagram, code.

Each has both colours, and a phone's width where something may be too wide; not in each combination, as a colour does
not depend on the width.
"""

#: Diagrams are drawn into closed shadow trees, which nobody could look into.
_OPEN_SHADOWS: Final = """
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) { return attach.call(this, {...options, mode: "open"}); };
"""
#: The page with every name is long, and the same is drawn over and over: two of each kind are enough.
_SHORTEN: Final = """
for (const each of document.querySelectorAll(".doc-children > .doc-object:nth-of-type(n+3)")) each.remove()
"""
_DRAWN: Final = "[...document.querySelectorAll('.mermaid')].every(each => each.shadowRoot?.querySelector('svg'))"
_SERIOUS: Final = """
axe.run({resultTypes: ["violations"]}).then(({violations}) => violations
  .filter(({impact}) => impact === "serious" || impact === "critical")
  .flatMap(({id, nodes}) => nodes.map(({html}) => `${id}: ${html}`)))
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing about each request."""


def navigation() -> list[str]:
    """Return the pages that the navigation names, in their order."""
    found: list[str] = []

    def collect(entry: Any) -> None:  # noqa: ANN401 - a page, or entries
        if isinstance(entry, str):
            found.append(entry)
        else:
            for each in entry.values() if isinstance(entry, dict) else entry:
                collect(each)

    collect(tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["nav"])
    return found


def path_of(page: str) -> str:
    """Return the path of a page's address."""
    name = page.removesuffix(".md")
    return "/" if name == "index" else f"/{name.removesuffix('/index')}/"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """The address of the built site. Processes of one run build it once."""
    pytest.importorskip("zensical")
    shared = tmp_path_factory.getbasetemp()
    shared = shared if worker_id == "master" else shared.parent
    built = shared / "site-is-built"
    with FileLock(shared / "site.lock"):
        if not built.exists():
            done = subprocess.run(
                [sys.executable, ROOT / "docs" / "site.py"], check=False, capture_output=True, text=True, timeout=100
            )
            assert done.returncode == 0, done.stderr
            built.touch()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_every_page_is_in_the_navigation_once() -> None:
    """Each page of docs/, and each from the top of the project, has one place in the navigation."""
    spec = importlib.util.spec_from_file_location("site_script", ROOT / "docs" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    docs = ROOT / "docs"
    pages = [path.relative_to(docs).as_posix() for path in docs.rglob("*.md") if "templates" not in path.parts]
    pages += [name.lower() for name in script.FROM_THE_TOP]
    assert sorted(navigation()) == sorted(pages)


def test_it_is_built_without_a_warning(site: str) -> None:
    """No link and no anchor of a page leads nowhere, and each name of the reference is found; no browser is needed."""
    assert site


def test_every_page_is_whole(site: str, browser: Browser) -> None:
    """No page asks another host, or has an error; each fits a phone; each diagram is drawn."""
    wrong: list[str] = []
    where = ""
    with visitor(browser, viewport={"width": 360, "height": 740}) as page:
        page.add_init_script(_OPEN_SHADOWS)
        page.on(
            "request",
            lambda request: wrong.append(f"{where} asks {request.url}") if is_elsewhere(request.url) else None,
        )
        page.on("console", lambda said: wrong.append(f"{where}: {said.text}") if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(f"{where}: {error}"))
        page.on("response", lambda got: wrong.append(f"{where}: {got.status} {got.url}") if got.status >= 400 else None)

        def is_elsewhere(url: str) -> bool:
            return not url.startswith((f"{site}/", "data:", "blob:"))

        for where in map(path_of, navigation()):
            page.goto(site + where)
            page.wait_for_function(_DRAWN)
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                wrong.append(f"{where} is wider than a phone")
    assert wrong == []


def test_a_diagram_is_there(site: str, browser: Browser) -> None:
    """The layers of the architecture are a drawing, in which their names stand."""
    with visitor(browser) as page:
        page.add_init_script(_OPEN_SHADOWS)
        page.goto(f"{site}/architecture/")
        page.locator(".mermaid svg").nth(1).wait_for()
        drawn = page.locator(".mermaid svg").all_text_contents()
        assert [text for text in drawn if "tokens/" in text and "protocol/" in text]


def test_the_search_finds_a_strategy(site: str, browser: Browser) -> None:
    """Who types `client_credentials` gets pages about it."""
    with visitor(browser) as page:
        page.goto(site)
        page.locator(".md-search__button").click()
        page.keyboard.type("client_credentials")
        page.locator("mark").first.wait_for()
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: url.rstrip("/") != site)
        assert "client_credentials" in page.locator("article").inner_text()


@pytest.mark.parametrize(("scheme", "width"), KINDS)
def test_everybody_can_read_it(
    site: str, browser: Browser, axe_script: str, scheme: Literal["light", "dark"], width: int
) -> None:
    """axe-core finds nothing serious on a page of each kind, in the light and in the dark, on a desk and on a phone."""
    found: list[str] = []
    with visitor(
        browser, viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    ) as page:
        for where in map(path_of, KINDS[scheme, width]):
            page.goto(site + where)
            page.evaluate(_SHORTEN)
            page.evaluate(axe_script)
            found += [f"{where}: {each}" for each in page.evaluate(_SERIOUS)]
    assert found == []
