"""Profiles: one configuration for each company, the common values inherited."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth import ConfigurationError, Settings, TokenSource
from procountor_auth.errors import Problem
from procountor_auth.settings.profiles import Origin, Profiles
from procountor_auth.settings.profiles_file import MAX_SIZE
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]

_COMMON: Final = {
    "PROCOUNTOR_STRATEGY": "client_credentials",
    "PROCOUNTOR_CLIENT_ID": "client-1",
    "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
    "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    """Write the profiles file; return its path."""

    def to_file(text: str) -> str:
        path = tmp_path / "profiles.toml"
        path.write_text(text, "utf-8")
        return str(path)

    return to_file


def _key(settings: Settings) -> str:
    return settings.required("api_key").get_secret_value()


def test_a_profile_inherits_what_it_does_not_say(environment: Environment) -> None:
    """The profile's own variable wins over the common one, and the rest is common."""
    environment(
        _COMMON
        | {"PROCOUNTOR_API_KEY": "common", "PROCOUNTOR_PROFILES__ACME__API_KEY": "acme", "PROCOUNTOR_TIMEOUT": "7"}
    )
    settings = Settings(profile="acme")
    assert (_key(settings), settings.timeout, settings.profile) == ("acme", 7.0, "acme")
    assert _key(Settings()) == "common"


def test_a_variable_names_the_profile(environment: Environment) -> None:
    """`PROCOUNTOR_PROFILE` chooses, and an argument wins over it."""
    environment(
        _COMMON
        | {
            "PROCOUNTOR_PROFILE": "acme",
            "PROCOUNTOR_PROFILES__ACME__API_KEY": "acme",
            "PROCOUNTOR_PROFILES__OTHER__API_KEY": "other",
        }
    )
    assert _key(Settings()) == "acme"
    assert _key(Settings(profile="other")) == "other"


def test_the_file_has_common_values_and_profiles(environment: Environment, write: Callable[[str], str]) -> None:
    """Of file and variables, the variables win; of profile and common, the profile."""
    file = write(
        'strategy = "legacy_password"\napi_key = "common"\ntimeout = 9\npkce = true\n'
        '[profiles.acme]\nstrategy = "client_credentials"\napi_key = "of the file"\ncompany = 14159\n'
        '[profiles.my-company]\napi_key = "mine"\n'
    )
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": file, "PROCOUNTOR_PROFILES__ACME__API_KEY": "of-the-variables"})
    acme = Settings(profile="acme")
    assert (_key(acme), acme.timeout, acme.pkce, acme.strategy) == ("of-the-variables", 9.0, True, "client_credentials")
    assert acme.required("company").get_secret_value() == "14159"
    # A variable's name has no hyphen.
    assert Settings(profile="MY_COMPANY").profile == "my-company"
    assert list(Profiles.search()) == ["acme", "my-company"]


def test_an_empty_value_is_none(environment: Environment, write: Callable[[str], str]) -> None:
    """An empty value in a profile leaves the common one, as an empty variable does."""
    environment(
        _COMMON
        | {"PROCOUNTOR_CLIENT_ID": "common"}
        | {"PROCOUNTOR_PROFILES_FILE": write('[profiles.a]\napi_key = "a"\nclient_id = ""')}
    )
    assert Settings(profile="a").client_id == "common"


@pytest.mark.parametrize(
    ("strategy", "name"), [("client_credentials", "api_key"), ("legacy_password", "company"), ("x", "refresh_token")]
)
def test_what_is_one_company_s_is_not_inherited(environment: Environment, strategy: str, name: str) -> None:
    """A common key, company or refresh token is no profile's: where it is needed, the error names the profile."""
    own = {"username": "u", "password": "p"}
    own |= {"company": "14160"} if name == "api_key" else {}
    environment(
        _COMMON
        | {"PROCOUNTOR_STRATEGY": strategy if strategy != "x" else "authorization_code"}
        | {f"PROCOUNTOR_{each}".upper(): "14159" for each in ("api_key", "company", "refresh_token")}
        | {f"PROCOUNTOR_PROFILES__BETA__{each}".upper(): value for each, value in own.items()}
    )
    if strategy == "x":
        assert Settings(profile="beta").refresh_token is None
        return
    with pytest.raises(ConfigurationError, match=f"Profile beta: PROCOUNTOR_{name.upper()} is missing") as caught:
        Settings(profile="beta")
    assert f"Set it as PROCOUNTOR_PROFILES__BETA__{name.upper()}, or name the profiles file" in caught.value.hint
    assert "never inherited from the common values" in caught.value.hint


@pytest.mark.parametrize("place", ["the file", "the variables", "the top of the file"])
def test_two_spellings_of_one_name_are_an_error(
    environment: Environment, write: Callable[[str], str], place: str
) -> None:
    """Where one place has two values under two spellings of one name, no one of them is taken by accident."""
    table = '\napi_key = "a"\nAPI_KEY = "b"' if place == "the file" else '\napi_key = "a"'
    top = 'client_id = "a"\nCLIENT_ID = "b"\n' if place == "the top of the file" else ""
    variables = {"PROCOUNTOR_PROFILES__X_Y__API_KEY": "a", "procountor_profiles__x-y__api_key": "b"}
    common = {name: value for name, value in _COMMON.items() if name != "PROCOUNTOR_CLIENT_ID"}
    environment(
        (common if top else _COMMON)
        | {"PROCOUNTOR_PROFILES_FILE": write(f"{top}[profiles.x-y]{table}\n[profiles.z]\napi_key='z'")}
        | (variables if place == "the variables" else {})
    )
    with pytest.raises(ConfigurationError, match=r"Profile x-y: .*two spellings of its name, with different values"):
        Settings(profile="x-y")
    if not top:
        assert _key(Settings(profile="z")) == "z"


@pytest.mark.parametrize(
    ("profile", "meant"),
    [("acmee", ": did you mean acme?"), ("BETA-19", ": did you mean beta_20?"), ("zzz", ""), ("", "")],
)
def test_an_unknown_profile_is_named_with_the_right_one(environment: Environment, profile: str, meant: str) -> None:
    """A misspelt profile is an error that knows what was meant."""
    environment(_COMMON | {f"PROCOUNTOR_PROFILES__{each}__API_KEY": "k" for each in ("ACME", "BETA_10", "BETA_20")})
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile=profile)
    message = f"there is no profile '{profile}'{meant}"
    assert caught.value.problems == (Problem("PROCOUNTOR_PROFILE", "invalid", message),)
    assert caught.value.hint == (
        "Profiles are the tables [profiles.…] of PROCOUNTOR_PROFILES_FILE, and variables like "
        "PROCOUNTOR_PROFILES__ACME__API_KEY. There are 3."
    )


def test_where_a_value_comes_from_is_known(environment: Environment, write: Callable[[str], str]) -> None:
    """Each value has a place and a name there: whose it is, and which place wins."""
    file = write('timeout = 9\ncompany = "1"\n[profiles.my-company]\npkce = true\napi_key = "of the file"\n')
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": file, "PROCOUNTOR_PROFILES__MY_COMPANY__API_KEY": "k"})
    profiles = Profiles.read()
    assert {
        (profile, name): profiles.origin(profile, name)
        for profile in (None, "MY_COMPANY")
        for name in ("timeout", "pkce", "api_key", "client_id", "company")
    } == {
        (None, "timeout"): Origin("the top of the profiles file", "timeout", shared=True),
        (None, "pkce"): None,
        (None, "api_key"): None,
        (None, "client_id"): Origin("the environment", "PROCOUNTOR_CLIENT_ID", shared=True),
        (None, "company"): Origin("the top of the profiles file", "company", shared=True),
        ("MY_COMPANY", "timeout"): Origin("the top of the profiles file", "timeout", shared=True),
        ("MY_COMPANY", "pkce"): Origin("[profiles.my-company] of the profiles file", "pkce"),
        ("MY_COMPANY", "api_key"): Origin("the environment", "PROCOUNTOR_PROFILES__MY_COMPANY__API_KEY"),
        ("MY_COMPANY", "client_id"): Origin("the environment", "PROCOUNTOR_CLIENT_ID", shared=True),
        ("MY_COMPANY", "company"): None,
    }
    assert repr(profiles) == "<Profiles: 1>"


def test_what_is_missing_is_missing_in_the_profile(environment: Environment) -> None:
    """The error says which profile it is about, and how to correct it there; no value is in it."""
    environment(_COMMON | {"PROCOUNTOR_PROFILES__ACME__TIMEOUT": "s3cret-slip"})
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="acme")
    text = str(caught.value)
    assert text.startswith("Profile acme: client_credentials needs PROCOUNTOR_API_KEY") or "Profile acme:" in text
    assert "PROCOUNTOR_PROFILES__ACME__" in text
    assert "s3cret-slip" not in text
    assert {problem.variable for problem in caught.value.problems} == {"PROCOUNTOR_API_KEY", "PROCOUNTOR_TIMEOUT"}


_CONTENT: Final = "It is a TOML file with common values at the top, and a table [profiles.NAME] for each profile."
_CHECK_PATH: Final = f"Correct PROCOUNTOR_PROFILES_FILE, the file or its access rights. {_CONTENT}"
_UTF_8: Final = "Save it as UTF-8."
_PLAIN: Final = "is not text, a number, true or false"
_INVALID: Final = "is not a valid profile name (a-z and 0-9, with single _ or - between them, at most 64)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('\napi_key = "s3cret', "that is not TOML (at end of document)"),
        ("\na b = 's3cret'", "that is not TOML (at line 2, column 3)"),
        ("profiles = 1", "in which `profiles` is not a table"),
        ("[profiles]\nacme = 1", "in which `profiles.acme` is not a table"),
        ('[profiles."a b"]', f"in which a key {_INVALID}"),
        ("[profiles.A]", f"in which A {_INVALID}"),
        ("[profiles._a]", f"in which _a {_INVALID}"),
        ("[profiles.-a]", f"in which -a {_INVALID}"),
        ("[profiles.a_]", f"in which a_ {_INVALID}"),
        ("[profiles.a-]", f"in which a- {_INVALID}"),
        ("[profiles.a__b]", f"in which a__b {_INVALID}"),
        ("[profiles.a--b]", f"in which a--b {_INVALID}"),
        ("[profiles.a-_b]", f"in which a-_b {_INVALID}"),
        (f"[profiles.a{'b' * 64}]", f"in which a key {_INVALID}"),
        ("[profiles.a-b]\n[profiles.a_b]", "in which the profiles a-b and a_b have the same name"),
        ('[profiles.a]\napi_key = ["s3cret"]', f"in which `profiles.a.api_key` {_PLAIN}"),
        ("[other]\nx = 1", f"in which `other` {_PLAIN}"),
    ],
)
def test_a_broken_file_is_named_and_not_shown(
    environment: Environment, write: Callable[[str], str], text: str, said: str
) -> None:
    """What is wrong with the file is said in one error, without a value of it."""
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": write(text)})
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="a")
    assert caught.value.problems == (_problem(f"names a file {said}"),)
    assert caught.value.hint == _CONTENT


def test_a_file_that_is_not_there_is_named(environment: Environment) -> None:
    """A file that is named has to exist."""
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": "/nowhere/profiles.toml"})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert caught.value.problems == (_problem("names a file that does not exist: /nowhere/profiles.toml"),)
    assert caught.value.hint == _CHECK_PATH


@pytest.mark.parametrize("change", ["time", "size", "file"])
def test_a_changed_file_is_read_again(tmp_path: Path, environment: Environment, change: str) -> None:
    """What was read before is served as long as the file is the same one, of the same time and size, and no longer."""
    path, other = tmp_path / "profiles.toml", tmp_path / "other.toml"
    for each in (path, other):
        each.write_text('[profiles.a]\napi_key = "one"', "utf-8")
        os.utime(each, ns=(1, 1))
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": str(path)})
    assert _key(Settings(profile="a")) == "one"
    assert Profiles.read()["a"] is Profiles.read()["a"]
    text = f'[profiles.a]\napi_key = "{"second" if change == "size" else "two"}"'
    (other if change == "file" else path).write_text(text, "utf-8")
    for each in (path, other):
        os.utime(each, ns=(1, 2 if change == "time" else 1))
    if change == "file":
        other.replace(path)
    assert _key(Settings(profile="a")) == ("second" if change == "size" else "two")


def test_reading_gives_every_profile_s_settings(environment: Environment, write: Callable[[str], str]) -> None:
    """Profiles that were read once become settings without the places being read again."""
    file = write("".join(f'[profiles.c{number}]\napi_key = "k{number}"\n' for number in range(300)))
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": file})
    profiles = Profiles.search()
    environment({})
    assert [_key(Settings.of_profile(profiles, name)) for name in profiles] == [f"k{number}" for number in range(300)]
    assert "k1" not in repr(profiles)


def test_each_profile_has_its_own_token(sandbox: Sandbox, environment: Environment) -> None:
    """Two profiles in one process reach their own companies, even through one client."""
    second = sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, 14160)
    environment(
        sandbox.environment("client_credentials")
        | {"PROCOUNTOR_PROFILES__FIRST__API_KEY": sandbox.api_key, "PROCOUNTOR_PROFILES__SECOND__API_KEY": second}
    )
    companies = [TokenSource.from_env(profile=name).token().company_id for name in ("first", "second")]
    assert companies == [14159, 14160]


def test_an_integration_takes_a_profile(sandbox: Sandbox, environment: Environment) -> None:
    """`ProcountorAuth(profile=…)` is all that a program needs, and a source beside it is refused."""
    second = sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, 14160)
    environment(sandbox.environment("client_credentials") | {"PROCOUNTOR_PROFILES__SECOND__API_KEY": second})
    module = pytest.importorskip(f"procountor_auth.{backend.__name__}")
    auth = module.ProcountorAuth(profile="second")
    with backend.Client(auth=auth, base_url=auth.api_url, trust_env=False) as client:
        assert client.get("sessioninfo").json()["companyId"] == 14160
    with pytest.raises(TypeError, match="one of the two"):
        module.ProcountorAuth(auth.source, profile="second")


def test_without_a_chosen_profile_the_error_says_so(
    environment: Callable[[dict[str, str]], None], tmp_path: Path
) -> None:
    """Where there are profiles and none is chosen, what is missing is most likely in them."""
    (tmp_path / "p.toml").write_text("[profiles.acme]\napi_key = 'k3y'\n[profiles.beta]\napi_key = 'k3y'\n")
    environment({"PROCOUNTOR_PROFILES_FILE": str(tmp_path / "p.toml"), "PROCOUNTOR_STRATEGY": "client_credentials"})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert "No profile is selected (available: 2): set PROCOUNTOR_PROFILE" in caught.value.hint
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="acme")
    assert caught.value.profile == "acme"
    assert "none is chosen" not in caught.value.hint


_ODD: Final[dict[str, tuple[bytes, str]]] = {
    "deep arrays": (b"x = " + b"[" * 100_000 + b"]" * 100_000, "in which values are nested too deeply"),
    "deep tables": (b"x = " + b"{a=" * 50_000 + b"1" + b"}" * 50_000, "in which values are nested too deeply"),
    "a key of many parts": (b".".join([b"a"] * 100_000) + b" = 1", "in which a key has more than 32 parts"),
    "a quoted key of many parts": (b".".join([b'"a b"'] * 20_000) + b" = 1", "in which a key has more than 32 parts"),
    "a table of many parts": (b"[" + b" . ".join([b"'a'"] * 20_000) + b"]", "in which a key has more than 32 parts"),
    "an inline key of many parts": (
        b"x = {" + b".".join([b"a"] * 20_000) + b" = 1}",
        "in which a key has more than 32 parts",
    ),
    "a million digits": (b"x = " + b"1" * 1_000_000, "in which a number is too large"),
    "many digits": (b"timeout = " + b"1" * 4_000, "in which a number is too large"),
    "many hexadecimal digits": (b"strategy = 0x" + b"f" * 100_000, "in which a number is too large"),
    "a date": (b"timeout = 2026-01-01", f"in which `timeout` {_PLAIN}"),
    "a time": (b"timeout = 2026-01-01T00:00:00Z", f"in which `timeout` {_PLAIN}"),
    "a NUL": (b'api_key = "s3cret\0"', "that is UTF-16 or not text"),
    "an escaped NUL": (b'api_key = "s3cret\\u0000"', "in which `api_key` contains NUL"),
    "no UTF-8": (b'api_key = "s3cret\xff"', "that is not UTF-8 (it may be Windows-1252, also called ANSI)"),
    "UTF-16": ('api_key = "s3cret"'.encode("utf-16"), "that is UTF-16 or not text"),
    "UTF-16 without a mark": ('api_key = "s3cret"'.encode("utf-16-le"), "that is UTF-16 or not text"),
    "a secret for a key": (b"s3cretK3y1s9a8f7e6d = [1]", f"in which `a key` {_PLAIN}"),
    "a secret for a profile": (b"[profiles.S3cretK3y1s9a8f7e6d]", f"in which a key {_INVALID}"),
    "an escape in a name": (b'[profiles."a\\u001b[31m"]', f"in which a key {_INVALID}"),
    "too many bytes": (b"#" * (MAX_SIZE + 1), "that can't be read (it is larger than 8 MiB)"),
}


@pytest.mark.parametrize("kind", _ODD)
def test_an_odd_file_is_a_configuration_error(environment: Environment, tmp_path: Path, kind: str) -> None:
    """Whatever stands in the file, the error names the variable and what to do, soon, and shows no value."""
    content, said = _ODD[kind]
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": str(path)})
    began = time.monotonic()
    error = _refused()
    assert time.monotonic() - began < 5
    assert error.problems == (_problem(f"names a file {said}"),)
    assert error.hint == (_UTF_8 if "UTF" in said else _CHECK_PATH if "can't be read" in said else _CONTENT)
    assert "s3cret" not in str(error).lower()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", "can't be read (it is a directory)"),
        ("pipe", "can't be read (it is not a regular file)"),
        ("/dev/zero", "can't be read (it is not a regular file)"),
        ("~nobody-of-this-name/profiles.toml", "can't be read (there is no such user)"),
        ("loop", "can't be read (Too many levels of symbolic links)"),
        ("a" * 300, "can't be read (File name too long)"),
        ("file/profiles.toml", "can't be read (Not a directory)"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="it has none of these")
def test_what_is_no_file_is_a_configuration_error(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    """A directory, a pipe, a device or a path that leads nowhere is named, and nothing is waited for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": name})
    error = _refused()
    assert error.problems == (_problem(f"names a file that {said}"),)
    assert error.hint == _CHECK_PATH


def test_a_path_with_a_nul_is_a_configuration_error(environment: Environment) -> None:
    """A path that no file can have is named as what it is."""
    environment(_COMMON)
    with pytest.raises(ConfigurationError) as caught:
        Profiles.search("profiles\0.toml")
    assert caught.value.problems == (_problem("is not a path"),)
    assert caught.value.hint == _CHECK_PATH


def test_a_file_of_another_user_is_a_configuration_error(
    environment: Environment, write: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that may not be read is named with the access rights to correct."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("procountor_auth.settings.plain_file.os.open", refuse)
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": write("timeout = 7.5")})
    error = _refused()
    assert error.problems == (_problem("names a file that can't be read (Permission denied)"),)
    assert error.hint == _CHECK_PATH


def test_a_key_that_may_be_a_secret_is_not_logged(
    environment: Environment, write: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    """A secret where a name belongs is ignored with a warning that does not repeat it."""
    environment(
        _COMMON | {"PROCOUNTOR_API_KEY": "k", "PROCOUNTOR_PROFILES_FILE": write('s3cretk3y1s9a8f7e6d = "api_key"')}
    )
    assert _key(Settings()) == "k"
    assert "A name after PROCOUNTOR_ that is hidden is not a setting" in caplog.text
    assert "s3cret" not in caplog.text.lower()


def _problem(said: str) -> Problem:
    return Problem("PROCOUNTOR_PROFILES_FILE", "unreadable", f"PROCOUNTOR_PROFILES_FILE {said}")


def _refused() -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        Profiles.search()
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


def test_what_is_no_name_is_no_profile(environment: Environment) -> None:
    """Profiles are a mapping: a number is not in it, whatever is asked."""
    environment(_COMMON | {"PROCOUNTOR_PROFILES__ACME__API_KEY": "acme"})
    profiles: Mapping[object, object] = Profiles.read()  # type: ignore[assignment]
    assert 5 not in profiles
    assert profiles.get(5) is None
    with pytest.raises(KeyError):
        profiles[5]
