"""An AWS Lambda function that calls Procountor. Its secrets are one JSON object in AWS Secrets Manager.

    pip install procountor-auth --target package

The object has `client_id`, `client_secret`, `redirect_uri` and `api_key`.
"""

from __future__ import annotations

import json
import os
from typing import Any

import boto3  # type: ignore[import-not-found] # it is part of Lambda's runtime
import httpx

from procountor_auth import ProcountorAuthError
from procountor_auth.httpx import ProcountorAuth

# Once per cold start: the client, and with it the token, lasts as long as this execution environment.
_secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ID"])
_auth = ProcountorAuth.client_credentials(**json.loads(_secret["SecretString"]))
del _secret
_client = httpx.Client(auth=_auth, base_url=_auth.api_url, timeout=10)


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the company's name, or an error that tells the caller whether to try again."""
    try:
        session = _client.get("sessioninfo").raise_for_status().json()
    except ProcountorAuthError as error:
        return {"statusCode": 503 if error.retryable else 500, "body": json.dumps({"error": error.code})}
    except httpx.HTTPError:
        return {"statusCode": 502, "body": json.dumps({"error": "procountor"})}
    return {"statusCode": 200, "body": json.dumps({"name": session["name"]})}
