"""The Django project: its command and its view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.sandbox import Faults

from .page import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

    from .example import Run

VIEWS = """
import os, sys
sys.path.insert(0, "django_project")
os.environ["DJANGO_SETTINGS_MODULE"] = "bookkeeping.settings"
import django
from django.test import Client
django.setup()
client = Client(headers={"host": "localhost"})
for path in sys.argv[1:]:
    answer = client.get(path)
    print(answer.status_code, answer.json() if "json" in answer.headers["Content-Type"] else "")
"""


def test_the_command_prints_all_companies(run: Run, companies: Callable[[int], list[str]]) -> None:
    """`manage.py company_names` has a line for each company."""
    names = companies(3)
    program, *command = arguments("django.md", "python")
    done = run(f"django_project/{program}", *command, DJANGO_SECRET_KEY="for the test")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name}: {name} Oy" for name in names]


def test_the_command_fails_if_a_company_does(run: Run, sandbox: Sandbox, companies: Callable[[int], list[str]]) -> None:
    """Each that fails is named, and the status says so."""
    companies(2)
    sandbox.faults = Faults(status=503)
    done = run("django_project/manage.py", "company_names", DJANGO_SECRET_KEY="for the test", PROCOUNTOR_TIMEOUT="1")
    assert done.returncode == 1
    assert "2 companies failed" in done.stderr


def test_an_outage_of_the_api_is_counted_too(run: Run, sandbox: Sandbox, companies: Callable[[int], list[str]]) -> None:
    """With valid tokens, the command names each company that the API failed for, and the view answers 502."""
    companies(2)
    sandbox.faults = Faults(status=503, where="api")
    done = run("django_project/manage.py", "company_names", DJANGO_SECRET_KEY="for the test")
    assert done.returncode == 1
    assert "company-02: HTTPStatusError: Server error '503" in done.stderr
    assert "2 companies failed" in done.stderr
    assert run("-c", VIEWS, "/companies/company-01", DJANGO_SECRET_KEY="for the test").stdout.startswith("502")


def test_the_view(run: Run, companies: Callable[[int], list[str]]) -> None:
    """A company is found by its profile's name, and one that is not there is a 404."""
    companies(2)
    done = run("-c", VIEWS, "/companies/company-02", "/companies/company-03", DJANGO_SECRET_KEY="for the test")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("200 {'name': 'company-02 Oy'")
    assert second.startswith("404")


def test_django_finds_no_mistake(run: Run) -> None:
    """`manage.py check` has nothing to say."""
    done = run("django_project/manage.py", "check", DJANGO_SECRET_KEY="for the test")
    assert done.returncode == 0, done.stderr
