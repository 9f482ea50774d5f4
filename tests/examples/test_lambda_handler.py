"""The Lambda function, called as Lambda does it, with a stand-in for the SDK of AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from procountor_auth.sandbox import Faults

from .page import blocks
from .yaml import loaded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from procountor_auth.sandbox import Sandbox

    from .example import Run

MEMBERS = ("client_id", "client_secret", "redirect_uri", "api_key")

SDK = """
import os

class Secrets:
    def get_secret_value(self, *, SecretId):
        assert SecretId == "procountor/acme"
        with open(os.environ["SECRETS"]) as file:
            return {"SecretString": file.read()}

def client(name):
    assert name == "secretsmanager"
    return Secrets()
"""

INVOCATIONS = """
import lambda_handler
for _ in range(3):
    print(lambda_handler.handler({}, None))
"""


def invoke(run: Run, sandbox: Sandbox, folder: Path) -> list[str]:
    """Start an execution environment, and invoke the function three times; return what it has answered."""
    (folder / "boto3.py").write_text(SDK, "utf-8")
    (folder / "secret.json").write_text(json.dumps({name: getattr(sandbox, name) for name in MEMBERS}), "utf-8")
    (folder / "secret.json").chmod(0o600)
    done = run(
        *("-c", "import sys; sys.path.insert(0, sys.argv[1])\n" + INVOCATIONS, str(folder)),
        SECRETS=str(folder / "secret.json"),
        SECRET_ID="procountor/acme",
        PROCOUNTOR_BASE_URL=sandbox.base_url,
        PROCOUNTOR_TIMEOUT="1",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_an_environment_asks_for_one_token(
    run: Run,
    sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
    token_requests: Callable[[Sandbox], list[str]],
) -> None:
    """Three invocations are three answers, and one token."""
    answers = invoke(run, sandbox, tmp_path_factory.mktemp("lambda"))
    assert answers == [str({"statusCode": 200, "body": json.dumps({"name": "Sandbox Oy"})})] * 3
    assert token_requests(sandbox) == ["client_credentials"]


def test_an_outage_is_an_answer(run: Run, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where Procountor is down, the function starts, and says that another try may help."""
    sandbox.faults = Faults(status=503)
    answers = invoke(run, sandbox, tmp_path_factory.mktemp("lambda"))
    assert all("'statusCode': 503" in answer for answer in answers)


def test_an_outage_of_the_api_is_an_answer(
    run: Run, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With a valid token, it is another status."""
    sandbox.faults = Faults(status=503, where="api")
    answers = invoke(run, sandbox, tmp_path_factory.mktemp("lambda"))
    assert all("'statusCode': 502" in answer for answer in answers)


def test_the_template_fits_the_function() -> None:
    """The handler is ours, the time limit is above the library's, and the secret is the one that may be read."""
    (block,) = blocks("lambda.md", "yaml")
    properties = loaded(block.text)["Resources"]["CompanyName"]["Properties"]
    variables = properties["Environment"]["Variables"]
    assert properties["Handler"] == "lambda_handler.handler"
    assert properties["Timeout"] > float(variables["PROCOUNTOR_TIMEOUT"])
    (policy,) = properties["Policies"]
    assert variables["SECRET_ID"] in policy["AWSSecretsManagerGetSecretValuePolicy"]["SecretArn"]


def test_the_secret_of_the_page_is_what_the_function_takes() -> None:
    """It has the members of the one that the function is tested with."""
    (block,) = blocks("lambda.md", "json")
    assert tuple(json.loads(block.text)) == MEMBERS
