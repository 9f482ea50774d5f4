"""The requests of public clients that can't be installed, in the shape that their sources have."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth.sandbox import Quirks

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox

pytestmark = pytest.mark.server

SCRIPT: Final = Path(__file__).parents[2] / "examples" / "foreign_requests.py"

_spec = importlib.util.spec_from_file_location("foreign_requests", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
requests: Any = importlib.util.module_from_spec(_spec)
sys.modules["foreign_requests"] = requests
_spec.loader.exec_module(requests)


@pytest.mark.parametrize("shape", requests.SHAPES, ids=lambda shape: shape.language)
def test_the_sandbox_answers_each_shape(sandbox: Sandbox, shape: Any) -> None:  # noqa: ANN401 - of the script
    """Each gets a token of its key's company."""
    assert requests.company_of(sandbox, shape.ask(sandbox)) == int(sandbox.company)


@pytest.mark.parametrize(("language", "needs"), [("TypeScript", False), ("Go", False), ("PHP", True), ("Node", False)])
def test_who_leaves_the_redirect_uri_out(sandbox: Sandbox, language: str, *, needs: bool) -> None:
    """With the quirk that asks for it, those get none that leave it out."""
    sandbox.quirks = Quirks(api_key_redirect_uri="required")
    (shape,) = [shape for shape in requests.SHAPES if shape.language == language]
    if needs:
        assert shape.ask(sandbox)
    else:
        with pytest.raises(KeyError):
            shape.ask(sandbox)
