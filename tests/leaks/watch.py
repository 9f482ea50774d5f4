"""Where secrets are made, and where texts leave: what the scanner listens to while a test runs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from _pytest.capture import CaptureFixture
from typer.testing import CliRunner

from procountor_auth import ProcountorAuthError, Settings, Token, TokenSource
from procountor_auth.bridge.credentials import Credentials as BridgeCredentials
from procountor_auth.bridge.login import BridgeLogin
from procountor_auth.login.login import KeyLogin, Login
from procountor_auth.protocol import client as oauth
from procountor_auth.sandbox.state import request_log as requestlog
from procountor_auth.sandbox.state.credentials import Credentials
from procountor_auth.sandbox.state.directory import Directory
from procountor_auth.sandbox.state.sessions import Sessions
from procountor_auth.settings.secret_reference import is_reference
from procountor_auth.strategies.base import Strategy
from procountor_auth.tokens import telemetry

from .objects import client_is_calling, inspect, inspect_error, own_words_of
from .records import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import SecretStr

    from procountor_auth.sandbox.state.directory import User

    from .canaries import Canaries, Kind

MOST_ERRORS: Final = 32
_MOST_OBJECTS: Final = 4

_HTTP: Final = ("httpx", "httpcore")
"""Loggers that a test's own browser uses as well: they count where the library is what calls them."""

_SECRET_SETTINGS: Final[tuple[Kind, ...]] = (
    "username",
    "password",
    "company",
    "client_secret",
    "api_key",
    "refresh_token",
)

_WRITING: Final = os.O_WRONLY | os.O_RDWR


class Watch:
    """Listens to the library, the sandbox and the process, from the outside.

    Args:
        canaries: Gets every secret with its kind, as soon as it is made or handed to the library.

    Attributes:
        records: What the test that runs has said so far.
        written: The files that were opened to be written, and whether it was the library that did it.
    """

    def __init__(self, canaries: Canaries) -> None:
        self._canaries = canaries
        self._errors: list[ProcountorAuthError] = []
        self._objects: dict[type, list[object]] = {}
        self._logs: dict[requestlog.RequestLog, int] = {}
        self._undo: list[Callable[[], None]] = []
        self._busy = threading.local()
        self._listening = False
        self.records = Records()
        self.written: dict[str, bool] = {}

    def begin(self) -> None:
        """Start a test."""
        self.records = Records()
        self.written = {}
        self._errors, self._objects = [], {}

    def finish(self) -> None:
        """Look at everything that the test has left."""
        self._busy.value = True
        try:
            for error in self._errors:
                inspect_error(error, self.records)
            for things in self._objects.values():
                for thing in things:
                    inspect(thing, self.records)
        finally:
            self._busy.value = False
        for log, seen in self._logs.items():
            # A module's sandbox goes on: what an earlier test has left in its log is that test's.
            news = log.entries(after=seen)
            self._logs[log] = news[-1]["number"] if news else seen
            for entry in {
                (each["method"], each["path"], each["grant_type"], each["fault"], each["error"]) for each in news
            }:
                self.records.add("sandbox log", repr(entry))
        self._errors, self._objects = [], {}

    def forget_sandboxes(self) -> None:
        """Let go of the logs of sandboxes that are gone."""
        self._logs = {}

    def start(self) -> None:
        """Listen. An audit hook can't be taken off again, so it is told when to be deaf."""
        self._listening = True
        sys.addaudithook(self._hear)
        self._listen_to_secrets()
        self._listen_to_objects()
        self._listen_to_logs()
        self._listen_to_output()

    def stop(self) -> None:
        """Put everything back as it was."""
        self._listening = False
        while self._undo:
            self._undo.pop()()

    # -- secrets ----------------------------------------------------------------------------------

    def _listen_to_secrets(self) -> None:
        self._after(Credentials, "issue_code", lambda code, *_: self._canaries.add("code", code))
        self._after(Credentials, "create_api_key", lambda key, *_: self._canaries.add("api_key", key))
        self._after(Sessions, "machine_token", lambda token, *_: self._canaries.add("access_token", token))
        self._after(Sessions, "_access_token", lambda token, *_: self._canaries.add("access_token", token))
        self._after(Sessions, "_refresh_token", lambda token, *_: self._canaries.add("refresh_token", token))
        self._after(Directory, "add_client", lambda made, *_: self._canaries.add("client_secret", made.client_secret))
        self._after(
            Directory,
            "replace_client_secret",
            lambda made, *_: self._canaries.add("client_secret", made.client_secret),
        )
        self._after(Directory, "add_user", lambda user, *_: self._add_user(user))
        self._after(Directory, "add_company", lambda company, *_: self._canaries.add("company", str(company.id)))
        self._after(Directory, "change_password", lambda _, *given: self._canaries.add("password", given[-1]))
        self._after(oauth, "_random", lambda made, *_: self._add_random(made.get_secret_value()))

        self._after(BridgeCredentials, "issue_code", lambda code, *_: self._add_bridge_s("code", code))
        self._after(BridgeCredentials, "issue", lambda issued, *_: self._add_bridge_tokens(*issued))
        self._after(BridgeCredentials, "refresh", lambda access, *_: self._add_bridge_tokens(access))
        self._after(BridgeLogin, "of", lambda login, *_: self._add_bridge_login(login))

    def _add_bridge_tokens(self, access: SecretStr | None, refresh: SecretStr | None = None) -> None:
        self._add_bridge_s("access_token", access)
        self._add_bridge_s("refresh_token", refresh)

    def _add_bridge_s(self, kind: Kind, made: SecretStr | None) -> None:
        # What stands before the dot says which login it is of, and is no secret.
        if made is not None:
            self._canaries.add(kind, made.get_secret_value().partition(".")[2])

    def _add_bridge_login(self, login: BridgeLogin | None) -> None:
        if login is not None:
            self._canaries.add("client_secret", login.client_secret.get_secret_value())
            self._canaries.add("username", login.username.get_secret_value())
            self._canaries.add("password", login.password.get_secret_value())
            self._canaries.add("company", login.company)
            self._keep(login)

    def _add_user(self, user: User) -> None:
        self._canaries.add("username", user.username)
        self._canaries.add("password", user.password)

    def _add_random(self, made: str) -> None:
        self._canaries.add("state" if len(made) == oauth.STATE_LENGTH else "verifier", made)

    # -- objects ----------------------------------------------------------------------------------

    def _listen_to_objects(self) -> None:
        self._after(ProcountorAuthError, "__init__", lambda _, error, *__: self._keep_error(error))
        # Not `__init__`: its arguments would stand in the tracebacks that tests look at.
        self._after(Settings, "oauth_client", lambda _, settings, *__: self._keep_settings(settings))
        self._after(Token, "__init__", lambda _, token, *__: self._keep(token))
        self._after(TokenSource, "_begin", lambda _, source, *__: self._keep(source))
        for kind in (Login, KeyLogin, Strategy):
            self._after(kind, "__init__", lambda _, thing, *__: self._keep(thing))
        self._after(requestlog.RequestLog, "__init__", lambda _, log, *__: self._logs.setdefault(log, 0))
        self._after(telemetry, "record", lambda _, event: self.records.add("event", repr(event.as_dict())))

    def _keep_error(self, error: ProcountorAuthError) -> None:
        if len(self._errors) < MOST_ERRORS:
            self._errors.append(error)
        else:
            self.records.add("str", str(error), own_words=own_words_of(error))

    def _keep_settings(self, settings: Settings) -> None:
        """Look for what the settings hold, too: a test may have made it up."""
        for kind in _SECRET_SETTINGS:
            value = getattr(settings, kind)
            # A reference says where a secret is, and is none.
            if value is not None and not is_reference(value):
                self._canaries.add(kind, value.get_secret_value())
        self._keep(settings)

    def _keep(self, thing: object) -> None:
        things = self._objects.setdefault(type(thing), [])
        if len(things) < _MOST_OBJECTS and not any(each is thing for each in things):
            things.append(thing)

    # -- logs -------------------------------------------------------------------------------------

    def _listen_to_logs(self) -> None:
        """Hear every logger at DEBUG, and leave what the tests' own handlers hear as it is.

        The root logger's level stays: a test that counts records must not get others. What its level would have
        dropped is made all the same, goes through the logger's own filters, and then to the scanner alone.
        """
        enabled, handle = logging.Logger.isEnabledFor, logging.Logger.handle

        def is_enabled_for(logger: logging.Logger, level: int) -> bool:
            return True if self._listening else enabled(logger, level)

        def hear(logger: logging.Logger, record: logging.LogRecord) -> None:
            if self._listening and not getattr(self._busy, "value", False):
                self._busy.value = True
                try:
                    if logger.filter(record):
                        self._add_record(record)
                finally:
                    self._busy.value = False
            if enabled(logger, record.levelno):
                handle(logger, record)

        self._put(logging.Logger, "isEnabledFor", is_enabled_for)
        self._put(logging.Logger, "handle", hear)

    def _add_record(self, record: logging.LogRecord) -> None:
        ours = record.name.startswith("procountor_auth")
        if record.name.startswith(_HTTP) and not client_is_calling(sys._getframe()):
            return
        with suppress(Exception):  # a record that can't be formatted is the logging module's business
            text = record.getMessage()
            if record.exc_info:
                text += logging.Formatter().formatException(record.exc_info)
            self.records.add("log", text, own_words=ours)
        event = getattr(record, "procountor_event", None)
        if event is not None:
            self.records.add("event", repr(event))

    # -- output -----------------------------------------------------------------------------------

    def _listen_to_output(self) -> None:
        self._after(CaptureFixture, "readouterr", lambda said, *_: self._add_output(said))
        self._after(subprocess.Popen, "communicate", lambda said, *_: self._add_output(said))
        self._after(CliRunner, "invoke", lambda result, *_: self._add_output((result.stdout, result.stderr)))
        # Shown, recorded by a test, or kept by pytest: each is made first.
        self._after(
            warnings.WarningMessage, "__init__", lambda _, __, said, *___: self.records.add("warning", str(said))
        )

    def _add_output(self, said: tuple[object, object]) -> None:
        for place, text in zip(("stdout", "stderr"), said, strict=True):
            if isinstance(text, bytes):
                self.records.add(place, text.decode("utf-8", "replace"))
            elif isinstance(text, str):
                self.records.add(place, text)

    # -- the process ------------------------------------------------------------------------------

    def _hear(self, event: str, values: tuple[Any, ...]) -> None:
        if not self._listening:
            return
        if event == "open":
            self._hear_open(*values)
        elif event == "os.rename":
            source, target = _path(values[0]), _path(values[1])
            if source in self.written:
                self.written[target] = self.written[source]
        elif event == "subprocess.Popen":
            self._hear_child(values[1], values[3])
        elif event in {"os.exec", "os.posix_spawn"}:
            self._hear_child(values[1], values[2])
        elif event == "os.system":
            self._hear_child(values[0], None)

    def _hear_open(self, path: object, mode: object, flags: object) -> None:
        writes = flags & _WRITING if isinstance(flags, int) else isinstance(mode, str) and set(mode) & set("wax+")
        if writes and isinstance(path, str | bytes | os.PathLike):
            self.written[_path(path)] = client_is_calling(sys._getframe())

    def _hear_child(self, arguments: object, environment: Mapping[Any, Any] | None) -> None:
        listed = arguments if isinstance(arguments, list | tuple) else [arguments]
        self.records.add("argv", "\n".join(_text(each) for each in listed))
        for name, value in (environment or {}).items():
            # The library's variables are how a secret is handed over; and what this process has, its children inherit.
            if not _text(name).startswith("PROCOUNTOR_") and os.environ.get(_text(name)) != _text(value):
                self.records.add("environment", _text(value))

    # -- how --------------------------------------------------------------------------------------

    def _after(self, owner: Any, name: str, look: Callable[..., object]) -> None:  # noqa: ANN401 - a class or a module
        """Show `look` what a function returned, and what it was given."""
        original = getattr(owner, name)

        @wraps(original)
        def wrapped(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the function takes and gives
            result = original(*given, **named)
            if self._listening and not getattr(self._busy, "value", False):
                look(result, *given, *named.values())
            return result

        self._put(owner, name, wrapped)

    def _put(self, owner: Any, name: str, new: object) -> None:  # noqa: ANN401 - a class or a module
        own = name in vars(owner)
        original = vars(owner).get(name)
        setattr(owner, name, new)
        self._undo.append(lambda: setattr(owner, name, original) if own else delattr(owner, name))


def _path(path: object) -> str:
    return str(Path(os.path.abspath(os.fsdecode(path)))) if not isinstance(path, int) else ""  # type: ignore[arg-type]  # noqa: PTH100 - no link is followed


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
