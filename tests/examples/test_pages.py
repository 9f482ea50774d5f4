"""The pages show the examples as they are; what they show besides is run, or at least read, here."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import sys
import types
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth.settings.settings import Settings

from .conftest import EXAMPLES
from .page import DOCS, blocks, file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.documents.session import Session

    from .example import Run

SHOWN: Final = {
    "celery.md": ["celery_tasks.py"],
    "containers.md": [],
    "cron.md": ["cron_job.py"],
    "django.md": [
        f"django_project/bookkeeping/{name}.py"
        for name in ("procountor", "management/commands/company_names", "settings")
    ],
    "fastapi.md": ["fastapi_companies.py"],
    "from-procountor-client.md": ["procountor_client.py"],
    "lambda.md": ["lambda_handler.py"],
    "observability.md": ["observability.py"],
    "odoo.md": [],
    "web-login.md": ["web_login.py"],
}
"""The examples on each page."""

RUN_HERE: Final = {"celery.md": 1, "from-procountor-client.md": 1, "odoo.md": 3, "web-login.md": 2}
"""How many further blocks of Python the tests below run."""


@pytest.mark.parametrize("page", SHOWN)
def test_the_page_shows_the_example_as_it_is(page: str) -> None:
    """Each example is on its page, line by line, and all other Python there is run by a test of its own."""
    texts = [block.text for block in blocks(page, "python")]
    for name in SHOWN[page]:
        assert texts.count((EXAMPLES / name).read_text("utf-8")) == 1, name
    assert len(texts) == len(SHOWN[page]) + RUN_HERE.get(page, 0)


@pytest.mark.parametrize("page", SHOWN)
def test_the_page_names_variables_that_there_are(page: str) -> None:
    """Each variable on the page is a setting, or chooses where settings come from."""
    named = set(re.findall(r"\bPROCOUNTOR_[A-Z_]*[A-Z]\b", (DOCS / page).read_text("utf-8")))
    known = {f"PROCOUNTOR_{name.upper()}" for name in Settings.model_fields}
    chooses = {"ENV_FILE", "PROFILE", "PROFILES_FILE", "SECRETS_DIR"}
    assert named - known - {f"PROCOUNTOR_{name}" for name in chooses} == set()


@pytest.mark.parametrize("page", SHOWN)
def test_the_page_is_short(page: str) -> None:
    """Whoever looks for a recipe reads it in a few minutes."""
    assert len((DOCS / page).read_text("utf-8").splitlines()) <= 130


def test_the_list_has_every_example() -> None:
    """examples/README.md names each program and each folder; those of other clients are one line."""
    listed = set(re.findall(r"\]\(([\w.]+)\)", (EXAMPLES / "README.md").read_text("utf-8")))
    there = {
        path.name for path in EXAMPLES.iterdir() if path.suffix == ".py" or (path.is_dir() and path.name[0] != "_")
    }
    assert listed == {name for name in there if not name.startswith("foreign_")}


def test_the_page_about_cron_is_right(session: Session) -> None:
    """The files, the job and the commands of the page work in their order."""
    (session.folder / "cron_job.py").write_text((EXAMPLES / "cron_job.py").read_text("utf-8"), "utf-8")
    session.run(DOCS / "cron.md")
    assert len(session.executed) == 5
    assert [entry["grant_type"] for entry in session.log() if entry["grant_type"]] == ["client_credentials"]


def test_a_program_logs_in(
    sandbox: Sandbox,
    environment: Callable[[dict[str, str]], None],
    log_in: Callable[[str, Sandbox], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both programs of the page about logins get what they are for, when a person does what they say."""
    login, key = [block for block in blocks("web-login.md", "python") if "input(" in block.text]

    def person(_: str) -> str:
        return log_in(capsys.readouterr().out.removeprefix("Log in at ").strip(), sandbox)

    monkeypatch.setattr(builtins, "input", person)
    environment(sandbox.environment("authorization_code"))
    names = run_block(login.text)
    assert names["source"].token().access_token == names["token"].access_token
    environment(sandbox.environment("client_credentials"))
    names = run_block(key.text)
    assert capsys.readouterr().out.strip() == names["key"].get_secret_value()


def test_the_client_s_methods_have_a_successor(
    run: Run, sandbox: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """The program with requests, which replaces the package, prints what the package's method gives."""
    environment(sandbox.environment("client_credentials"))
    (program,) = [block.text for block in blocks("from-procountor-client.md", "python") if "class " not in block.text]
    assert run("-c", program).stdout == "Sandbox Oy\n"


def test_the_odoo_modules_fill_in_the_companies(
    companies: Callable[[int], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each company with a profile gets its name, and one whose profile is wrong does not stop the others."""
    names = companies(2)
    (tmp_path / "addon").mkdir()
    for name in ("procountor.py", "res_company.py"):
        (tmp_path / "addon" / name).write_text(file("odoo.md", name), "utf-8")
    records = [types.SimpleNamespace(procountor_profile=name, procountor_name="") for name in (*names, "nobody")]
    for name, module in odoo().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.syspath_prepend(str(tmp_path))
    company = importlib.import_module("addon.res_company").ResCompany()
    company.search = lambda domain: records if domain == [("procountor_profile", "!=", False)] else []
    (called,) = [field.text for field in record().iter("field") if field.get("name") == "code"]
    eval(str(called), {"model": company})  # noqa: S307 - as the scheduled action does it
    assert [record.procountor_name for record in records] == [f"{name} Oy" for name in names] + [""]
    for name in [name for name in sys.modules if name.partition(".")[0] == "addon"]:
        del sys.modules[name]


def test_the_odoo_addon_is_described() -> None:
    """The scheduled action says when and for which model, and the manifest names its file."""
    fields = {str(field.get("name")): field for field in record().iter("field")}
    assert fields["model_id"].get("ref") == "base.model_res_company"
    assert (fields["interval_number"].text, fields["interval_type"].text) == ("1", "hours")
    manifest = ast.literal_eval(file("odoo.md", "__manifest__.py").partition("\n")[2])
    assert manifest["data"] == ["data/ir_cron.xml"]


def record() -> ET.Element:
    """Return the scheduled action."""
    (block,) = blocks("odoo.md", "xml")
    return ET.fromstring(block.text)  # noqa: S314 - the page's own


def odoo() -> dict[str, Any]:
    """Return modules that stand in for Odoo's: a model is a class, its fields are values."""
    module: Any = types.ModuleType("odoo")
    module.api = types.SimpleNamespace(model=lambda method: method)
    module.fields = types.SimpleNamespace(Char=lambda **_: "")
    module.models = types.SimpleNamespace(Model=object)
    return {"odoo": module}


def run_block(text: str) -> dict[str, Any]:
    """Run a block of a page; return its names."""
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(text, "page", "exec", dont_inherit=True), names)  # noqa: S102 - the page's own code
    return names
