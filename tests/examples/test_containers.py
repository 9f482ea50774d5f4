"""The manifests of docs/containers.md: a program with their variables and secrets gets a token."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography.fernet import Fernet

from .conftest import EXAMPLES
from .page import blocks
from .yaml import loaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

    from .example import Run

COMPOSE, KUBERNETES = (loaded(block.text) for block in blocks("containers.md", "yaml"))

SECRETS: Final = ("CLIENT_ID", "CLIENT_SECRET", "API_KEY")


@pytest.fixture
def values(sandbox: Sandbox) -> dict[str, str]:
    """The values of the secrets."""
    values = {f"PROCOUNTOR_{name}": str(getattr(sandbox, name.lower())) for name in SECRETS}
    return values | {"PROCOUNTOR_TOKEN_STORE_KEY": Fernet.generate_key().decode()}


def test_compose(run: Run, sandbox: Sandbox, values: dict[str, str], tmp_path: Path) -> None:
    """With the service's variables and a file for each of its secrets, the program runs, and keeps its token."""
    service = COMPOSE["services"]["bookkeeping"]
    assert set(service["secrets"]) == set(COMPOSE["secrets"]) == set(values)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in service["secrets"]:
        (secrets / name).write_text(values[name])
        (secrets / name).chmod(0o600)
    store, _, folder = service["environment"]["PROCOUNTOR_TOKEN_STORE"].partition(":")
    mount = service["volumes"][0].partition(":")[2]
    assert Path(folder).parent == Path(mount)
    done = program(
        run,
        service["environment"] | {"PROCOUNTOR_TOKEN_STORE": f"{store}:{tmp_path / 'volume' / 'procountor'}"},
        PROCOUNTOR_SECRETS_DIR=str(secrets),
        PROCOUNTOR_BASE_URL=sandbox.base_url,
    )
    assert done == f"Sandbox Oy (company {sandbox.company})\n"
    assert list((tmp_path / "volume" / "procountor").glob("*.json"))


def test_kubernetes(
    run: Run,
    sandbox: Sandbox,
    values: dict[str, str],
    tmp_path: Path,
    redis_url: str,
    token_requests: Callable[[Sandbox], list[str]],
) -> None:
    """A mounted Secret is read through Kubernetes' symlinks, and two pods share one token."""
    spec = KUBERNETES["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]}
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    assert {variables["PROCOUNTOR_SECRETS_DIR"], variables["XDG_STATE_HOME"]} == mounts
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in spec["volumes"]}
    data = tmp_path / "mounted" / "..2026_11_29"
    data.mkdir(parents=True)
    (tmp_path / "mounted" / "..data").symlink_to(data.name)
    for name, value in (values | {"PROCOUNTOR_TOKEN_STORE": redis_url}).items():
        (data / name).write_text(value)
        (data / name).chmod(0o600)
        (tmp_path / "mounted" / name).symlink_to(f"..data/{name}")
    for pod in ("first", "second"):
        done = program(
            run,
            variables,
            PROCOUNTOR_SECRETS_DIR=str(tmp_path / "mounted"),
            XDG_STATE_HOME=str(tmp_path / pod),
            PROCOUNTOR_BASE_URL=sandbox.base_url,
        )
        assert done == f"Sandbox Oy (company {sandbox.company})\n"
    assert token_requests(sandbox) == ["client_credentials"]


def test_an_outage_of_redis_finds_the_empty_volume(
    run: Run, sandbox: Sandbox, values: dict[str, str], tmp_path: Path
) -> None:
    """A volume that the pod's group may write to takes the tokens while Redis is away."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o2777)
    variables = values | {
        "PROCOUNTOR_TOKEN_STORE": "redis://127.0.0.1:1/0",
        "PROCOUNTOR_STRATEGY": "client_credentials",
    }
    done = program(
        run,
        variables,
        PROCOUNTOR_REDIRECT_URI=sandbox.redirect_uri,
        XDG_STATE_HOME=str(state),
        PROCOUNTOR_BASE_URL=sandbox.base_url,
    )
    assert done == f"Sandbox Oy (company {sandbox.company})\n"
    assert list(state.rglob("*.json"))


def test_the_image_runs_the_program_as_a_user_of_its_own() -> None:
    """The Dockerfile copies the program, starts it without a shell, and not as root; users and folders agree."""
    (block,) = blocks("containers.md", "dockerfile")
    steps = dict(re.findall(r"^([A-Z]+) (.+)$", block.text, re.MULTILINE))
    assert steps["COPY"].split()[0] == "program.py"
    assert loaded(steps["ENTRYPOINT"]) == ["python", "program.py"]
    user = KUBERNETES["spec"]["template"]["spec"]["securityContext"]
    assert steps["USER"] == f"{user['runAsUser']}:{user['fsGroup']}"
    assert "/tokens" in steps["RUN"]
    assert COMPOSE["services"]["bookkeeping"]["read_only"] is True


def program(run: Run, variables: dict[str, Any], **others: str) -> str:
    """Run the program with these variables, in no home; return what it has printed."""
    done = run(str(EXAMPLES / "program.py"), **(variables | others), HOME="/nonexistent")
    assert done.returncode == 0, done.stderr
    return done.stdout
