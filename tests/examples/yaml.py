"""YAML, as those read it whom the pages write it for."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML  # openapi-python-client brings it


def loaded(text: str) -> Any:  # noqa: ANN401 - YAML
    """Return what a document says. A name that is there twice is an error."""
    return YAML(typ="safe", pure=True).load(text)
