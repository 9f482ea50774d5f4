"""What `procountor-auth doctor` looks at: from the versions over the configuration to a call of the API."""

from __future__ import annotations

import logging
import os
import platform
import shlex
import socket
import stat
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from procountor_auth import variables
from procountor_auth.backend import backend
from procountor_auth.errors import CredentialsRefused, ProcountorAuthError
from procountor_auth.events import FellBack, SunsetAnnounced, TokenAcquired
from procountor_auth.hosts import is_loopback
from procountor_auth.migration.policy import looking
from procountor_auth.migration.side import Side
from procountor_auth.migration.verdict import reasons_of
from procountor_auth.profiles import Profiles
from procountor_auth.protocol.answer import is_temporary
from procountor_auth.protocol.ending import Ending, read_ending
from procountor_auth.protocol.flow import Repeat, Request, watched
from procountor_auth.protocol.session import read_session
from procountor_auth.source import TokenSource
from procountor_auth.stores import open_store
from procountor_auth.stores.key import entry_key
from procountor_auth.strategies.registry import find_strategy
from procountor_auth.transport import Transport

from .output import moment, store_name
from .overview import forbidden, login_hint, needs_login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.events import Event
    from procountor_auth.protocol.flow import Flow, Response
    from procountor_auth.settings import Settings
    from procountor_auth.stores.base import Entry
    from procountor_auth.token import Token

State: TypeAlias = Literal["ok", "warning", "failed"]

SKEW: Final = 60.0
"""Seconds by which this machine's clock may differ from the server's."""

LOCK: Final = 10.0
"""Seconds to wait for the lock of the stored token."""

_WINS: Final = ("the environment", "the .env file", "the secrets directory")
"""The places of variables: the first one that has it wins."""

_REQUIRED: Final = ("procountor-auth", "authlib", "pydantic-settings", "pyjwt")
_CLIENTS: Final = ("httpx2", "httpx", "requests")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. No secret is in it.

    Attributes:
        name: What it is about.
        state: `failed` keeps programs from getting tokens or using them; a `warning` may do so one day.
        message: What was found.
        hint: What to do about it.
    """

    name: str
    state: State
    message: str
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it as plain values."""
        return asdict(self)


class Examination:
    """Looks at one profile, or at the one configuration, and goes on as far as there is something to look at.

    Args:
        profile: The profile; by default the one that `PROCOUNTOR_PROFILE` names.
        account: The program's own name for whose token it is; by default the profile's.
        offline: Leave out whatever needs Procountor.
        clock: The wall clock, in Unix seconds.

    Attributes:
        profile: The profile's name, once it is known.
        checks: What was found.
    """

    def __init__(
        self,
        profile: str | None,
        *,
        account: str = "",
        offline: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.profile = profile
        self.checks: list[Check] = []
        self._account = account
        self._offline = offline
        self._clock = clock
        self._endings: dict[Ending, None] = {}

    @property
    def ready(self) -> bool:
        """Whether nothing has failed."""
        return not any(check.state == "failed" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "profile": self.profile,
            "ready": self.ready,
            "reasons": [check.message for check in self.checks if check.state == "failed"],
            "checks": [check.as_dict() for check in self.checks],
        }

    def run(self) -> None:
        """Look at everything.

        Raises:
            ConfigurationError: There is no such profile.
        """
        self._look_at_versions()
        try:
            profiles = Profiles.read()
        except ProcountorAuthError as error:
            self._failed("configuration", error)
            return
        if self.profile is not None:
            self.profile = profiles.spelt(self.profile)
        side = self._configured(profiles)
        self._look_at_access_rights(profiles)
        if side is None:
            return
        allowed = self._look_at_strategy(side)
        usable = self._look_at_store(side)
        if not self._offline and self._look_at_host(side.settings) and allowed and usable:
            self._look_at_token(side)
        self._look_at_endings()

    def _add(self, name: str, state: State, message: str, hint: str = "") -> None:
        self.checks.append(Check(name, state, message, hint))

    def _failed(self, name: str, error: ProcountorAuthError) -> None:
        self.checks += [Check(name, "failed", reason.message, reason.hint) for reason in reasons_of(error)]

    # What is installed and what is set.

    def _look_at_versions(self) -> None:
        python = f"Python {platform.python_version()} on {platform.system()}"
        packages = [f"{name} {found}" for name in _REQUIRED if (found := _version(name))]
        self._add("versions", "ok", ", ".join([python, *packages]))
        clients = [f"{name} {found}" for name in _CLIENTS if (found := _version(name))]
        self._add("HTTP library", "ok", f"{backend.__name__} gets the tokens; installed: {', '.join(clients)}")

    def _configured(self, profiles: Profiles) -> Side | None:
        with _heard() as log:
            try:
                side: Side | None = Side.of(profiles, self.profile, clock=self._clock)
            except ProcountorAuthError as error:
                side, refused = None, error
        if side is not None:
            self.profile = side.settings.profile
        if profiles:
            which = f"this is {self.profile}" if self.profile else "none is chosen"
            hint = "" if self.profile else "Choose one with --profile, or with PROCOUNTOR_PROFILE."
            self._add("profiles", "ok" if self.profile else "warning", f"{len(profiles)}; {which}", hint)
        self._look_at_variables(profiles)
        for line in log:
            self._add("variables", "warning", line, "Correct its name, or remove it.")
        if side is None:
            self._failed("configuration", refused)
        else:
            settings = side.settings
            self._add("configuration", "ok", f"complete for {settings.strategy} at {settings.endpoints.host}")
        return side

    def _look_at_variables(self, profiles: Profiles) -> None:
        """Say which variables are set where; never their values."""
        named = [name for name in (variables.ENV_FILE, variables.SECRETS_DIR) if os.environ.get(name)]
        places = {"the environment": named} if named else {}
        try:
            names = profiles.values_of(self.profile)
        except ProcountorAuthError:
            names = {}  # PROCOUNTOR_PROFILE names none that exists: the configuration's check says so
        for name in sorted(names):
            origin = profiles.origin(self.profile, name)
            if origin is not None:
                places.setdefault(origin.place, []).append(origin.written)
        for place in sorted(places, key=lambda each: _WINS.index(each) if each in _WINS else len(_WINS)):
            self._add("variables", "ok", f"from {place}: {', '.join(places[place])}")
        if not places:
            self._add("variables", "warning", "none is set", "Copy a profile of strategies/ to .env and fill it in.")
        for name, (winner, loser) in _contradictions().items():
            message = f"{name} differs between {winner} and {loser}; {winner} wins"
            self._add("variables", "warning", message, "Remove the one that is not meant.")

    def _look_at_access_rights(self, profiles: Profiles) -> None:
        dotenv = Path(os.environ.get(variables.ENV_FILE) or ".env").expanduser()
        for path in (dotenv, profiles.file):
            if path is None or not path.is_file() or os.name == "nt":
                continue
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                message = f"{path} is open to other users of this machine (mode {mode:04o})"
                self._add("access rights", "warning", message, f"Run: chmod 600 {shlex.quote(str(path))}")
            else:
                self._add("access rights", "ok", f"{path} is this user's alone")

    def _look_at_strategy(self, side: Side) -> bool:
        """Return whether programs may use it."""
        settings = side.settings
        refused = forbidden(settings)
        lifecycle = side.strategy.lifecycle
        if refused is not None:
            self._failed("strategy", refused)
        elif lifecycle is not None:
            message = f"{settings.strategy} is deprecated: {lifecycle.removed}"
            hint = f"{lifecycle.advice} `procountor-auth migrate check` says what is missing for it."
            self._add("strategy", "warning", message, hint)
        else:
            self._add("strategy", "ok", f"{settings.strategy} is not deprecated")
        fallback = find_strategy(settings.fallback_strategy) if settings.fallback_strategy else None
        if fallback is None or fallback.name == settings.strategy:
            self._add("fallback", "ok", "none: a refusal is an error")
        else:
            message = f"{fallback.name}, up to {settings.fallback_limit} times in each program"
            hint = "When the new strategy has proved itself, remove PROCOUNTOR_FALLBACK_STRATEGY."
            self._add("fallback", "ok" if fallback.lifecycle is None else "warning", message, hint)
        return refused is None

    # The token store.

    def _look_at_store(self, side: Side) -> bool:
        """Return whether it can be used."""
        settings = side.settings
        if side.forgets:
            message = "memory: each program has its own token, and gets one when it starts"
            if side.strategy.alone:
                self._add("token store", "ok", message)
            else:
                hint = "Set PROCOUNTOR_TOKEN_STORE=file, keyring or redis://…, so that a replaced refresh token lasts."
                self._add("token store", "warning", message, hint)
            if self._offline and needs_login(side, None, self._clock()):
                self._add("token", "failed", "a person has to log in", "Set PROCOUNTOR_REFRESH_TOKEN.")
            return True
        with _heard() as log:
            try:
                entry = self._used(side)
            except ProcountorAuthError as error:
                self._failed("token store", error)
                return False
        shared = "every process of this user" if store_name(settings) != "redis" else "every host that reaches it"
        message = f"{store_name(settings)}: it can be read and locked, and is shared by {shared}"
        self._add("token store", "ok", message)
        for line in log:
            self._add("token store", "warning", line)
        self._look_at_sealing(settings)
        if self._offline:
            self._look_at_stored(side, entry)
        return True

    def _used(self, side: Side) -> Entry | None:
        settings = side.settings
        key = entry_key(side.strategy, self._account or side.account)
        store = open_store(settings.token_store, settings.token_store_keys)
        store.read(key)
        with store.transaction(key, timeout=min(LOCK, settings.timeout)) as transaction:
            return transaction.entry

    def _look_at_sealing(self, settings: Settings) -> None:
        where = settings.token_store.get_secret_value()
        host = urlsplit(where).hostname or ""
        if where.startswith("redis://") and not is_loopback(host):
            hint = "Use rediss:// (TLS): tokens and the password travel in plain text."
            self._add("encryption", "warning", "redis:// is not encrypted on its way", hint)
        if settings.token_store_keys:
            self._add("encryption", "ok", "stored tokens are sealed with PROCOUNTOR_TOKEN_STORE_KEY")
        elif where == "keyring":
            self._add("encryption", "ok", "the keychain encrypts")
        elif store_name(settings) == "redis":
            hint = "Set PROCOUNTOR_TOKEN_STORE_KEY to seal them; docs/stores.md says how to make a key."
            self._add("encryption", "warning", "whoever can read this Redis can read the tokens", hint)
        else:
            self._add("encryption", "ok", "stored tokens are not sealed; the files are this user's alone")

    def _look_at_stored(self, side: Side, entry: Entry | None) -> None:
        now = self._clock()
        token = entry.token if entry else None
        if needs_login(side, token, now):
            self._add("token", "failed", "a person has to log in", login_hint(self.profile))
        elif token is None:
            self._add("token", "ok", "none is stored; the next program gets one")
        else:
            self._add("token", "ok", f"the stored one is {token.state(now).value}, until {moment(token.expires_at)}")
        if token is not None:
            self._note(Ending(token.deprecated_at, token.sunset_at))
        self._look_at_failure(entry)

    def _look_at_failure(self, entry: Entry | None) -> None:
        if entry is not None and entry.failure is not None:
            state: State = "warning" if entry.failure.retryable else "failed"
            self._add("last renewal", state, f"it failed: {entry.failure.message}", entry.failure.hint)

    # Procountor.

    def _look_at_host(self, settings: Settings) -> bool:
        """Return whether it answers."""
        host = settings.endpoints.host
        if settings.proxy is None and not self._resolves(host):
            return False
        try:
            answer = Transport.from_settings(settings).run(_asked(f"{settings.endpoints.api}/sessioninfo"))
        except ProcountorAuthError as error:
            self._failed("host", error)
            return False
        self._note(read_ending(answer.header))
        through = " through the proxy" if settings.proxy else ""
        if is_temporary(answer.status):
            hint = "Try again later; if it stays so, ask Procountor."
            self._add("host", "warning", f"{host} answers{through}, with status {answer.status}", hint)
        elif answer.is_html:
            message = f"{host} answers{through} with a web page, status {answer.status}"
            hint = "Check PROCOUNTOR_BASE_URL and PROCOUNTOR_API_VERSION; a gateway may also block this machine."
            self._add("host", "warning", message, hint)
        else:
            self._add("host", "ok", f"{host} answers{through}: status {answer.status} to a request without a token")
        self._look_at_clock(answer)
        return True

    def _resolves(self, host: str) -> bool:
        parts = urlsplit(host)
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            hint = "Check PROCOUNTOR_BASE_URL, and whether this machine has a network."
            self._add("host", "failed", f"{parts.hostname} is not found (DNS)", hint)
            return False
        addresses = sorted({str(each[4][0]) for each in found})
        if addresses != [parts.hostname]:
            self._add("host", "ok", f"{parts.hostname} has the address {' and '.join(addresses)}")
        return True

    def _look_at_clock(self, answer: Response) -> None:
        try:
            ahead = self._clock() - parsedate_to_datetime(answer.header("date") or "").timestamp()
        except (ValueError, TypeError):
            self._add("clock", "ok", "the server does not say what time it is")
            return
        off = f"this machine's clock is {abs(ahead):.0f} seconds {'ahead of' if ahead > 0 else 'behind'} the server's"
        if abs(ahead) > SKEW:
            self._add("clock", "warning", off, "Have the machine set its clock by the network (NTP).")
        else:
            self._add("clock", "ok", "this machine's clock agrees with the server's")

    def _look_at_token(self, side: Side) -> None:
        events: list[Event] = []
        with _heard() as log:
            try:
                with looking():
                    source = TokenSource.from_settings(
                        side.settings, account=self._account, on_event=events.append, clock=self._clock
                    )
                token = source.token()
            except ProcountorAuthError as error:
                self._failed("token", error)
                return
            finally:
                self._tell(events)
            came = "Procountor has given one" if _asked_for(events) else "the store has one"
            self._add("token", "ok", f"{came}, good until {moment(token.expires_at)}")
            if not side.forgets:
                self._look_at_failure(_quietly(lambda: self._used(side)))
            self._note(Ending(token.deprecated_at, token.sunset_at))
            events.clear()
            self._look_at_session(side, source, token)
            self._tell(events)
        for line in log:
            self._add("log", "warning", line)

    def _look_at_session(self, side: Side, source: TokenSource, token: Token) -> None:
        transport = Transport.from_settings(side.settings)

        def look(response: Response, path: str) -> None:
            source.observe(response.header, path)

        renewed = ""
        try:
            try:
                found = transport.run(watched(read_session(source.endpoints, token), look))
            except CredentialsRefused:
                # Perhaps it was revoked. A program's requests get another one after a 401; then all is well.
                token = source.renew(token)
                found = transport.run(watched(read_session(source.endpoints, token), look))
                renewed = "; the token of before was refused"
        except ProcountorAuthError as error:
            self._failed("sessioninfo", error)
            return
        name = f"{found.company_name}, " if found.company_name else ""
        user = "" if found.user_id is None else f", user {found.user_id}"
        message = f"the token is for {name}company {found.company_id}{user}{renewed}"
        self._add("sessioninfo", "warning" if renewed else "ok", message)
        company = side.settings.company
        asked = token.strategy == "legacy_password" and company is not None
        if asked and company is not None and company.get_secret_value().lstrip("0") != str(found.company_id):
            hint = "Check PROCOUNTOR_COMPANY."
            self._add("sessioninfo", "failed", "that is another company than PROCOUNTOR_COMPANY names", hint)

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, FellBack):
                hint = "`procountor-auth migrate rehearse` says why the chosen one is refused."
                self._add("fallback", "warning", event.message, hint)
            elif isinstance(event, SunsetAnnounced):
                self._note(Ending(event.deprecated_at, event.sunset_at, event.link))

    def _note(self, ending: Ending | None) -> None:
        if ending is not None and ending != Ending():
            self._endings[ending] = None

    def _look_at_endings(self) -> None:
        said = {str(Ending(each.deprecated_at, each.sunset_at)) for each in self._endings if each.link is not None}
        for ending in self._endings:
            if ending.link is None and str(ending) in said:
                continue  # the same, said once more without its page
            self._add("announced end", "warning", f"the server says: {ending}", "MIGRATION.md leads to what remains.")
        if not self._endings:
            self._add("announced end", "ok", "none is known")


def _asked(url: str) -> Flow[Response]:
    return (yield Request("GET", url, repeat=Repeat.SAFE))


def _asked_for(events: list[Event]) -> bool:
    return any(isinstance(event, TokenAcquired) for event in events)


def _quietly(read: Callable[[], Entry | None]) -> Entry | None:
    try:
        return read()
    except ProcountorAuthError:
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _contradictions() -> dict[str, tuple[str, str]]:
    """Return the variables that have different values in two places, with the place that wins and one that loses."""
    readings = (variables.from_environment, variables.from_env_file, variables.from_secrets_dir)
    first: dict[str, tuple[str, str]] = {}
    found: dict[str, tuple[str, str]] = {}
    for place, read in zip(_WINS, readings, strict=True):
        for name, value in variables.named_values(read()):
            winner, won = first.setdefault(name, (place, value))
            if won != value:
                found.setdefault(f"{variables.PREFIX}{name}".upper(), (winner, place))
    return found


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect what our log says meanwhile from WARNING on, except for the events, which are told in other words."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not hasattr(record, "procountor_event"):
                lines.append(record.getMessage())

    logger = logging.getLogger("procountor_auth")
    ear = Ear(logging.WARNING)
    logger.addHandler(ear)
    try:
        yield lines
    finally:
        logger.removeHandler(ear)
