"""What type checkers of other projects see of the package: all of it has a type."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def pyright() -> Path:
    """The type checker, which `make` gets from npm."""
    program = Path(sys.prefix, "node_modules", ".bin", "pyright")
    if shutil.which("node") is None:
        _lacks("node")
    if not program.exists():
        _lacks("pyright (`make` installs it with npm)")
    return program


@pytest.fixture(scope="module")
def verify(pyright: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Returns what pyright says of a package's types, in an environment that the wheel is installed in."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True, with_pip=False)
    packages = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # What the package builds on: the rest of this environment, after the wheel.
    (packages / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n", "utf-8")

    def said(package: str) -> dict[str, Any]:
        done = subprocess.run(
            [pyright, "--verifytypes", package, "--ignoreexternal", "--outputjson"],
            cwd=tmp_path_factory.mktemp("empty"),
            # With this option pyright takes the first interpreter of the path, whatever else it is told.
            env={**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    return said


@pytest.mark.timeout(600)
def test_every_public_name_has_a_type(verify: Callable[[str], dict[str, Any]]) -> None:
    """Of all that the wheel has under a public path, pyright knows the type of every name."""
    document = verify("procountor_auth")
    completeness = document["typeCompleteness"]
    untyped = [
        f"{symbol['name']}: {said['message']}"
        for symbol in completeness["symbols"]
        for said in symbol["diagnostics"]
        if symbol["isExported"] and not symbol["isTypeKnown"]
    ]
    assert untyped == []
    assert completeness["completenessScore"] == 1.0
    assert completeness["packageName"] == "procountor_auth"
    assert "site-packages" in completeness["pyTypedPath"]  # the wheel's, not this checkout's
    assert completeness["exportedSymbolCounts"]["withKnownType"] > 500


def _lacks(what: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"{what} is not installed, and CI must not skip its tests")
    pytest.skip(f"{what} is not installed")
