"""The wheel: what is in it, what it loads, and what it says where an extra is missing."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from packaging.requirements import Requirement

import procountor_auth
from procountor_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from .conftest import Installation

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "procountor_auth"

NEEDS: Final[dict[str, set[str]]] = {
    "cli": {"typer", "rich"},
    "bridge": {"argon2", "starlette", "uvicorn"},
    "sandbox.pytest_plugin": {"pytest"},
    "sandbox": {"flask", "werkzeug"},
    "httpx2": {"httpx2"},
    "requests": {"requests"},
    "stores.file": {"platformdirs", "filelock"},
    "stores.file_listing": {"platformdirs", "filelock"},
    "stores.private_folder": {"platformdirs", "filelock"},
    "stores.spent_tokens": {"platformdirs", "filelock"},
    "settings.keychain": {"keyring"},
    "stores.redis_connection": {"redis"},
    "stores.redis_error": {"redis"},
    "stores.keyring": {"keyring", "platformdirs", "filelock"},
    "stores.redis": {"redis"},
    "stores.redis_listing": {"redis"},
    "stores.redis_url": {"redis"},
    "stores.redis_lock": {"redis"},
    "stores.redis_sentinel": {"redis"},
    "stores.sql": {"sqlalchemy"},
    "stores.sql_connection": {"sqlalchemy"},
    "stores.sql_error": {"sqlalchemy"},
    "stores.sql_listing": {"sqlalchemy"},
    "stores.sql_lock": {"sqlalchemy"},
    "stores.sql_table": {"sqlalchemy"},
    "stores.compliance": {"pytest"},
    "transport.trio_gate": {"trio"},
}
"""The modules that need an extra, and of which packages one may be the first that is missing."""

COMMANDS: Final = [
    [],
    ["--help"],
    ["--version"],
    ["doctor"],
    ["status"],
    ["token"],
    ["login"],
    ["logout"],
    ["key", "create"],
    ["migrate", "check"],
    ["init"],
    ["api", "GET", "users"],
    ["store", "ddl"],
    ["sandbox", "faults", "http://127.0.0.1:1"],
    ["sandbox"],
    ["bridge"],
    ["bridge", "hash"],
]

_IMPORT_EACH: Final = """
import importlib, json, sys
failed = {}
for name in json.load(open(sys.argv[1])):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        failed[name] = (error.name or "").partition(".")[0]
print(json.dumps(failed))
"""

_FETCH: Final = """
import json, sys, warnings
import procountor_auth
first = sorted(sys.modules)
from procountor_auth.httpx import ProcountorAuth
import httpx
warnings.simplefilter("ignore", DeprecationWarning)
auth = ProcountorAuth()
with httpx.Client(auth=auth) as client:
    company = client.get(auth.api_url + "/sessioninfo").json()["companyId"]
auth.source.renew(auth.source.token())
print(json.dumps([company, first, sorted(sys.modules)]))
"""


def room_of(module: str) -> str | None:
    """Return the entry of `NEEDS` that a module is in."""
    inside = module.removeprefix("procountor_auth.")
    return next((room for room in NEEDS if inside == room or inside.startswith(f"{room}.")), None)


def loads(modules: list[str]) -> set[str]:
    """Return what of the sandbox, the command, the bridge, the plugin and the extras is among loaded modules."""
    packages = set().union(*NEEDS.values())
    return {
        name
        for name in modules
        if name.startswith(
            tuple(f"procountor_auth.{room}" for room in ("sandbox", "cli", "bridge", "sandbox.pytest_plugin"))
        )
        or name.partition(".")[0] in packages
    }


def test_only_the_package_is_in_it(wheel: Path) -> None:
    """The wheel has the package's own files, the man page, metadata, and nothing else: no test, tool or other page."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    metadata = {name for name in names if ".dist-info/" in name}
    tracked = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    templates = {f"procountor_auth/cli/env_templates/{path.name}" for path in (ROOT / "strategies").glob("*.env")}
    manual = {name for name in names if name.endswith(".data/data/share/man/man1/procountor-auth.1")}
    assert len(manual) == 1
    assert names - metadata - manual == tracked | templates
    assert {name.partition("/")[2] for name in metadata} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "entry_points.txt",
        "licenses/LICENSE",
    }
    assert "procountor_auth/py.typed" in names


def test_only_the_core_is_needed(core: Installation) -> None:
    """Whatever is no dependency of the core is asked for under the extra that `pyproject.toml` has it in."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = next(core.wheel.glob("*.dist-info/METADATA")).read_text("utf-8").partition("\n\n")[0]
    lines = [line.partition(": ")[2] for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    required = [Requirement(line) for line in lines]
    without = {each.name for each in required if each.marker is None}
    assert without == {Requirement(line).name for line in project["dependencies"]}
    conditions = {str(each.marker) for each in required if each.marker is not None}
    assert conditions <= {f'extra == "{extra}"' for extra in project["optional-dependencies"]}


def test_there_is_one_version(core: Installation) -> None:
    """The wheel, the package, the command and the newest entry of the changelog have the same version."""
    metadata = next(core.wheel.glob("*.dist-info/METADATA")).read_text("utf-8")
    assert re.findall(r"^Version: (.+)$", metadata, re.MULTILINE) == [procountor_auth.__version__]
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == procountor_auth.__version__


def test_every_room_without_an_extra_is_there(core: Installation, tmp_path: Path) -> None:
    """With the core alone, each module outside those of the extras is imported; others miss their own package."""
    names = [
        ".".join(path.relative_to(core.wheel).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((core.wheel / "procountor_auth").rglob("*.py"))
        if path.name != "__main__.py"
    ]
    assert len(names) > 80
    (tmp_path / "names.json").write_text(json.dumps(names), "utf-8")
    done = core.run("-c", _IMPORT_EACH, str(tmp_path / "names.json"))
    assert done.returncode == 0, done.stderr
    failed: dict[str, str] = json.loads(done.stdout)
    misplaced = {name: missing for name, missing in failed.items() if missing not in NEEDS.get(room_of(name) or "", ())}
    assert misplaced == {}
    assert {room_of(name) for name in failed} == set(NEEDS)  # or it needs no extra any more


@pytest.mark.parametrize("strategy", ["legacy_password", "authorization_code", "client_credentials"])
def test_nothing_imports_the_sandbox(core: Installation, strategy: str) -> None:
    """With the core alone, a token, its renewal and a request need no sandbox, command, bridge, plugin or extra."""
    with Sandbox() as sandbox:
        environment = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
        done = core.run("-c", _FETCH, environment=environment)
    assert done.returncode == 0, done.stderr
    company, first, at_last = json.loads(done.stdout)
    assert company == 14159
    assert [name for name in first if name.startswith("procountor_auth")] == ["procountor_auth"]
    assert loads(at_last) == set()
    assert "procountor_auth.transport.transport" in at_last


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_the_command_names_its_extra(core: Installation, arguments: list[str]) -> None:
    """Without its packages, each command is one line with the extra to install, and status 2."""
    done = core.run("-m", "procountor_auth", *arguments)
    extra = "bridge" if "bridge" in arguments else "sandbox" if arguments == ["sandbox"] else "cli"
    line = f"procountor-auth needs its command line extra: pip install 'procountor-auth[{extra}]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_the_entry_points_are_there(core: Installation) -> None:
    """The command and the plugin that the wheel announces are functions and modules of it."""
    text = next(core.wheel.glob("*.dist-info/entry_points.txt")).read_text("utf-8")
    assert re.findall(r"^(\S+) = (\S+)$", text, re.MULTILINE) == [
        ("procountor-auth", "procountor_auth.cli:main"),
        ("procountor_sandbox", "procountor_auth.sandbox.pytest_plugin"),
    ]
    program = "from procountor_auth.cli import main; assert callable(main)"
    assert core.run("-c", program).returncode == 0


def test_other_test_runs_are_left_alone(core_with_pytest: Installation, tmp_path: Path) -> None:
    """The plugin is loaded by every run of pytest: it brings no other module and no warning with it."""
    status, said = _suite(
        core_with_pytest,
        tmp_path,
        """
        import sys

        def test_plugin_alone(request):
            assert request.config.pluginmanager.has_plugin("procountor_sandbox")
            ours = {name for name in sys.modules if name.startswith("procountor_auth")}
            assert ours == {"procountor_auth", "procountor_auth.sandbox", "procountor_auth.sandbox.pytest_plugin"}
            others = {"httpx", "httpx2", "authlib", "pydantic", "pydantic_settings", "jwt", "flask"}
            assert not others & sys.modules.keys()
        """,
    )
    assert (status, "1 passed" in said) == (0, True), said


def test_a_fixture_names_its_extra(core_with_pytest: Installation, tmp_path: Path) -> None:
    """Without its packages, a test that asks for the sandbox fails with one line that has the extra to install."""
    status, said = _suite(core_with_pytest, tmp_path, "def test_it(procountor_environment): pass")
    assert (status, "1 error" in said) == (1, True), said
    assert re.search(
        r"^procountor_sandbox needs the package \w+: pip install 'procountor-auth\[sandbox\]'$", said, re.MULTILINE
    )
    assert "Traceback" not in said
    assert "conftest" not in said


def test_the_page_says_how_large_the_sandbox_is(wheel: Path) -> None:
    """The share of the sandbox in the wheel is the one that the page about dependencies names, to two points."""
    with zipfile.ZipFile(wheel) as archive:
        sizes: dict[str, Any] = {info.filename: info.compress_size for info in archive.infolist()}
    of_sandbox = sum(size for name, size in sizes.items() if name.startswith("procountor_auth/sandbox/"))
    share = 100 * of_sandbox / sum(sizes.values())
    page = (ROOT / "docs" / "supply-chain.md").read_text("utf-8")
    said = re.search(r"The sandbox is (\d+) KiB of (\d+) KiB, (\d+) %", page)
    assert said is not None
    assert abs(int(said[3]) - share) < 2
    assert abs(int(said[1]) - of_sandbox / 1024) < 8


def _suite(installation: Installation, folder: Path, lines: str) -> tuple[int, str]:
    """Run a test file with pytest; return the status and what it printed."""
    (folder / "test_integration.py").write_text(textwrap.dedent(lines), "utf-8")
    done = installation.run("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(folder), cwd=folder)
    return done.returncode, done.stdout + done.stderr


def test_from_an_empty_folder_to_a_token(with_sandbox: Installation, tmp_path: Path) -> None:
    """`init`, `sandbox --env-file` and `token` need nothing but the wheel with its extra, and an empty folder."""
    installed = with_sandbox
    work = tmp_path / "empty"
    work.mkdir()
    made = installed.run("-m", "procountor_auth", "init", cwd=work)
    assert (made.returncode, made.stderr) == (0, "")
    program = (
        "import runpy, sys, threading\n"
        "from procountor_auth.cli import main\n"
        "from procountor_auth.cli.sandbox import command, display\n"
        "def served(*_):\n"
        "    import subprocess\n"
        "    asked = [sys.executable, '-S', '-B', '-m', 'procountor_auth', 'token']\n"
        "    done = subprocess.run(asked, capture_output=True, text=True)\n"
        "    print(done.returncode, len(done.stdout) > 100, done.stderr)\n"
        "    import os, signal\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "display.show = served\n"
        "sys.argv[1:] = ['sandbox', '--env-file', '.env', '--strategy', 'client_credentials']\n"
        "main()\n"
    )
    done = installed.run("-c", program, cwd=work)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "True"], done.stdout + done.stderr
