"""Passwords are checked against themselves or their hashes, and the time tells nothing."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from procountor_auth.bridge.password import PasswordCheck, check_hash, hash_password, is_hash

pytestmark = pytest.mark.once

PASSWORD = SecretStr("sala sana #1 åäö")
OTHER = SecretStr("another one")
HASHED = SecretStr(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD.get_secret_value()))


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that were checked, in their order."""
    checked: list[str] = []
    verify = PasswordHasher.verify

    def verified(hasher: PasswordHasher, hashed: str | bytes, password: str | bytes) -> bool:
        checked.append(str(hashed))
        return verify(hasher, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", verified)
    return checked


@pytest.mark.parametrize("with_hashes", [False, True])
def test_a_plain_password_is_the_same_or_not(with_hashes: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Only the configured password is right, whatever other profiles have."""
    check = PasswordCheck(with_hashes=with_hashes)
    assert check.matches(PASSWORD, PASSWORD)
    for wrong in ("", "sala sana #1 åä", "sala sana #1 åäö ", "SALA SANA #1 ÅÄÖ", "\ud800"):
        assert not check.matches(PASSWORD, SecretStr(wrong))


def test_a_hash_is_of_one_password() -> None:
    """The password is right, another one is not, and the hash itself opens nothing."""
    check = PasswordCheck(with_hashes=True)
    assert check.matches(HASHED, PASSWORD)
    assert not check.matches(HASHED, OTHER)
    assert not check.matches(HASHED, HASHED)
    assert not check.matches(HASHED, SecretStr("\ud800"))


def test_what_the_command_prints_can_be_configured() -> None:
    """A new hash is Argon2id, is recognized and not refused, differs each time, and fits its password."""
    first, second = SecretStr(hash_password(PASSWORD)), SecretStr(hash_password(PASSWORD))
    assert first.get_secret_value().startswith("$argon2id$")
    assert first != second
    assert is_hash(first)
    assert check_hash(first) is None
    assert PasswordCheck(with_hashes=True).matches(first, PASSWORD)


@pytest.mark.parametrize("cut", ["$argon2id", "$argon2id=19=65536,t=3,p=4", "half"])
def test_half_a_hash_is_told(cut: str) -> None:
    """A hash that was cut off, or that a shell has expanded, is named as such before anybody logs in."""
    configured = SecretStr(HASHED.get_secret_value()[:40] if cut == "half" else cut)
    assert is_hash(configured)
    said = check_hash(configured)
    assert said is not None
    assert "cut off" in said
    assert configured.get_secret_value() not in said


def test_a_password_that_looks_like_none_is_no_hash() -> None:
    """A password that only has a dollar in it is taken as it is."""
    assert not is_hash(SecretStr("$ecret"))
    assert not is_hash(SecretStr("argon2"))


@pytest.mark.parametrize(
    ("configured", "given"),
    [(HASHED, PASSWORD), (HASHED, OTHER), (PASSWORD, PASSWORD), (PASSWORD, OTHER), (None, PASSWORD), (None, OTHER)],
    ids=["right hash", "wrong hash", "right plain", "wrong plain", "nobody", "nobody, another"],
)
def test_every_check_costs_one_hash(checks: list[str], configured: SecretStr | None, given: SecretStr) -> None:
    """Where any profile has a hash, an unknown user and a plain password cost one check of a hash as well."""
    check = PasswordCheck(with_hashes=True)
    check.prepare()
    is_right = check.matches(configured, given)
    assert is_right is (configured is not None and given == PASSWORD)
    assert len(checks) == 1


def test_without_hashes_none_is_checked(checks: list[str]) -> None:
    """Where no profile has a hash, nobody waits for one."""
    check = PasswordCheck(with_hashes=False)
    check.prepare()
    assert check.matches(PASSWORD, PASSWORD)
    assert not check.matches(None, PASSWORD)
    assert checks == []


def test_an_unknown_user_is_never_right() -> None:
    """Nothing that a stranger can send is the password of a login that nobody has."""
    for with_hashes in (False, True):
        check = PasswordCheck(with_hashes=with_hashes)
        assert not any(check.matches(None, given) for given in (SecretStr(""), PASSWORD, HASHED))
