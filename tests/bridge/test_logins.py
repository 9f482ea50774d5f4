"""Who may log in at the bridge, as the settings of the profiles say."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from procountor_auth import Settings
from procountor_auth.bridge.login import BridgeLogin, Logins
from procountor_auth.bridge.login_key import entry_of
from procountor_auth.errors import ConfigurationError
from procountor_auth.settings.profiles import Profiles

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

COMPLETE: dict[str, Any] = {
    "strategy": "client_credentials",
    "client_id": "our-client",
    "client_secret": "our-client-secret",
    "redirect_uri": "redirect-uri-placeholder",
    "api_key": "a.b.c",
    "username": "old.user",
    "password": "old-password-1",
    "company": "14159",
}

HASHED = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$JTZ2AbW+7A2AkVrdHKEe3A"


def settings(**changes: Any) -> Settings:  # noqa: ANN401 - as settings take them
    """Return complete settings with some changes; None takes one away."""
    return Settings(**{name: value for name, value in (COMPLETE | changes).items() if value is not None})


def login(**changes: Any) -> BridgeLogin:  # noqa: ANN401 - as settings take them
    """Return the login of such settings."""
    found = BridgeLogin.of(settings(**changes), has_file=False)
    assert found is not None
    return found


def profiles(monkeypatch: pytest.MonkeyPatch, **tables: dict[str, str]) -> Profiles:
    """Configure profiles by variables; the API client is the same for all."""
    for name, value in COMPLETE.items():
        if name not in {"username", "password", "company", "api_key"}:
            monkeypatch.setenv(f"PROCOUNTOR_{name.upper()}", value)
    for profile, values in tables.items():
        for name, value in ({"api_key": "a.b.c"} | values).items():
            monkeypatch.setenv(f"PROCOUNTOR_PROFILES__{profile.upper()}__{name.upper()}", value)
    return Profiles.search()


def test_the_old_variables_are_enough() -> None:
    """User name, password and company of the legacy strategy, left where they were, are the login."""
    found = login()
    assert found.username.get_secret_value() == "old.user"
    assert found.password.get_secret_value() == "old-password-1"
    assert (found.company, found.client_id, found.redirect_uri) == ("14159", "our-client", "redirect-uri-placeholder")
    assert found.client_secret.get_secret_value() == "our-client-secret"


def test_the_bridge_s_own_variables_win() -> None:
    """An old program may have another user, password and client than the profile."""
    found = login(
        bridge_username="bridge.user-7",
        bridge_password=HASHED,
        bridge_client_id="old-client",
        bridge_client_secret="old-client-secret",
    )
    assert found.username.get_secret_value() == "bridge.user-7"
    assert found.password.get_secret_value() == HASHED
    assert found.client_id == "old-client"
    assert found.client_secret.get_secret_value() == "old-client-secret"
    assert found.settings.client_id == "our-client"


def test_without_a_password_there_is_no_login() -> None:
    """A profile that no old program uses is not served, and nothing of it is an error."""
    assert BridgeLogin.of(settings(username=None, password=None, company=None), has_file=False) is None


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"username": None}, ["PROCOUNTOR_USERNAME"]),
        ({"company": None}, ["PROCOUNTOR_COMPANY"]),
        ({"username": None, "company": None}, ["PROCOUNTOR_USERNAME", "PROCOUNTOR_COMPANY"]),
        ({"username": None, "password": None, "bridge_password": "x1-x1"}, ["PROCOUNTOR_USERNAME"]),
    ],
)
def test_what_is_missing_is_named(changes: dict[str, Any], missing: list[str]) -> None:
    """With a password, the rest has to be there: all that is not is in one error."""
    with pytest.raises(ConfigurationError) as refused:
        login(**changes)
    assert [problem.variable for problem in refused.value.problems] == missing
    for name in missing:
        assert f"{name} is missing (the bridge needs it)" in refused.value.message


def test_the_legacy_strategy_is_refused() -> None:
    """The bridge does not log in the way that it stands in for; the error names the successors."""
    with pytest.raises(ConfigurationError, match="client_credentials or authorization_code") as refused:
        login(strategy="legacy_password", legacy_policy="allow")
    assert "PROCOUNTOR_STRATEGY is legacy_password" in refused.value.message


@pytest.mark.parametrize("name", ["password", "bridge_password"])
@pytest.mark.parametrize("cut", [HASHED[:30], "$argon2id=19=8"])
def test_a_hash_that_was_cut_off_is_refused(name: str, cut: str) -> None:
    """Half a hash would refuse every login: it is an error at the start, which does not show it."""
    with pytest.raises(ConfigurationError) as refused:
        login(**{name: cut})
    assert f"PROCOUNTOR_{name.upper()} begins like an Argon2 hash, and is none" in refused.value.message
    assert cut not in f"{refused.value!r} {refused.value} {refused.value.hint}"


def test_a_login_is_found_by_client_user_and_company() -> None:
    """All three have to be right; zeros before the company's number make no difference, as it is a number."""
    one, two = login(), login(company="14160")
    logins = Logins([one, two])
    user = SecretStr("old.user")
    assert logins.find("our-client", user, "14159") is one
    assert logins.find("our-client", user, "0014160") is two
    for client_id, username, company in (
        ("other", "old.user", "14159"),
        ("our-client", "OLD.USER", "14159"),
        ("our-client", "old.user", "1"),
        ("our-client", "old.user", ""),
        ("our-client", "old.user", "\u0661"),
    ):
        assert logins.find(client_id, SecretStr(username), company) is None


def test_a_company_by_reference_is_the_same_number(tmp_path: Path) -> None:
    """Zeros before it make no difference there either: a program can log in, and the store has one record of it."""
    (tmp_path / "company").write_text("0014159\n")
    found = login(company=f"file:{tmp_path}/company")
    assert Logins([found]).find("our-client", SecretStr("old.user"), "0014159") is found
    assert found.key == login().key
    assert entry_of(found.settings) == entry_of(found.settings.followed()) == entry_of(settings())


def test_two_profiles_with_one_login_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that could be of either profile would mix two companies' books: both are named."""
    same = {"username": "u-1", "password": "pw-1", "company": "14159"}
    found = profiles(monkeypatch, acme=same, beta=same | {"password": "pw-2"})
    with pytest.raises(ConfigurationError, match="The profiles acme and beta have the same client, user name"):
        Logins.of_profiles(found, ["acme", "beta"])


def test_profiles_without_a_password_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """All profiles with a password are served; one that was named and has none is an error."""
    found = profiles(monkeypatch, acme={"username": "u-1", "password": "pw-1", "company": "1"}, beta={"company": "2"})
    logins = Logins.of_profiles(found, ["acme", "beta"])
    assert [each.profile for each in logins] == ["acme"]
    assert len(logins) == 1
    with pytest.raises(ConfigurationError, match=r"PROCOUNTOR_BRIDGE_PASSWORD is missing \(profile beta\)") as refused:
        Logins.of_profiles(found, ["acme", "beta"], chosen=True)
    assert "procountor-auth bridge hash" in str(refused.value.hint)


def test_no_login_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge that nobody can log in at does not start."""
    found = profiles(monkeypatch, acme={"company": "1"})
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_BRIDGE_PASSWORD is missing"):
        Logins.of_profiles(found, ["acme"])


def test_a_profile_that_is_wrong_does_not_keep_others_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out with the reason, and the log says so; if it is chosen by name, it is an error."""
    found = profiles(
        monkeypatch,
        acme={"username": "u-1", "password": "pw-1", "company": "1"},
        beta={"username": "u-2", "password": "pw-2", "company": "2", "api_key": ""},
    )
    logins = Logins.of_profiles(found, ["acme", "beta"])
    assert [each.profile for each in logins] == ["acme"]
    reason = "PROCOUNTOR_API_KEY is missing (client_credentials needs it)."
    assert [(each.profile, each.reason) for each in logins.left_out] == [("beta", reason)]
    logins.log_left_out()
    assert [record.getMessage().startswith(f"profile beta is left out: {reason}") for record in caplog.records] == [
        True
    ]
    with pytest.raises(ConfigurationError, match="Profile beta: PROCOUNTOR_API_KEY is missing"):
        Logins.of_profiles(found, ["acme", "beta"], chosen=True)


@pytest.mark.parametrize(
    ("company", "said"), [("", "is missing"), ("file:/nowhere/company", "names a file that does not exist")]
)
def test_all_profiles_that_are_wrong_are_named(monkeypatch: pytest.MonkeyPatch, company: str, said: str) -> None:
    """One error has all of them, where none is left or they are chosen: nobody starts the bridge once for each."""
    wrong = {"username": "u-1", "password": "pw-1", "company": company}
    right = wrong | {"company": "3"}
    found = profiles(monkeypatch, acme=wrong, beta=wrong, gamma=right)
    with pytest.raises(ConfigurationError, match="2 profiles can't be served: acme, beta") as refused:
        Logins.of_profiles(found, ["acme", "beta", "gamma"], chosen=True)
    with pytest.raises(ConfigurationError, match="2 profiles can't be served: acme, beta"):
        Logins.of_profiles(found, ["acme", "beta"])
    assert f"PROCOUNTOR_COMPANY {said}" in refused.value.message


@pytest.mark.parametrize(
    ("file", "where"),
    [
        (None, "as PROCOUNTOR_PROFILES__ACME__…, or for all profiles at once, or name the profiles file"),
        ("[profiles.acme]", "in [profiles.acme] of the profiles file, as PROCOUNTOR_PROFILES__ACME__…, or for all"),
    ],
)
def test_the_hint_names_the_profiles_file_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str | None, where: str
) -> None:
    """What the bridge lacks is set where the profiles are, and nobody is sent to a file that is not there."""
    if file is not None:
        (tmp_path / "profiles.toml").write_text(file)
        monkeypatch.setenv("PROCOUNTOR_PROFILES_FILE", str(tmp_path / "profiles.toml"))
    found = profiles(monkeypatch, acme={"password": "pw-1", "company": "1"})
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_USERNAME is missing") as refused:
        Logins.of_profiles(found, ["acme"])
    assert refused.value.hint.startswith(f"Set it {where}")


def test_a_client_is_known_by_its_secret() -> None:
    """A client is any login's, if its secret is right; a login is of one client."""
    one, two = login(), login(company="14160", bridge_client_id="other", bridge_client_secret="other-secret-1")
    logins = Logins([one, two])
    right, wrong = SecretStr("our-client-secret"), SecretStr("our-client-secre\ud800")
    assert logins.has_client("our-client", right)
    assert not logins.has_client("our-client", wrong)
    assert not logins.has_client("other", right)
    assert not logins.has_client("nobody", right)
    assert one.is_of_client("our-client", right)
    assert not two.is_of_client("our-client", right)


def test_hashes_are_known_of() -> None:
    """One hash is enough for every check to take as long as one."""
    assert not Logins([login()]).with_hashes
    assert Logins([login(), login(company="2", password=HASHED)]).with_hashes


def test_the_key_says_nothing_readable() -> None:
    """What stands in the store and in tokens is 20 digits; another host, client, user or company has another one."""
    others = [
        login(),
        login(base_url="https://pts-api.procountor.com"),
        login(bridge_client_id="old-client"),
        login(username="other"),
        login(company="14160"),
    ]
    keys = {each.key for each in others}
    assert len(keys) == len(others)
    assert all(len(key) == 20 and not set(key) - set("0123456789abcdef") for key in keys)
    assert login(password="new-password", api_key="d.e.f").key == login().key
    assert Logins(others[:1]).by_key(others[0].key) is others[0]
    assert Logins(others[:1]).by_key(others[3].key) is None


def test_a_login_shows_no_secret() -> None:
    """Neither its text nor a pickle has what the program logs in with."""
    found = login()
    for secret in ("old.user", "old-password-1", "our-client-secret", "a.b.c"):
        assert secret not in f"{found!r} {found}"
    with pytest.raises(TypeError):
        pickle.dumps(found)
