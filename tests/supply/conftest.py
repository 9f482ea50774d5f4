"""The wheel and the source distribution of this tree, and what they are installed beside."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installation:
    """The wheel, installed beside some packages and nothing else.

    Attributes:
        wheel: Where the wheel's files are.
        packages: Where the other packages are.
    """

    wheel: Path
    packages: Path

    def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with arguments. It sees its standard library, the wheel and the packages."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PROCOUNTOR_"))}
        return subprocess.run(
            # Without `site`, so that neither the environment of these tests nor this checkout is seen.
            [sys.executable, "-S", "-B", *arguments],
            env=kept | {"PYTHONPATH": os.pathsep.join([str(self.wheel), str(self.packages)])} | dict(environment or {}),
            cwd=cwd or self.packages,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def build(tree: Path, target: Path, *arguments: str, umask: int = 0o022) -> list[Path]:
    """Build the distributions of a tree into a folder, without network, and return them."""
    target.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target), *arguments],
        cwd=tree,
        env=environment,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(target.iterdir())


def closure(names: Iterable[str], extra: str = "") -> set[str]:
    """Return the installed packages that these ones need, as far as this machine's markers go."""
    found: set[str] = set()
    waiting = [(name, extra) for name in names]
    while waiting:
        name, wanted = waiting.pop()
        found.add(name)
        for line in distribution(name).requires or []:
            needed = Requirement(line)
            applies = needed.marker is None or needed.marker.evaluate({"extra": wanted})
            if applies and needed.name.lower() not in found:
                waiting.append((needed.name.lower(), ""))
    return found


def link(names: Iterable[str], folder: Path) -> Path:
    """Put the top-level files of installed packages into a folder, as links, and return it."""
    folder.mkdir()
    for name in names:
        installed = distribution(name)
        tops = {file.parts[0] for file in installed.files or [] if file.parts[0] not in {"..", "__pycache__"}}
        for top in tops:
            there = folder / top
            if not there.exists():
                there.symlink_to(Path(str(installed.locate_file(top))))
    return folder


@pytest.fixture(scope="session")
def hatchling() -> None:
    """Skip the test where the build backend is not installed, but not in CI."""
    if find_spec("hatchling") is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail("hatchling is not installed: it is in the group dev")
        pytest.skip("hatchling is not installed")


@pytest.fixture(scope="session")
def built(hatchling: None, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:  # noqa: ARG001 - it may skip
    """The wheel and the source distribution of this tree, in this order."""
    return sorted(build(ROOT, tmp_path_factory.mktemp("dist")), key=lambda path: path.suffix != ".whl")


@pytest.fixture(scope="session")
def wheel(built: list[Path]) -> Path:
    """The wheel of this tree."""
    return built[0]


@pytest.fixture(scope="session")
def sdist(built: list[Path]) -> Path:
    """The source distribution of this tree."""
    return built[1]


@pytest.fixture(scope="session")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel with what it needs without an extra, as `pip install procountor-auth` leaves it."""
    folder = tmp_path_factory.mktemp("core")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "wheel")
    try:
        names = closure(core_requirements(folder / "wheel"))
    except PackageNotFoundError as error:  # where the suite runs with one of the two HTTP libraries alone
        pytest.skip(f"the core's {error.name} is not installed")
    return Installation(folder / "wheel", link(names, folder / "packages"))


@pytest.fixture(scope="session")
def with_sandbox(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel with its extra `[sandbox]`."""
    folder = tmp_path_factory.mktemp("sandbox")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "wheel")
    try:
        extra = ("flask", "typer", "rich", "filelock", "platformdirs")
        names = closure([*core_requirements(folder / "wheel"), *extra])
    except PackageNotFoundError as error:  # as above
        pytest.skip(f"{error.name} is not installed")
    return Installation(folder / "wheel", link(names, folder / "packages"))


@pytest.fixture(scope="session")
def core_with_pytest(core: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The same with pytest."""
    names = closure([*core_requirements(core.wheel), "pytest"])
    return Installation(core.wheel, link(names, tmp_path_factory.mktemp("core_with_pytest") / "packages"))


def core_requirements(wheel: Path) -> list[str]:
    """Return the names of what the wheel in a folder needs without an extra."""
    metadata = next(wheel.glob("*.dist-info/METADATA")).read_text("utf-8").partition("\n\n")[0]
    lines = [line.partition(": ")[2] for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    needed = [Requirement(line) for line in lines]
    return [each.name.lower() for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
