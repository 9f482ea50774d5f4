"""What runs elsewhere is right as far as can be seen from here: workflows, templates, the site's build."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.once

ROOT: Final = Path(__file__).parents[2]
GITHUB: Final = ROOT / ".github"
WORKFLOWS: Final = sorted((GITHUB / "workflows").iterdir())
FORMS: Final = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").iterdir() if path.name != "config.yml")
MAKEFILE: Final = (ROOT / "Makefile").read_text("utf-8")
PYPROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

SITE: Final = PYPROJECT["project"]["urls"]["Documentation"]

TARGETS: Final = frozenset(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))

MAY_RUN_OURS: Final = {"contents": "read"}
"""The rights of each job that runs this project's code."""


def loaded(path: Path) -> dict[str, Any]:
    """Return a YAML file as it is parsed."""
    parsed: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return parsed


def steps(workflow: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return each step of a workflow with the name of its job."""
    for name, job in loaded(workflow)["jobs"].items():
        for step in job["steps"]:
            yield name, step


def missing(command: str) -> set[str]:
    """Return the make targets and files that a command names and that are not there."""
    targets = set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", command)) - TARGETS
    files = re.findall(r"(?<![\w./$-])((?:\.ci|tests|docs|docker|examples|procountor_auth)/[\w./-]+)", command)
    return targets | {name for name in files if not (ROOT / name).exists()}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_says_that_it_has_not_run(path: Path) -> None:
    """A workflow begins with what it is for, and that nobody has seen it run."""
    comment = re.match(r"(?:#.*\n)+", path.read_text("utf-8"))
    assert comment is not None
    assert "has not run yet" in comment[0]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_calls_exists(path: Path) -> None:
    """Each target of make and each file that a step names is there, and each step does something."""
    commands = [step["run"] for _, step in steps(path) if "run" in step]
    assert commands
    for job in loaded(path)["jobs"].values():
        commands += [f"make {target}" for target in job.get("strategy", {}).get("matrix", {}).get("target", ())]
    assert {name for command in commands for name in missing(command)} == set()
    assert all(("run" in step) != ("uses" in step) for _, step in steps(path))


def test_what_does_not_exist_is_found() -> None:
    """The search above finds a target and a file that are not there."""
    assert missing("make proof && make nothing") == {"nothing"}
    assert missing("python -m pytest tests/protocol tests/nothing") == {"tests/nothing"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_few_and_pinned(path: Path) -> None:
    """An action is GitHub's or PyPA's, and named with its major version."""
    used = [step["uses"] for _, step in steps(path) if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+|pypa/gh-action-pypi-publish@release/v1", action)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_may_read_and_no_more(path: Path) -> None:
    """Jobs read the code and end in time; the one that may publish runs none of this project's code."""
    workflow = loaded(path)
    assert workflow["permissions"] == MAY_RUN_OURS
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 350, name  # GitHub ends a job after six hours
        if "permissions" in job:
            assert job["permissions"] == {"id-token": "write"}
            assert job["environment"]["name"] == "pypi"
            done = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
            assert done == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_secret_is_needed(path: Path) -> None:
    """No workflow asks GitHub for a secret, nor puts what others have written into a command."""
    text = path.read_text("utf-8")
    assert "secrets." not in text
    for _, step in steps(path):
        assert "${{" not in step.get("run", "")


def test_every_python_and_system_is_tried() -> None:
    """CI has each Python that the project names, on Linux, Windows and macOS, and runs `.ci/run`."""
    jobs = loaded(GITHUB / "workflows" / "ci.yml")["jobs"]
    named = [
        line.rpartition(" ")[2]
        for line in PYPROJECT["project"]["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    ]
    matrix = jobs["others"]["strategy"]["matrix"]
    assert matrix["python"] == named
    assert [system.partition("-")[0] for system in matrix["system"]] == ["ubuntu", "windows", "macos"]
    assert jobs["linux"]["steps"][-1] == {"run": ".ci/run"}


def test_a_release_is_what_make_build_makes() -> None:
    """A tag publishes what `make build` has made, if the tag is the version, with attestations."""
    workflow: dict[Any, Any] = loaded(GITHUB / "workflows" / "release.yml")
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 takes the word `on` for true
    commands = [step["run"] for step in workflow["jobs"]["build"]["steps"] if "run" in step]
    wheel = 'test -f "dist/procountor_auth-${GITHUB_REF_NAME#v}-py3-none-any.whl"'
    assert commands == ["make build", wheel]
    publish = workflow["jobs"]["publish"]
    assert (publish["needs"], publish["steps"][-1]["with"]) == ("build", {"attestations": True})


def test_read_the_docs_builds_what_make_docs_builds() -> None:
    """The site is built by make, and the folder that it is built in is what is published."""
    build = loaded(ROOT / ".readthedocs.yaml")["build"]
    site = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
    assert build["commands"] == [
        "make docs",
        'mkdir -p "$READTHEDOCS_OUTPUT"',
        f'cp -R {site["site_dir"]} "$READTHEDOCS_OUTPUT/html"',
    ]
    assert missing(build["commands"][0]) == set()
    assert site["site_url"] == SITE


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_is_complete(path: Path) -> None:
    """A form has what GitHub asks for, and names no file that is not there."""
    form = loaded(path)
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"checkboxes", "dropdown", "input", "textarea"}
    assert all(field["attributes"]["label"] for field in fields)
    names = [field["id"] for field in fields]
    assert len(names) == len(set(names)) > 0
    assert named_pages(path) == []


def test_who_asks_is_led_to_pages_that_are_there() -> None:
    """The links beside the forms lead to pages of the site."""
    pages = {path.stem.lower() for path in [*(ROOT / "docs").glob("*.md"), ROOT / "SECURITY.md"]}
    for link in loaded(GITHUB / "ISSUE_TEMPLATE" / "config.yml")["contact_links"]:
        assert link.keys() == {"name", "url", "about"}
        assert link["url"].removeprefix(SITE).removesuffix("/") in pages


def test_the_pull_request_template_names_what_is_there() -> None:
    """The list for a pull request names targets and files that exist."""
    path = GITHUB / "pull_request_template.md"
    assert missing(path.read_text("utf-8")) == set()
    assert named_pages(path) == []


def named_pages(path: Path) -> list[str]:
    """Return the pages that a file names and that are not there."""
    names = re.findall(r"[\w/]+\.md", path.read_text("utf-8"))
    return [name for name in names if not (ROOT / name).is_file()]


def test_the_addresses_of_the_project_are_pages_of_the_site() -> None:
    """The addresses that the package index shows lead to the site, and no repository is made up."""
    urls = PYPROJECT["project"]["urls"]
    assert urls == {"Documentation": SITE, "Changelog": f"{SITE}changelog/"}
    assert (ROOT / "CHANGELOG.md").is_file()
