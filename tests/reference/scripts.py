"""The scripts in docs/ that write pages from the package itself."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).parents[2] / "docs"


def page_script(name: str) -> Any:  # noqa: ANN401 - a module
    """Load the script of this name, such as `settings_page`."""
    found = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # where its dataclasses look for their annotations
    found.loader.exec_module(module)
    return module
