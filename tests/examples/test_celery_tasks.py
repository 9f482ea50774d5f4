"""The Celery tasks, with a real worker on a real Redis."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth.sandbox import Faults

from .conftest import EXAMPLES
from .page import arguments, blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.sandbox import Sandbox

    from .example import Serve

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Celery's prefork pool needs fork")


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Iterator[Any]:
    """The example's module, as the program that sends tasks has it."""
    monkeypatch.setenv("CELERY_BROKER_URL", redis_url)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    module = importlib.import_module("celery_tasks")
    yield module
    module.app.close()
    del sys.modules["celery_tasks"]


@pytest.fixture
def worker(serve: Serve, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Start a worker with the page's command. Its processes share tokens in another database of the same Redis."""

    def start() -> None:
        monkeypatch.setenv("PROCOUNTOR_TOKEN_STORE", redis_url.removesuffix("/0") + "/1")
        serve(
            *("-m", "celery", *arguments("celery.md", "celery")),
            *("--loglevel", "ERROR", "--without-gossip", "--without-mingle"),
            PROCOUNTOR_TIMEOUT="2",
        )

    return start


def test_each_task_gets_its_company(
    tasks: Any,  # noqa: ANN401 - Celery has no annotations
    worker: Callable[[], None],
    sandbox: Sandbox,
    companies: Callable[[int], list[str]],
    token_requests: Callable[[Sandbox], list[str]],
) -> None:
    """Whichever process runs a task, it asks for its own company, and all share one token for each."""
    names = companies(5)
    worker()
    results = [tasks.company.delay(name) for name in names * 8]
    answers = [result.get(timeout=60) for result in results]
    assert [answer["name"] for answer in answers] == [f"{name} Oy" for name in names] * 8
    assert token_requests(sandbox) == ["client_credentials"] * 5


def test_the_page_s_program_sends_a_task(
    tasks: Any,  # noqa: ANN401 - Celery has no annotations
    worker: Callable[[], None],
    procountor_profiles: Callable[..., object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The program that the page shows beside the worker prints a company's name."""
    procountor_profiles("acme")
    worker()
    assert tasks.app
    (block,) = [block for block in blocks("celery.md", "python") if ".delay(" in block.text]
    exec(compile(block.text, "celery.md", "exec", dont_inherit=True), {})  # noqa: S102 - the page's own code
    assert capsys.readouterr().out == "acme Oy\n"


def test_what_passes_by_itself_is_tried_again(
    tasks: Any,  # noqa: ANN401 - Celery has no annotations
    worker: Callable[[], None],
    sandbox: Sandbox,
    companies: Callable[[int], list[str]],
) -> None:
    """A service that is down makes a task wait; it succeeds when the service is back."""
    (name,) = companies(1)
    sandbox.faults = Faults(status=429, retry_after=3, times=1)
    worker()
    assert tasks.company.delay(name).get(timeout=60)["name"] == f"{name} Oy"
    asked = [entry["status"] for entry in sandbox.log() if entry["grant_type"]]
    assert asked == [429, 200]


def test_an_outage_of_the_api_is_tried_again(
    tasks: Any,  # noqa: ANN401 - Celery has no annotations
    worker: Callable[[], None],
    sandbox: Sandbox,
    companies: Callable[[int], list[str]],
) -> None:
    """With a valid token, an answer 503 of the API makes a task wait as well; a 404 does not."""
    (name,) = companies(1)
    sandbox.faults = Faults(status=503, where="api", times=1)
    worker()
    assert tasks.company.delay(name).get(timeout=60)["name"] == f"{name} Oy"
    sandbox.faults = Faults(status=404, where="api")
    with pytest.raises(Exception, match="404"):
        tasks.company.delay(name).get(timeout=60)
    assert [entry["status"] for entry in sandbox.log() if not entry["grant_type"]] == [503, 200, 404]


def test_what_does_not_pass_fails_at_once(
    tasks: Any,  # noqa: ANN401 - Celery has no annotations
    worker: Callable[[], None],
    companies: Callable[[int], list[str]],
) -> None:
    """An unknown company is not asked for again."""
    companies(1)
    worker()
    result = tasks.company.delay("nobody")
    with pytest.raises(Exception, match="there is no profile 'nobody'"):
        result.get(timeout=60)
    assert result.status == "FAILURE"
