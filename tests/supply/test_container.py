"""The container of the sandbox: small, without root and secrets, and what it runs works.

Its commands run in a clean environment here, with other paths (`make installations`). Where Docker works, the image
itself is built and run.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from procountor_auth.transport.backend import backend
from tests.ports import free_port
from tests.sizes import LONG

from .dockerfile import Dockerfile, context
from .installations import Environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.once

ROOT: Final = Path(__file__).parents[2]
DOCKER: Final = ROOT / "docker"
FILE: Final = Dockerfile((DOCKER / "Dockerfile").read_text("utf-8"))
IGNORE: Final = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
SERVICE: Final[dict[str, Any]] = COMPOSE["services"]["sandbox"]

SECRET: Final = "/run/secrets/sandbox-token"
PORT: Final = 8000


def test_the_base_is_pinned_and_small() -> None:
    """Each stage begins with the slim image of one Python that the project names."""
    bases = [each.value.split()[0] for each in FILE.all("FROM")]
    assert len(bases) > 1
    assert len(set(bases)) == 1
    named = re.fullmatch(r"python:(3\.\d+)-slim", bases[0])
    assert named is not None
    assert f"Python :: {named[1]}" in (ROOT / "pyproject.toml").read_text("utf-8")


def test_nothing_of_the_build_is_in_the_image() -> None:
    """Files are copied into the first stage alone; the last one installs from there, without network."""
    stages = [number for number, each in enumerate(FILE.instructions) if each.name == "FROM"]
    last = FILE.instructions[stages[-1] :]
    assert not [each for each in last if each.name in {"COPY", "ADD"}]
    installs = [each for each in last if each.name == "RUN"]
    assert len(installs) == 1
    assert installs[0].options == ("--mount=type=bind,from=build,source=/wheels,target=/wheels",)
    assert "--no-index" in installs[0].value


def test_it_is_not_root() -> None:
    """The user is a number other than 0, and nothing is done as root after it."""
    user, _, group = FILE.last("USER").value.partition(":")
    assert int(user) > 0
    assert int(group) > 0
    after = FILE.instructions[FILE.instructions.index(FILE.last("USER")) :]
    assert not {each.name for each in after} & {"RUN", "COPY", "ADD"}


def test_no_secret_is_in_it() -> None:
    """No instruction has a value for a secret, and the build sees what the package needs and nothing else."""
    assert not FILE.all("ARG")
    for each in FILE.all("ENV"):
        assert not re.search(r"TOKEN|SECRET|PASSWORD|KEY", each.value)
    seen = {path.relative_to(ROOT).parts[0] for path in context(ROOT, IGNORE)}
    assert seen == {"LICENSE", "README.md", "procountor_auth", "pyproject.toml", "strategies"}


def test_commands_need_no_shell_of_docker_s() -> None:
    """The program and its check of health are lists of words, so that signals reach the program."""
    for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
        assert FILE.last(name).words
    assert " exec procountor-auth " in FILE.last("ENTRYPOINT").words[2]


def test_compose_locks_it_up() -> None:
    """The service is read-only, has no capability, is on this machine alone, and gets its token as a file."""
    assert SERVICE["read_only"] is True
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert SERVICE["ports"] == [f"127.0.0.1:{PORT}:{FILE.last('EXPOSE').value}"]
    assert "environment" not in SERVICE
    assert SERVICE["secrets"] == [Path(SECRET).name]
    build = SERVICE["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).resolve() == DOCKER / "Dockerfile"
    token = COMPOSE["secrets"][Path(SECRET).name]["file"]
    assert f"docker/{token}" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_the_page_says_how_to_run_it() -> None:
    """The page about the sandbox and the compose file name the same commands, and options that there are."""
    page = (ROOT / "docs" / "sandbox.md").read_text("utf-8").partition("## In a container")[2]
    shown = re.search(r"```sh\n(.+?)```", page, re.DOTALL)
    assert shown is not None
    comment = (DOCKER / "compose.yaml").read_text("utf-8").partition("services:")[0]
    assert shown[1].splitlines() == re.findall(r"^# {5}(.+)$", comment, re.MULTILINE)
    example = re.search(r"```yaml\n(.+?)```", page, re.DOTALL)
    assert example is not None
    command = yaml.safe_load(example[1])["command"]
    assert command[:-1] == FILE.last("CMD").words[:-1]


@pytest.fixture(scope="module")
def image(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What the image has: a clean environment in which the RUN instructions have run, with paths of this test's.

    They take most of a minute. In `make check` the wheel is installed instead.
    """
    folder = tmp_path_factory.mktemp("image")
    if not LONG:
        return Environment.make(folder / "env", Path(sys.executable), wheel, "sandbox")
    source, wheels = folder / "source", folder / "wheels"
    for path in context(ROOT, IGNORE):
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    environment = Environment.bare(folder / "env", Path(sys.executable))
    for each in FILE.all("RUN"):
        command = each.value.replace("/wheels", shlex.quote(str(wheels)))
        done = environment.run_shell(command, cwd=source)
        assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(source)
    shutil.rmtree(environment.work)
    environment.work.mkdir()
    return environment


@pytest.fixture
def served(image: Environment, tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a sandbox that the image's program serves, and the command that checks its health."""
    port = free_port()
    (tmp_path / "token").write_text("administration-of-a-test\n", "utf-8")

    def here(words: list[str]) -> list[str]:
        return [word.replace(SECRET, str(tmp_path / "token")).replace(str(PORT), str(port)) for word in words]

    command = here(FILE.last("ENTRYPOINT").words + FILE.last("CMD").words)
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--json"],
        cwd=image.work,
        env=image.variables({"TMPDIR": str(image.work), "PYTHONDONTWRITEBYTECODE": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield json.loads(line)["base_url"], here(FILE.last("HEALTHCHECK").words)
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.mark.long
def test_what_the_image_runs_works(image: Environment, served: tuple[str, list[str]]) -> None:
    """The program serves, is healthy, wants the token of whoever administers it, and writes no file anywhere."""
    address, check = served
    assert image.run(check[0], *check[1:]).returncode == 0
    with backend.Client() as client:
        answers = [
            client.get(f"{address}/_sandbox/log", headers=headers).status_code
            for headers in ({}, {"Authorization": "Bearer administration-of-a-test"})
        ]
    assert answers == [401, 200]
    assert list(image.work.iterdir()) == []


@pytest.mark.long
def test_a_dead_program_is_not_healthy(image: Environment) -> None:
    """Where nobody listens, the check of health fails."""
    words = [word.replace(str(PORT), str(free_port())) for word in FILE.last("HEALTHCHECK").words]
    assert image.run(words[0], *words[1:]).returncode == 1


@pytest.fixture(scope="session")
def docker() -> str:
    """The program `docker`, where it has an engine and can compose."""
    program = shutil.which("docker")
    if program is None:
        pytest.skip("docker is not installed")
    for question, lacks in (("info", "engine"), ("compose version", "compose")):
        command = [program, *question.split()]
        asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if asked.returncode:
            pytest.skip(f"docker has no {lacks} here: {asked.stderr.strip().splitlines()[-1]}")
    return program


@pytest.mark.timeout(900)
def test_the_image_is_built_and_gets_healthy(docker: str, tmp_path: Path) -> None:
    """Compose builds the image, and waits until it is healthy; nobody in it is root."""
    shutil.copytree(DOCKER, tmp_path / "docker")
    (tmp_path / "docker" / "sandbox-token").write_text("administration-of-a-test\n", "utf-8")
    for path in [*context(ROOT, IGNORE), ROOT / ".dockerignore"]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    compose = [docker, "compose", "--project-name", "procountor-test", "--file", str(tmp_path / "docker/compose.yaml")]
    try:
        subprocess.run([*compose, "up", "--build", "--wait"], check=True, timeout=840)
        who = subprocess.run([*compose, "exec", "sandbox", "id", "-u"], check=True, capture_output=True, text=True)
        assert int(who.stdout) > 0
    finally:
        subprocess.run([*compose, "down", "--rmi", "local"], check=False, timeout=120)
