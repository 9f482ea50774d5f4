"""Client credentials without `PROCOUNTOR_REDIRECT_URI`, at a server that needs none and at one that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth import ProcountorAuthError, TokenSource
from procountor_auth.sandbox import Quirks

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

pytestmark = [pytest.mark.server, pytest.mark.once]


def test_a_token_needs_no_redirect_uri(sandbox: Sandbox, environment: Callable[[dict[str, str]], None]) -> None:
    """Without it, the service's answer is a token; where the service wants one, the error names the variable."""
    environment(sandbox.environment("client_credentials") | {"PROCOUNTOR_REDIRECT_URI": ""})
    source = TokenSource.from_env()
    token = source.token()
    assert token.company_id == int(sandbox.company)
    sandbox.quirks = Quirks(api_key_redirect_uri="required")
    with pytest.raises(ProcountorAuthError) as refused:
        source.renew(token)
    assert "PROCOUNTOR_REDIRECT_URI" in str(refused.value)
