"""What `procountor-auth sandbox` prints."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict

from .base import Document


class SandboxDocument(Document):
    """The first line of `procountor-auth sandbox --json`. The sandbox generates all values when it starts."""

    base_url: str
    """Its address, for PROCOUNTOR_BASE_URL."""
    client_id: str
    """The API client's ID."""
    client_secret: str
    """The API client's secret."""
    redirect_uri: str
    """The API client's redirect URI."""
    username: str
    """The user's name, for the login page and the legacy login."""
    password: str
    """The user's password."""
    company: str
    """The company's number."""
    user_id: int
    """The user's number."""
    api_key: str
    """An API key of the user and the company."""


class FaultsDocument(Document):
    """Printed by `procountor-auth sandbox faults --json`: every switch with its value."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    # Pydantic's name for the type of the content.
    __pydantic_extra__: dict[str, Any]  # pyright: ignore[reportIncompatibleVariableOverride]
