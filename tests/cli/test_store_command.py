"""The commands `procountor-auth store list` and `prune`: whose an entry is, and what nobody misses."""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import jwt
import pytest
from pydantic import SecretStr

from procountor_auth import Token
from procountor_auth.cli.store.inventory import take_inventory
from procountor_auth.cli.store.pruning import prune
from procountor_auth.errors import StoreError
from procountor_auth.settings.profiles import Profiles
from procountor_auth.stores import open_store
from procountor_auth.stores.file import FileStore
from procountor_auth.stores.retention import worth_of
from procountor_auth.stores.use import Use
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.stores import Store
    from tests.cli.conftest import Command, Run, Terminal
    from tests.conftest import RedisServer

    Start = Callable[..., Command]
    Environment = Callable[[dict[str, str]], None]
    WriteProfiles = Callable[..., Path]
    StoreToken = Callable[..., None]

DAY: Final = 86_400.0

DEAD, LOGIN, GOOD, OPAQUE, ENDED, EMPTY = (digit * 40 for digit in "012345")

FERNET: Final = "nJf9-2P7jQRmJJYTuxkQlkw9BQVyIGT9UVsbqpYP25g="
OTHER_FERNET: Final = "kOGm3x_6VEKfHIHYUW1uecf9by3yQV86t5SzTcgOQHQ="

COMMON: Final = {
    "strategy": "client_credentials",
    "client_id": "client-1",
    "client_secret": "secret-CANARY",
    "redirect_uri": "http://127.0.0.1:8000/callback",
    "environment": "test",
}


def signed(**claims: Any) -> str:  # noqa: ANN401 - whatever a claim is
    """Return a JWT that says something of itself."""
    return jwt.encode(claims, "k" * 32)


def token(left: float, refresh_token: str | None = None, strategy: str = "authorization_code") -> Token:
    """Return a token of company 14159 that was issued an hour before its end."""
    ends = time.time() + left
    return Token(signed(cid=14159, sub=7), ends - 3600, ends, strategy, refresh_token)


def put(store: Store, key: str, token: Token | None) -> None:
    """Write a token in a transaction of its own."""
    with store.transaction(key, timeout=10) as transaction:
        transaction.write(token)


def fill(store: Store) -> None:
    """Put entries of every kind there that no profile uses."""
    put(store, DEAD, token(-9000, strategy="client_credentials"))
    put(store, LOGIN, token(-9000, signed(exp=int(time.time() + 100 * DAY))))
    put(store, GOOD, token(2970, strategy="client_credentials"))
    put(store, OPAQUE, token(-9000, "refresh-CANARY"))
    put(store, ENDED, token(-9000, signed(exp=int(time.time() - 60))))
    put(store, EMPTY, None)


@pytest.fixture(params=["file", "sqlite", "redis"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What `PROCOUNTOR_TOKEN_STORE` is, for each kind of store in turn."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return server.url
    return f"file:{tmp_path / 'tokens'}" if request.param == "file" else f"sqlite:///{tmp_path / 'tokens.db'}"


@pytest.fixture
def folder(tmp_path: Path, environment: Environment) -> Path:
    """The folder of a file store, which is configured."""
    environment({"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"})
    return tmp_path / "tokens"


@pytest.fixture
def acme(folder: Path, write_profiles: WriteProfiles) -> FileStore:
    """The store of the profiles acme and beta."""
    write_profiles(COMMON, acme={"api_key": "key-acme"}, beta={"api_key": "key-beta"})
    return FileStore(folder)


def key_of(profile: str | None, strategy: str | None = None, account: str = "") -> str:
    """Return the key of a profile's entry."""
    return ProviderPool(Profiles.search()).provider(profile, strategy, account=account).key


def listed(run: Run, *options: str) -> dict[str, dict[str, Any]]:
    """Return the entries that `store list --json` shows, by their keys."""
    status, out, err = run("store", "list", "--json", *options)
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    return {entry["key"]: entry for entry in json.loads(out)["entries"]}


def pruned(run: Run, *options: str) -> tuple[set[str], dict[str, str]]:
    """Return the keys of what `store prune --json` has removed, and why it has left each of the others."""
    status, out, err = run("store", "prune", "--json", *options)
    assert (status, err) == (0, "")
    entries = json.loads(out)["entries"]
    assert all((entry["reason"] is None) == entry["removed"] for entry in entries)
    gone = {entry["key"] for entry in entries if entry["removed"]}
    return gone, {entry["key"]: entry["reason"] for entry in entries if not entry["removed"]}


def test_what_nobody_uses_and_nobody_misses_goes(
    where: str, environment: Environment, write_profiles: WriteProfiles, run: Run
) -> None:
    """Of six entries that no profile uses, the two go that have neither a good token nor a living refresh token."""
    environment({"PROCOUNTOR_TOKEN_STORE": where})
    write_profiles(COMMON, acme={"api_key": "key-acme"})
    store = open_store(where)
    fill(store)
    put(store, key_of("acme"), token(-9000, strategy="client_credentials"))
    gone, left = pruned(run)
    assert gone == {DEAD, ENDED}
    assert left == {
        key_of("acme"): "it is used",
        LOGIN: "its refresh token is still valid",
        OPAQUE: "its refresh token is still valid",
        GOOD: "its access token is still valid",
        EMPTY: "it was emptied less than a day ago",
    }
    assert set(listed(run)) == set(left)
    assert store.read(DEAD) is None
    assert store.read(LOGIN) is not None
    assert pruned(run) == (set(), left)


def test_all_unused_goes_where_that_is_wanted(
    where: str, environment: Environment, write_profiles: WriteProfiles, run: Run
) -> None:
    """With `--all-unused` logins of nobody go as well, and nothing that a profile uses."""
    environment({"PROCOUNTOR_TOKEN_STORE": where})
    write_profiles(COMMON, acme={"api_key": "key-acme"})
    fill(open_store(where))
    put(open_store(where), key_of("acme"), token(-9000, strategy="client_credentials"))
    gone, left = pruned(run, "--all-unused")
    assert gone == {DEAD, LOGIN, GOOD, OPAQUE, ENDED, EMPTY}
    assert left == {key_of("acme"): "it is used"}
    assert set(listed(run)) == {key_of("acme")}


def test_a_dry_run_removes_nothing(acme: FileStore, run: Run) -> None:
    """It says the same, and every file is still there."""
    fill(acme)
    before = sorted(path.name for path in acme.folder.iterdir())
    assert pruned(run, "--dry-run")[0] == {DEAD, ENDED}
    status, out, err = run("store", "prune", "--dry-run")
    assert (status, err) == (0, "")
    assert out.splitlines()[:2] == [
        "would remove 0000000000, client_credentials, company 14159, expired 2 h ago",
        "would remove 4444444444, authorization_code, company 14159, expired 2 h ago",
    ]
    assert "2 entries would be removed; 0 in use, 4 kept" in out
    assert sorted(path.name for path in acme.folder.iterdir()) == before


def test_what_was_removed_is_said(acme: FileStore, run: Run) -> None:
    """There is a line for each entry, why others were left, how many there were, and the option for the rest."""
    fill(acme)
    status, out, err = run("store", "prune")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert "removed 0000000000, client_credentials, company 14159, expired 2 h ago" in lines
    assert (
        "kept 1111111111, authorization_code, company 14159, expired 2 h ago: its refresh token is still valid" in lines
    )
    assert "2 entries removed; 0 in use, 4 kept" in lines
    assert "see --all-unused" in lines[-1]


def test_the_list_says_whose_an_entry_is(acme: FileStore, run: Run) -> None:
    """The text has a line for each entry, with the profile or nobody, and no token."""
    now = time.time()
    put(acme, key_of("beta"), token(2970, strategy="client_credentials"))
    put(acme, LOGIN, token(-9000, signed(exp=int(now + 100.5 * DAY))))
    status, out, err = run("store", "list")
    assert (status, err) == (0, "")
    lines = [re.split(r" {2,}", line) for line in out.splitlines()]
    assert lines[0] == [f"token store: file:{acme.folder}"]
    assert lines[1] == ["entry", "token", "refresh token", "strategy", "company", "age", "size", "used by"]
    rows = {line[0]: line for line in lines[2:4]}
    assert rows["1" * 10][1:5] == ["expired", "expires in 100 days", "authorization_code", "14159"]
    assert rows["1" * 10][-1] == "nobody"
    assert rows[key_of("beta")[:10]][1:4] == ["expires in 49 min", "client_credentials", "14159"]
    assert rows[key_of("beta")[:10]][-1] == "beta"
    assert lines[-1] == ["2 entries: 1 used, 1 unused"]


def test_json_has_everything(acme: FileStore, run: Run) -> None:
    """The JSON of an entry has its times, its users and its size, and neither of its tokens."""
    kept = token(2970, signed(exp=4_000_000_000))
    key = key_of("acme", "authorization_code")
    put(acme, key, kept)
    found = listed(run)[key]
    assert abs(found.pop("written_at") - time.time()) < DAY
    assert found.pop("size") == (acme.folder / f"{key}.json").stat().st_size
    assert found == {
        "key": key,
        "store": f"file:{acme.folder}",
        "state": "token",
        "message": None,
        "used_by": [{"profile": "acme", "account": "", "strategy": "authorization_code", "role": "possible"}],
        "useful_for": "login",
        "strategy": "authorization_code",
        "company_id": 14159,
        "user_id": 7,
        "issued_at": kept.issued_at,
        "expires_at": kept.expires_at,
        "refresh_token": True,
        "refresh_token_expires_at": 4_000_000_000.0,
        "refresh_token_ended": False,
        "kept_until": None,
    }
    out = run("store", "list", "--json")[1] + run("store", "list")[1]
    assert kept.access_token not in out
    assert str(kept.refresh_token) not in out


@pytest.mark.parametrize("strategy", ["client_credentials", "authorization_code", "legacy_password"])
def test_what_a_profile_may_switch_to_is_used(
    folder: Path, write_profiles: WriteProfiles, run: Run, strategy: str
) -> None:
    """Today's strategy, the fallback, and the target of a migration: an entry of each of them stays, dead or not."""
    own = {"api_key": "key-acme", "username": "user", "password": "password-CANARY", "company": "14159"}
    write_profiles(COMMON | {"fallback_strategy": "legacy_password"}, acme=own)
    key = key_of("acme", strategy)
    put(FileStore(folder), key, token(-9000, strategy=strategy))
    roles = {"client_credentials": "chosen", "legacy_password": "fallback", "authorization_code": "possible"}
    assert [user["role"] for user in listed(run)[key]["used_by"]] == [roles[strategy]]
    assert pruned(run, "--all-unused") == (set(), {key: "it is used"})


def test_the_login_that_a_configured_refresh_token_stands_for_is_used(
    folder: Path, write_profiles: WriteProfiles, run: Run
) -> None:
    """A login in a browser is there when the variable is taken away again."""
    write_profiles(COMMON, acme={"strategy": "authorization_code"})
    key = key_of("acme")
    put(FileStore(folder), key, token(-9000, "refresh-CANARY"))
    write_profiles(COMMON, acme={"strategy": "authorization_code", "refresh_token": signed(sub=7, cid=14159)})
    assert key_of("acme") != key
    assert pruned(run, "--all-unused") == (set(), {key: "it is used"})


def test_an_account_is_in_use_if_it_is_named(acme: FileStore, run: Run) -> None:
    """Which accounts a program has, the configuration does not say; `--account` does, many times."""
    keys = [key_of("acme", "authorization_code", account) for account in ("anna", "bo")]
    for key in keys:
        put(acme, key, token(-9000, strategy="authorization_code"))
    found = listed(run, "--account", "anna", "--account", "bo")
    assert [found[key]["used_by"][0]["account"] for key in keys] == ["anna", "bo"]
    assert "acme (anna)" in run("store", "list", "--account", "anna")[1]
    assert pruned(run, "--account", "bo") == ({keys[0]}, {keys[1]: "it is used"})


def test_one_configuration_needs_no_profile(folder: Path, environment: Environment, run: Run) -> None:
    """Without profiles the entry of the only configuration is that one's."""
    variables = {f"PROCOUNTOR_{name.upper()}": value for name, value in COMMON.items()}
    environment(variables | {"PROCOUNTOR_API_KEY": "key-1", "PROCOUNTOR_TOKEN_STORE": f"file:{folder}"})
    store = FileStore(folder)
    fill(store)
    put(store, key_of(None), token(2970, strategy="client_credentials"))
    assert listed(run)[key_of(None)]["used_by"][0]["profile"] is None
    assert "this configuration" in run("store", "list")[1]
    gone, left = pruned(run)
    assert gone == {DEAD, ENDED}
    assert left[key_of(None)] == "it is used"


def test_a_profile_that_can_not_be_read_keeps_everything(folder: Path, write_profiles: WriteProfiles, run: Run) -> None:
    """What looks unused may be its own: the list says so, and nothing is removed, not even with the option."""
    write_profiles(COMMON, acme={"api_key": "key-acme"}, broken={})
    fill(FileStore(folder))
    status, out, err = run("store", "list")
    assert (status, err) == (1, "")
    assert "broken\n  PROCOUNTOR_API_KEY is missing (client_credentials needs it)\n" in out
    assert "may belong to a profile that can't be read" in out
    (problem,) = json.loads(run("store", "list", "--json")[1])["problems"]
    assert (problem["profile"], problem["variable"]) == ("broken", "PROCOUNTOR_API_KEY")
    for options in ([], ["--all-unused"], ["--dry-run"]):
        status, out, err = run("store", "prune", *options)
        assert (status, out) == (2, "")
        assert "may belong to a profile that can't be read: broken." in err
    assert len(listed_files(folder, "*.json")) == 6


def listed_files(folder: Path, pattern: str) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(path.name for path in folder.glob(pattern))


def test_a_strategy_that_is_misconfigured_keeps_everything(
    folder: Path, write_profiles: WriteProfiles, run: Run
) -> None:
    """A secret of a possible strategy that can't be followed: nobody knows the key of its entry."""
    own = {"api_key": "key-acme", "username": "user", "password": "file:/nowhere/password", "company": "14159"}
    write_profiles(COMMON, acme=own)
    fill(FileStore(folder))
    assert run("store", "prune")[0] == 2
    assert len(listed_files(folder, "*.json")) == 6


def test_the_only_configuration_is_wrong(folder: Path, environment: Environment, run: Run) -> None:
    """Both commands say what is missing, with the status of a wrong configuration."""
    environment({"PROCOUNTOR_STRATEGY": "client_credentials", "PROCOUNTOR_TOKEN_STORE": f"file:{folder}"})
    for command in ("list", "prune"):
        status, out, err = run("store", command)
        assert (status, out) == (2, "")
        assert "PROCOUNTOR_CLIENT_ID" in err


@pytest.mark.parametrize(("store", "hint"), [("memory", "end with it"), ("keyring", "Keychain Access")])
def test_a_store_that_can_not_be_listed_says_so(
    environment: Environment, write_profiles: WriteProfiles, run: Run, store: str, hint: str
) -> None:
    """It is one error, with what to do instead."""
    environment({"PROCOUNTOR_TOKEN_STORE": store})
    write_profiles(COMMON, acme={"api_key": "key-acme"})
    for command in ("list", "prune"):
        status, out, err = run("store", command)
        assert (status, out) == (1, "")
        assert hint in err


def test_a_store_that_can_not_be_listed_hides_no_other(folder: Path, write_profiles: WriteProfiles, run: Run) -> None:
    """Where profiles have several stores, those that can be are listed and pruned, and the others are named."""
    write_profiles(COMMON, acme={"api_key": "key-acme"}, beta={"api_key": "key-beta", "token_store": "memory"})
    fill(FileStore(folder))
    for command in ("list", "prune"):
        status, out, err = run("store", command)
        assert (status, err) == (0, "")
        assert "memory\n  PROCOUNTOR_TOKEN_STORE is memory" in out
    assert listed_files(folder, "*.json") == [f"{key}.json" for key in (LOGIN, GOOD, OPAQUE, EMPTY)]


def test_what_is_sealed_with_another_key_is_left(acme: FileStore, run: Run) -> None:
    """It is told as such, and stays, whatever the options: nobody knows what is in it."""
    put(open_store(f"file:{acme.folder}", (SecretStr(OTHER_FERNET),)), DEAD, token(-9000))
    (acme.folder / f"{GOOD}.json").write_text("torn")
    (acme.folder / f"{LOGIN}.json").write_text('{"schema": 2}')
    found = listed(run)
    assert {key: found[key]["state"] for key in (DEAD, GOOD, LOGIN)} == {
        DEAD: "sealed",
        GOOD: "damaged",
        LOGIN: "newer",
    }
    assert "PROCOUNTOR_TOKEN_STORE_KEY" in found[DEAD]["message"]
    assert "sealed with" in run("store", "list")[1]
    assert "another key" in run("store", "list")[1]
    gone, left = pruned(run, "--all-unused")
    assert gone == set()
    assert left == {
        DEAD: "it is sealed with another key",
        GOOD: "it is damaged, and may contain a token",
        LOGIN: "a newer version of this package wrote it",
    }
    assert (acme.folder / f"{GOOD}.json").read_text() == "torn"


def test_each_entry_is_read_with_the_key_of_some_profile(folder: Path, write_profiles: WriteProfiles, run: Run) -> None:
    """Two profiles may seal what they have in one store with a key each: every entry is listed once, and read."""
    write_profiles(
        COMMON,
        acme={"api_key": "key-acme", "token_store_key": FERNET},
        beta={"api_key": "key-beta", "token_store_key": OTHER_FERNET},
    )
    place = f"file:{folder}"
    put(open_store(place, (SecretStr(FERNET),)), DEAD, token(-9000))
    put(open_store(place, (SecretStr(OTHER_FERNET),)), ENDED, token(-9000))
    put(open_store(place, (SecretStr(OTHER_FERNET),)), key_of("beta"), token(60))
    assert {entry["state"] for entry in listed(run).values()} == {"token"}
    assert pruned(run) == ({DEAD, ENDED}, {key_of("beta"): "it is used"})


def test_an_entry_that_is_locked_is_left(acme: FileStore, run: Run) -> None:
    """Somebody is at work on it, whoever that may be: the status is 0, and the next time will do."""
    fill(acme)
    with acme.transaction(DEAD, timeout=10):
        gone, left = pruned(run)
    assert gone == {ENDED}
    assert "locked" in left[DEAD]
    assert pruned(run)[0] == {DEAD}


def test_an_entry_that_changes_meanwhile_is_left(acme: FileStore) -> None:
    """It is read again under the lock: what somebody has renewed since it was listed stays."""
    fill(acme)
    inventory = take_inventory(Profiles.search())
    put(acme, DEAD, token(2970))
    acme.remove(ENDED, timeout=10)
    outcomes = {outcome.found.as_dict()["key"]: outcome for outcome in prune(inventory, all_unused=True).entries}
    assert (outcomes[DEAD].removed, outcomes[DEAD].reason) == (False, "it has changed in the meantime")
    assert outcomes[ENDED].removed
    assert acme.read(DEAD) is not None


def test_what_can_not_be_removed_is_an_error_after_all_others(
    acme: FileStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One entry that the disk keeps does not keep the others; it is said, and the status is 1."""
    fill(acme)
    real = FileStore._remove

    def remove(self: FileStore, path: Path) -> None:
        if path.name == f"{DEAD}.json":
            raise StoreError("It can't be removed.", hint="See to the disk.")
        real(self, path)

    monkeypatch.setattr(FileStore, "_remove", remove)
    status, out, err = run("store", "prune")
    assert (status, err) == (1, "procountor-auth: It can't be removed.\nSee to the disk.\n")
    assert "kept 0000000000" in out
    assert "removed 4444444444" in out


def test_what_was_left_behind_goes_and_the_rest_is_named(acme: FileStore, run: Run) -> None:
    """Temporary files and lock files without an entry go; damaged and foreign files are left for a person."""
    put(acme, key_of("acme"), token(60))
    with acme.transaction(DEAD, timeout=10):
        pass
    (acme.folder / f"{LOGIN}.tmp").write_text("half of a tok")
    (acme.folder / f"{GOOD}.damaged-1.json").write_text("torn")
    (acme.folder / "poetry.lock").write_text("theirs")
    (acme.folder / f"{OPAQUE}.json").symlink_to(acme.folder / "poetry.lock")
    out = run("store", "list")[1]
    for name in (f"{DEAD}.lock", f"{LOGIN}.tmp", f"{GOOD}.damaged-1.json", "poetry.lock", f"{OPAQUE}.json"):
        assert f"\n  {name}\n" in out
    status, out, err = run("store", "prune")
    assert (status, err) == (0, "")
    assert f"removed lock {DEAD}.lock\n" in out
    assert f"removed temporary {LOGIN}.tmp\n" in out
    assert "kept foreign poetry.lock: it is not a file of this package\n" in out
    assert "0 entries and 2 files removed; 1 in use, 3 kept" in out
    own = [f"{key_of('acme')}.json", f"{key_of('acme')}.lock"]
    assert listed_files(acme.folder, "*") == sorted([*own, f"{GOOD}.damaged-1.json", f"{OPAQUE}.json", "poetry.lock"])


def test_many_entries_after_an_hour_of_trying(acme: FileStore, run: Run) -> None:
    """Of 110 dead entries with their lock files, nothing is left."""
    for number in range(110):
        put(acme, f"{number:040x}", token(-9000, strategy="client_credentials"))
    assert len(listed_files(acme.folder, "*")) == 220
    assert "110 entries removed; 0 in use, 0 kept" in run("store", "prune")[1]
    assert listed_files(acme.folder, "*") == []


def test_nothing_is_there(acme: FileStore, run: Run) -> None:
    """A store that nobody has used yet is listed as empty, and its folder is not made."""
    assert run("store", "list") == (0, "0 entries: 0 used, 0 unused\n", "")
    assert run("store", "prune") == (0, "0 entries removed; 0 in use, 0 kept\n", "")
    assert not acme.folder.exists()


@pytest.mark.parametrize("columns", [50, 80])
@pytest.mark.parametrize("name", ["acme", "a-company-with-a-rather-long-name"])
def test_it_fits_a_terminal(
    folder: Path,
    write_profiles: WriteProfiles,
    start: Start,
    make_terminal: Callable[[], Terminal],
    columns: int,
    name: str,
) -> None:
    """No line is longer than the terminal, no name is broken in two, and a column that has no room is named."""
    path = write_profiles(COMMON, **{name: {"api_key": "key-acme"}})
    fill(FileStore(folder))
    put(FileStore(folder), key_of(name), token(2970, strategy="client_credentials"))
    put(open_store(f"file:{folder}", (SecretStr(OTHER_FERNET),)), "6" * 40, token(-9000))
    (folder / f"{GOOD}.damaged-1.json").write_text("torn")
    for command in (["list"], ["prune", "--dry-run"]):
        terminal = make_terminal()
        variables = {
            "COLUMNS": str(columns),
            "TERM": "xterm-256color",
            "PROCOUNTOR_PROFILES_FILE": str(path),
            "PROCOUNTOR_TOKEN_STORE": f"file:{folder}",
        }
        ended = start("store", *command, environment=variables, pipes={"stdout": terminal.side}).ends()
        shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.shown()).replace("\r", "")
        assert ended[0] == 0
        assert max(map(len, shown.split("\n"))) <= columns
        if command == ["list"]:
            text = " ".join(shown.split())
            assert name in text
            left_out = re.search(r"no room for: (.*?)\. --json", text)
            gone = left_out[1].split(", ") if left_out else []
            for column in ("token", "refresh token", "strategy", "company", "age", "size", "used by"):
                assert (column in text) or (column in gone)
            assert ("authorization_code" in text) != ("strategy" in gone)
            assert ("14159" in text) != ("company" in gone)


def test_what_an_entry_would_be_missed_for(acme: FileStore) -> None:
    """A refresh token whose answer may still come is worth waiting for; an old invalidation is worth nothing."""
    now = time.time()
    put(acme, EMPTY, None)
    entry = acme.read(EMPTY)
    assert entry is not None
    assert worth_of(entry, now, now - 2 * DAY) == "nothing"
    assert worth_of(entry, now, now - DAY / 2) == "invalidation"
    assert worth_of(entry, now, None) == "invalidation"
    used = Use("digest", now, now + 30, "another-host", 1)
    with acme.transaction(DEAD, timeout=10) as transaction:
        transaction.write(token(-9000, signed(exp=1)), use=used)
    pending = acme.read(DEAD)
    assert pending is not None
    assert worth_of(pending, now) == "answer"
    assert worth_of(pending, now + 60) == "nothing"


def test_a_use_that_is_pending_stays(acme: FileStore, run: Run) -> None:
    """An entry whose refresh token somebody has just sent is left, even if all that is unused is to go."""
    used = Use("digest", time.time(), time.time() + 600, "another-host", 1)
    with acme.transaction(DEAD, timeout=10) as transaction:
        transaction.write(token(-9000, signed(exp=1)), use=used)
    assert pruned(run, "--all-unused") == (set(), {DEAD: "its refresh token is in use"})


def test_the_lock_of_redis_keeps_an_entry(
    redis_server: RedisServer, environment: Environment, write_profiles: WriteProfiles, run: Run
) -> None:
    """What another host has locked is left, and nobody's keys but ours are touched."""
    import redis  # noqa: PLC0415 - for this test

    environment({"PROCOUNTOR_TOKEN_STORE": redis_server.url})
    write_profiles(COMMON, acme={"api_key": "key-acme"})
    store = open_store(redis_server.url)
    fill(store)
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        client.set("theirs", "x")
        with store.transaction(DEAD, timeout=10):
            gone, left = pruned(run, "--all-unused")
        assert gone == {LOGIN, GOOD, OPAQUE, ENDED, EMPTY}
        assert "locked" in left[DEAD]
        assert {bytes(name) for name in client.scan_iter()} == {b"theirs", f"procountor-auth:{{{DEAD}}}".encode()}
