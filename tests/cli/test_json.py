"""`--json` is a contract: the models make the documents and the page, and an error is a document as well."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth.cli.documents.base import Document, ErrorDocument
from procountor_auth.cli.documents.contract import DOCUMENTS
from procountor_auth.cli.exit_status import wants_json
from tests.migration.conftest import Companies

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Run

DOCS = Path(__file__).parents[2] / "docs"

WITHOUT_PERSON = (
    "doctor",
    "status",
    "token",
    "logout",
    "store list",
    "store prune",
    "migrate check",
    "migrate rehearse",
    "migrate plan",
    "migrate status",
    "migrate finish",
)
"""The commands that need neither a browser nor a sandbox's address; the others have tests of their own."""


def page_script() -> Any:  # noqa: ANN401 - a module
    """Load the script that writes the page."""
    found = importlib.util.spec_from_file_location("json_page", DOCS / "json_page.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def read(model: type[Document], out: str) -> dict[str, Any]:
    """Read one document, strictly: each member is described, and has the type that is described."""
    assert out.count("\n") == 1
    model.model_validate_json(out, strict=True)
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_page_and_the_schema_are_the_models() -> None:
    """docs/json.md and docs/json-schema.json are what `make json` writes from the models of today."""
    script = page_script()
    assert script.PAGE.read_text(encoding="utf-8") == script.page()
    assert script.SCHEMA.read_text(encoding="utf-8") == script.schema()


def test_every_member_is_described() -> None:
    """Each member of each document has a description."""
    models: list[type[Document]] = [ErrorDocument, *DOCUMENTS.values()]
    for model in models:
        schema = model.model_json_schema(mode="serialization")
        for name, part in {model.__name__: schema, **schema.get("$defs", {})}.items():
            described = [field for field, value in part.get("properties", {}).items() if value.get("description")]
            refs = [field for field, value in part.get("properties", {}).items() if set(value) == {"$ref"}]
            assert sorted([*described, *refs]) == sorted(part.get("properties", {})), name


@pytest.mark.server
@pytest.mark.parametrize("command", WITHOUT_PERSON)
def test_each_command_prints_its_document(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None], run: Run, tmp_path: Path, command: str
) -> None:
    """What a command prints for a good profile and for one that is blocked is what its model describes."""
    variables = sandbox.environment("legacy_password") | {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    variables["PROCOUNTOR_LEGACY_POLICY"] = "allow"
    for name in ("USERNAME", "PASSWORD", "COMPANY"):
        del variables[f"PROCOUNTOR_{name}"]
    environment(variables | {"PROCOUNTOR_PROFILES_FILE": str(tmp_path / "profiles.toml")})
    companies = Companies(sandbox, tmp_path / "profiles.toml")
    companies.add("acme")
    companies.add("beta", api_key=None)
    companies.write()
    chosen = ["--profile", "acme"] if command in {"doctor", "token", "logout"} else []
    if command != "token":
        run("token", "--profile", "acme")
    if command == "migrate finish":
        companies.tables["acme"]["strategy"] = "client_credentials"
        companies.write()
    status, out, _ = run(*command.split(), *chosen, "--json")
    found = read(DOCUMENTS[command], out)
    assert status in {0, 1}
    for profile in found.get("profiles", []):
        assert profile["ready"] == (profile["reasons"] == [])


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["token", "--json"], "configuration", 2),
        (["token", "--format", "json"], "configuration", 2),
        (["token", "--profile", "acme", "--json"], "unknown_profile", 2),
        (["token", "--bogus", "--json"], "usage", 2),
        (["--bogus", "token", "--json"], "usage", 2),
        (["migrate", "check", "--to", "client_credential", "--json"], "usage", 2),
        (["sandbox", "faults", "http://127.0.0.1:9", "--json"], "sandbox", 1),
        (["logout", "--json"], "configuration", 2),
    ],
)
def test_an_error_is_a_document(run: Run, arguments: list[str], code: str, status: int) -> None:
    """Where a command fails as a whole, stdout has one document with the error, and stderr nothing."""
    ended, out, err = run(*arguments)
    error = read(ErrorDocument, out)["error"]
    assert (ended, err, error["code"]) == (status, "", code)
    assert error["message"]
    assert (error["hint"] != "") == (code != "sandbox")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["status", "--json"], True),
        (["token", "--format", "json"], True),
        (["token", "--format=json"], True),
        (["token", "--format", "header"], False),
        (["api", "GET", "--", "--json"], False),
        ([], False),
    ],
)
def test_who_asks_for_json(arguments: list[str], *, expected: bool) -> None:
    """`--json` counts anywhere before `--`, and so does the format of a token."""
    assert wants_json(arguments) is expected
