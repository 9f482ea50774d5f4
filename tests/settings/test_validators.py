"""What the settings' validators accept."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from procountor_auth.settings.validators import or_reference


def _refuse(value: object) -> str:
    raise ValueError(f"checked a {type(value).__name__}")


@pytest.mark.parametrize("value", ["file:/x", SecretStr("file:/x")])
def test_a_reference_is_not_checked_as_a_value(value: object) -> None:
    """A reference is accepted as it is, wrapped or not: what it leads to is checked when it is followed."""
    checked: Any = or_reference(_refuse).func
    assert checked(value) == "file:/x"


@pytest.mark.parametrize("value", ["plain", 5, None])
def test_what_is_no_reference_is_checked(value: object) -> None:
    """Whatever else is given is checked as the value itself."""
    checked: Any = or_reference(_refuse).func
    with pytest.raises(ValueError, match=f"checked a {type(value).__name__}"):
        checked(value)


def test_a_scheme_of_the_value_s_own_is_no_reference() -> None:
    """`file:` before a token store is the store's."""
    checked: Any = or_reference(_refuse, but=("file",)).func
    with pytest.raises(ValueError, match="checked a str"):
        checked("file:/x")
